// The formulas of the library, for the page and for node: kernels, models, measures, convolution.
// Filters are flat arrays of n * n numbers, row by row; row 0 is the largest y. Scales are in grid units.
(function (root) {
  "use strict";

  // (op f)(n) = sum of weight * f(n + shift)
  const OPERATORS = {
    identity: [[0, 1]],
    backward: [[0, 1], [-1, -1]],
    forward: [[1, 1], [0, -1]],
    central: [[1, 0.5], [-1, -0.5]],
    second: [[1, 1], [0, -2], [-1, 1]],
  };

  const tables = new Map();

  // Of the lattice on which aliasing stays below rounding.
  const periodOf = (radius, sigma) => Math.max(64, 2 ** Math.ceil(Math.log2(radius + 10 * sigma + 16)));

  // cos(w_k n) for the period N, weighted for the sum over k.
  function cosines(radius, sigma) {
    const period = periodOf(radius, sigma);
    const name = `${radius} ${period}`;
    if (!tables.has(name)) {
      const exponent = [], rows = [];
      for (let k = 0; k <= period / 2; k++) {
        const weight = (k === 0 || k === period / 2 ? 1 : 2) / period;
        exponent.push(Math.cos((2 * Math.PI * k) / period) - 1);
        // The angle is reduced in integers: a large angle in floating point would cost digits.
        rows.push(Array.from({length: radius + 1}, (_, n) => weight * Math.cos((2 * Math.PI * ((k * n) % period)) / period)));
      }
      tables.set(name, {exponent, rows});
    }
    return tables.get(name);
  }

  // T(n; s) = e^{-s} I_n(s) = (1/N) sum_k exp(s (cos w_k - 1)) cos(w_k n), n = -radius .. radius.
  // With order = 1 its derivative in s.
  function discreteGaussian(variance, radius, order = 0) {
    const {exponent, rows} = cosines(radius, Math.sqrt(Math.max(variance, 0)));
    const half = new Array(radius + 1).fill(0);
    if (variance === 0 && order === 0) {
      half[0] = 1; // the sum is the unit impulse only up to rounding
    } else {
      for (let k = 0; k < exponent.length; k++) {
        const power = Math.exp(variance * exponent[k]) * exponent[k] ** order;
        for (let n = 0; n <= radius; n++) half[n] += power * rows[k][n];
      }
    }
    return [...half.slice(1).reverse(), ...half];
  }

  // g(n; s) = e^{-n^2 / 2s} / sqrt(2 pi s), n = -radius .. radius; there is none at s = 0.
  function sampledGaussian(variance, radius) {
    return Array.from({length: 2 * radius + 1}, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance));
  }

  // One-dimensional factor, in the order of the growing coordinate, from a kernel with a spare tap at each end.
  // "crop" drops the spare taps first (end sample repeated, or zeros for the second difference); "exact" differences first.
  function factor(operator, kernel, edge) {
    let taps = kernel;
    if (edge === "crop") {
      const inner = kernel.slice(1, -1), zero = operator === "second";
      taps = [zero ? 0 : inner[0], ...inner, zero ? 0 : inner[inner.length - 1]];
    }
    const result = new Array(kernel.length - 2).fill(0);
    for (const [shift, weight] of OPERATORS[operator]) {
      for (let i = 0; i < result.length; i++) result[i] += weight * taps[i + 1 + shift];
    }
    return result;
  }

  // Factors of an axis: what the operator makes of T, T itself, and its second difference; order as in discreteGaussian.
  function axis(operator, variance, edge, size = 7, order = 0, sampled = false) {
    const radius = (size - 1) / 2 + 1;
    const kernel = sampled ? sampledGaussian(variance, radius) : discreteGaussian(variance, radius, order);
    return {
      own: factor(operator, kernel, edge),
      plain: factor("identity", kernel, edge),
      second: factor("second", kernel, edge),
    };
  }

  // y grows against the row index.
  function outer(y, x) {
    const n = x.length, product = new Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) product[i * n + j] = y[n - 1 - i] * x[j];
    return product;
  }

  function impulse(size) {
    const filter = new Array(size * size).fill(0);
    filter[(size * size - 1) / 2] = 1;
    return filter;
  }

  // The part of a model that depends on the scales: the model itself, or the Laplacian of T for the key that sharpens.
  function moving(row, x, y) {
    if (row.kind !== "sharpening") return outer(y.own, x.own);
    const along = outer(y.plain, x.second);
    return outer(y.second, x.plain).map((value, i) => value + along[i]);
  }

  // Idealised filter of a key: `row` is a row of the library's catalogue (kind, and operators x and y).
  // `sampled` takes the sampled Gaussian in place of its discrete analogue.
  function idealFilter(row, sigmaX, sigmaY, gamma, edge = "crop", size = 7, sampled = false) {
    const along = (operator, sigma) => axis(operator, sigma ** 2, edge, size, 0, sampled);
    const part = moving(row, along(row.x, sigmaX), along(row.y, sigmaY));
    return row.kind === "sharpening" ? impulse(size).map((value, i) => value - gamma * part[i]) : part;
  }

  // Covariance [C_xx, C_xy, C_yy] of a Gaussian of scale sigma1 along the angle phi (radians, from x towards y), sigma2 across.
  function affineCovariance(sigma1, sigma2, phi) {
    const mean = (sigma1 ** 2 + sigma2 ** 2) / 2, half = (sigma1 ** 2 - sigma2 ** 2) / 2;
    return [mean + half * Math.cos(2 * phi), half * Math.sin(2 * phi), mean - half * Math.cos(2 * phi)];
  }

  // Discrete affine Gaussian, T(x, y; C) = 1/N^2 sum_{u, v} exp(psi(u, v)) cos(u x + v y), with
  // psi = C_xx (cos u - 1) + C_yy (cos v - 1) - C_xy sin u sin v + C_q (cos u - 1)(cos v - 1) and C_q = |C_xy|, the least
  // coupling of diagonal neighbours with taps >= 0. For |C_xy| > min(C_xx, C_yy) there is none, and some taps are below 0.
  function affineGaussian([xx, xy, yy], radius) {
    if (!xx && !yy) return impulse(2 * radius + 1);
    const period = periodOf(radius, Math.sqrt(Math.max(xx, yy))), width = 2 * radius + 1, q = Math.abs(xy);
    const angles = Array.from({length: period}, (_, k) => (2 * Math.PI * k) / period);
    const cos = angles.map(Math.cos), sin = angles.map(Math.sin);
    // The angle k n is reduced in integers; n from -radius to radius.
    const waves = Array.from({length: width}, (_, i) => [cos, sin].map(table => table.map((__, k) => table[(k * (i - radius + period)) % period])));
    // Over u first: for each v and x the sums with cos(u x) and with sin(u x).
    const sums = angles.map((_, v) => {
      const power = angles.map((__, u) => Math.exp(xx * (cos[u] - 1) + yy * (cos[v] - 1) - xy * sin[u] * sin[v] + q * (cos[u] - 1) * (cos[v] - 1)));
      return Array.from({length: width}, (__, x) => waves[x].map(wave => dot(power, wave)));
    });
    return Array.from({length: width * width}, (_, i) => {
      const x = i % width, y = width - 1 - Math.floor(i / width);
      let total = 0;
      for (let v = 0; v < period; v++) total += waves[y][0][v] * sums[v][x][0] - waves[y][1][v] * sums[v][x][1];
      return total / period ** 2;
    });
  }

  // The operators along x and y of the derivatives up to the second.
  const JET = {
    T: ["identity", "identity"], x: ["central", "identity"], y: ["identity", "central"],
    xx: ["second", "identity"], xy: ["central", "central"], yy: ["identity", "second"],
  };

  // A derivative of a discrete affine Gaussian: differences first, then cropping.
  function jetFilter(name, covariance, size = 7) {
    const radius = (size - 1) / 2 + 1, wide = size + 2, smooth = affineGaussian(covariance, radius), [alongX, alongY] = JET[name];
    return Array.from({length: size * size}, (_, i) => {
      const row = 1 + Math.floor(i / size), column = 1 + (i % size);
      let total = 0;
      for (const [up, b] of OPERATORS[alongY]) for (const [right, a] of OPERATORS[alongX]) total += a * b * smooth[(row - up) * wide + column + right];
      return total;
    });
  }

  // First or second derivative of a discrete affine Gaussian in the direction phi.
  function orientedFilter(order, phi, covariance, size = 7) {
    const c = Math.cos(phi), s = Math.sin(phi);
    const weights = order === 1 ? {x: c, y: s} : {xx: c * c, xy: 2 * c * s, yy: s * s};
    return mixed(Object.keys(weights).map(name => jetFilter(name, covariance, size)), Object.values(weights));
  }

  // a f + c T + b with the a, c and b that leave least of a filter, at given scales; the key that smooths is T itself.
  function components(row, target, sigmaX, sigmaY, gamma, edge = "crop", sampled = false) {
    const size = Math.sqrt(target.length), blob = {kind: "smoothing", x: "identity", y: "identity"};
    const filters = [idealFilter(row, sigmaX, sigmaY, gamma, edge, size, sampled)];
    if (row.kind !== "smoothing") filters.push(idealFilter(blob, sigmaX, sigmaY, null, edge, size, sampled));
    filters.push(new Array(target.length).fill(1));
    const gains = mixGains(filters, target);
    return {filter: mixed(filters, gains), a: gains[0], c: filters.length > 2 ? gains[1] : null, b: gains[gains.length - 1]};
  }

  // Mean, covariance and l1 norm of |h|, or of |h w|; null where nothing is left.
  function spread(h, weight = null) {
    const size = Math.sqrt(h.length), centre = (size - 1) / 2;
    let total = 0, mx = 0, my = 0, xx = 0, xy = 0, yy = 0;
    h.forEach((value, i) => {
      const a = Math.abs(value) * (weight ? Math.abs(weight[i]) : 1);
      const x = (i % size) - centre, y = centre - Math.floor(i / size);
      total += a; mx += a * x; my += a * y; xx += a * x * x; xy += a * x * y; yy += a * y * y;
    });
    if (!(total > 0)) return null;
    mx /= total; my /= total;
    return {l1: total, mean: [mx, my], covariance: [xx / total - mx * mx, xy / total - mx * my, yy / total - my * my]};
  }

  // Plain loops: these two take most of the time of a fit.
  function dot(a, b) {
    let total = 0;
    for (let i = 0; i < a.length; i++) total += a[i] * b[i];
    return total;
  }

  function sum(a) {
    let total = 0;
    for (let i = 0; i < a.length; i++) total += a[i];
    return total;
  }

  // How far a model is from a filter.
  function distances(model, target) {
    const rest = model.map((value, i) => value - target[i]);
    const l1 = sum(rest.map(Math.abs)), l2 = Math.sqrt(dot(rest, rest));
    const norm = Math.sqrt(dot(target, target)), length = Math.sqrt(dot(model, model));
    return {
      l1, l2,
      relativeL1: l1 / sum(target.map(Math.abs)),
      relativeL2: l2 / norm,
      cosine: length > 0 ? dot(model, target) / (norm * length) : 0,
    };
  }

  // (h * f)(x) = sum_u h(u) f(x - u); beyond the border of the image its edge pixel is repeated.
  function convolve(image, width, height, h) {
    const size = Math.sqrt(h.length), r = (size - 1) / 2, result = new Float64Array(width * height);
    const inside = (i, n) => (i < 0 ? 0 : i >= n ? n - 1 : i);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        let value = 0;
        for (let i = 0; i < size; i++) {
          // u = (j - r, r - i), y up: x - u is r - j columns to the right and r - i rows further down.
          const line = inside(row + r - i, height) * width;
          for (let j = 0; j < size; j++) value += h[i * size + j] * image[line + inside(column + r - j, width)];
        }
        result[row * width + column] = value;
      }
    }
    return result;
  }

  // |sum_u h(u) e^{-i w u}| at n x n frequencies from -pi to pi, both ends included; row 0 is the largest w_y.
  function spectrum(h, n) {
    const size = Math.sqrt(h.length), r = (size - 1) / 2, result = new Float64Array(n * n);
    for (let row = 0; row < n; row++) {
      const wy = Math.PI * (1 - (2 * row) / (n - 1));
      for (let column = 0; column < n; column++) {
        const wx = Math.PI * ((2 * column) / (n - 1) - 1);
        let re = 0, im = 0;
        for (let i = 0; i < h.length; i++) {
          const phase = wx * ((i % size) - r) + wy * (r - Math.floor(i / size));
          re += h[i] * Math.cos(phase);
          im -= h[i] * Math.sin(phase);
        }
        result[row * n + column] = Math.hypot(re, im);
      }
    }
    return result;
  }

  // Gains g of the smallest |target - sum_k g_k filter_k|_2, by the normal equations with pivots.
  function mixGains(filters, target) {
    // A filter that the others make up already, as T and an impulse at scale 0, gets no gain.
    const n = filters.length, rows = filters.map(f => [...filters.map(other => dot(f, other)), dot(f, target)]);
    const least = 1e-13 * Math.max(...rows.map((row, i) => row[i]));
    for (let i = 0; i < n; i++) {
      let pivot = i;
      for (let j = i + 1; j < n; j++) if (Math.abs(rows[j][i]) > Math.abs(rows[pivot][i])) pivot = j;
      [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
      if (!(Math.abs(rows[i][i]) > least)) continue;
      for (let j = i + 1; j < n; j++) {
        const share = rows[j][i] / rows[i][i];
        for (let k = i; k <= n; k++) rows[j][k] -= share * rows[i][k];
      }
    }
    const gains = new Array(n).fill(0);
    for (let i = n - 1; i >= 0; i--) if (Math.abs(rows[i][i]) > least) gains[i] = (rows[i][n] - sum(gains.map((g, k) => (k > i ? g * rows[i][k] : 0)))) / rows[i][i];
    return gains;
  }

  const mixed = (filters, gains) => filters[0].map((_, i) => sum(filters.map((filter, k) => gains[k] * filter[i])));

  const api = {
    OPERATORS, affineCovariance, affineGaussian, axis, components, convolve, discreteGaussian, distances, dot, factor, idealFilter, impulse, jetFilter,
    mixGains, mixed, moving, orientedFilter, outer, sampledGaussian, spectrum, spread, sum,
  };
  if (typeof module !== "undefined" && module.exports) module.exports = api;
  else (root.KeyFilters = root.KeyFilters || {}).maths = api;
})(typeof globalThis !== "undefined" ? globalThis : this);
