// Least-squares fits of the idealised filters to a filter h, for the page and for node. Two objectives:
//
//   free  min |h - a f(sigma_x, sigma_y, gamma) - b|^2   over the scales, gamma in [0, 10], gain a and offset b
//         (keyfilters.networks.surgery.scale_fits.fit_scales)
//   unit  min |h - f(sigma_x, sigma_y, gamma)|^2         method D1; the key that sharpens has one scale, any gamma
//         (keyfilters.fit(key, "D1", filter=h, normalized=True))
//
// Gain, offset and gamma are solved for in closed form, so the search runs over the variances: a grid of scales, then
// Newton's method from every minimum of the grid, with the exact gradient.
(function (root) {
  "use strict";

  const maths = typeof module !== "undefined" && module.exports ? require("./maths.js") : root.KeyFilters.maths;
  const {axis, dot, impulse, moving, sum} = maths;

  // Largest scales searched and largest gamma: those of the two functions of the library.
  const TOP = {free: 3.5, unit: 3};
  const GAMMA_MAX = 10;
  const STEP = 0.05;

  // y and x factors whose products add up to what `moving` returns.
  const TERMS = {
    sharpening: [["plain", "second"], ["second", "plain"]],
    other: [["own", "own"]],
  };

  // The gamma in [0, GAMMA_MAX] for which f - gamma m explains w best: the free optimum, or a bound.
  function bestGamma({ff, fm, mm, wf, wm}) {
    const free = (fm * wf - ff * wm) / (mm * wf - fm * wm);
    const share = g => (wf - g * wm) ** 2 / Math.max(ff - 2 * g * fm + g * g * mm, 1e-300);
    const inside = Number.isFinite(free) ? Math.min(Math.max(free, 0), GAMMA_MAX) : 0;
    let best = inside, most = share(inside);
    for (const bound of [0, GAMMA_MAX]) {
      const value = share(bound);
      if (value > most) { best = bound; most = value; }
    }
    return best;
  }

  // Gain and gamma, from the inner products of the filter w, the moving part m and the fixed part f.
  function solve(sharpens, objective, p) {
    if (objective === "unit") return {gain: 1, gamma: sharpens ? (p.fm - p.wm) / p.mm : null};
    if (!sharpens) return {gain: p.wm / Math.max(p.mm, 1e-300), gamma: null};
    const gamma = bestGamma(p);
    return {gain: (p.wf - gamma * p.wm) / Math.max(p.ff - 2 * gamma * p.fm + gamma * gamma * p.mm, 1e-300), gamma};
  }

  function centred(h) {
    // Less the first sample before the mean is taken: a constant then gives exact zeros.
    const rest = h.map(value => value - h[0]), mean = sum(rest) / h.length;
    return {rest: rest.map(value => value - mean), mean: h[0] + mean};
  }

  class Problem {
    constructor(row, h, objective, edge) {
      Object.assign(this, {row, objective, edge});
      this.size = Math.sqrt(h.length);
      this.sharpens = row.kind === "sharpening";
      this.free = objective === "free";
      // Method D1 gives the key that sharpens one scale.
      this.count = this.sharpens && !this.free ? 1 : 2;
      this.top = TOP[objective] ** 2;
      this.target = this.centre(h);
      this.fixed = this.centre(impulse(this.size));
    }

    centre(values) {
      return this.free ? centred(values).rest : values;
    }

    axes(p) {
      const last = p[p.length - 1];
      return [axis(this.row.x, p[0], this.edge, this.size), axis(this.row.y, last, this.edge, this.size)];
    }

    // Residual energy and its gradient at variances p, with the best gain and gamma.
    evaluate(p) {
      const [x, y] = this.axes(p), last = p[p.length - 1], w = this.target, f = this.fixed;
      const m = this.centre(moving(this.row, x, y));
      const products = {wm: dot(w, m), mm: dot(m, m), wf: dot(w, f), fm: dot(f, m), ff: dot(f, f)};
      const {gain, gamma} = solve(this.sharpens, this.objective, products);
      const rest = w.map((value, i) => value - gain * (this.sharpens ? f[i] - gamma * m[i] : m[i]));
      const scale = -2 * gain * (this.sharpens ? -gamma : 1);
      // The optimum over gain and gamma has no slope in them, so only the scales count.
      const slopes = [
        moving(this.row, axis(this.row.x, p[0], this.edge, this.size, 1), y),
        moving(this.row, x, axis(this.row.y, last, this.edge, this.size, 1)),
      ].map(slope => scale * dot(rest, slope));
      return {p, value: dot(rest, rest), gradient: this.count === 1 ? [slopes[0] + slopes[1]] : slopes, gain, gamma};
    }

    // Residual energies on the grid of scales, from inner products of one-dimensional factors.
    grid() {
      const n = this.size, count = 1 + Math.round(TOP[this.objective] / STEP), w = this.target;
      const variances = Array.from({length: count}, (_, i) => (i * STEP) ** 2);
      const terms = TERMS[this.sharpens ? "sharpening" : "other"], ww = dot(w, w);
      const ff = dot(this.fixed, this.fixed), wf = dot(w, this.fixed);
      const describe = (operator, which) => variances.map(s => {
        const parts = axis(operator, s, this.edge, n);
        const own = terms.map(term => parts[term[which]]);
        return {
          own, sums: own.map(sum), middles: own.map(v => v[(n - 1) / 2]),
          gram: own.map(a => own.map(b => dot(a, b))),
          // Along y: the filter summed against the factor, which leaves a function of x.
          seen: which === 0 ? own.map(v => v.map((_, j) => v.reduce((t, value, i) => t + value * w[(n - 1 - i) * n + j], 0))) : null,
        };
      });
      const along = describe(this.row.x, 1), up = describe(this.row.y, 0);
      const value = (x, y) => {
        let wm = 0, total = 0, fm = 0, mm = 0;
        for (let t = 0; t < terms.length; t++) {
          wm += dot(y.seen[t], x.own[t]);
          total += y.sums[t] * x.sums[t];
          fm += y.middles[t] * x.middles[t];
          for (let u = 0; u < terms.length; u++) mm += y.gram[t][u] * x.gram[t][u];
        }
        if (this.free) { mm -= total ** 2 / (n * n); fm -= total / (n * n); }
        const {gain, gamma} = solve(this.sharpens, this.objective, {wm, mm, wf, fm, ff});
        if (!this.sharpens) return ww - 2 * gain * wm + gain * gain * mm;
        return ww - 2 * gain * (wf - gamma * wm) + gain * gain * (ff - 2 * gamma * fm + gamma * gamma * mm);
      };
      if (this.count === 1) return {variances, values: variances.map((_, i) => [value(along[i], up[i])])};
      return {variances, values: variances.map((_, i) => up.map(y => value(along[i], y)))};
    }

    // Variances at the grid's local minima, the deepest first.
    starts() {
      const {variances, values} = this.grid(), found = [];
      values.forEach((line, i) => line.forEach((value, j) => {
        for (let a = i - 1; a <= i + 1; a++) {
          for (let b = j - 1; b <= j + 1; b++) if (values[a] && values[a][b] < value) return;
        }
        found.push({value, p: this.count === 1 ? [variances[i]] : [variances[i], variances[j]]});
      }));
      return found.sort((a, b) => a.value - b.value).slice(0, 12).map(start => start.p);
    }

    hessian(p) {
      const columns = p.map((value, i) => {
        const d = 1e-5 * Math.max(1, value);
        const at = sign => this.evaluate(p.map((v, j) => (j === i ? v + sign * d : v))).gradient;
        const above = at(1), below = at(-1);
        return above.map((g, j) => (g - below[j]) / (2 * d));
      });
      return columns.map((column, i) => column.map((v, j) => (v + columns[j][i]) / 2));
    }

    // Newton step on the free variances; down the slope where the curvature is not positive.
    step(now) {
      const {p, gradient} = now, open = p.map((v, i) => !((v <= 0 && gradient[i] > 0) || (v >= this.top && gradient[i] < 0)));
      const H = this.hessian(p), move = p.map(() => 0), free = p.map((_, i) => i).filter(i => open[i]);
      const steepest = () => free.forEach(i => { move[i] = (-0.1 * gradient[i]) / Math.max(...free.map(j => Math.abs(gradient[j])), 1e-300); });
      if (free.length === 1) {
        const i = free[0];
        if (H[i][i] > 0) move[i] = -gradient[i] / H[i][i]; else steepest();
      } else if (free.length === 2) {
        const det = H[0][0] * H[1][1] - H[0][1] ** 2;
        if (H[0][0] > 0 && det > 1e-14 * H[0][0] * H[1][1]) {
          move[0] = -(H[1][1] * gradient[0] - H[0][1] * gradient[1]) / det;
          move[1] = -(H[0][0] * gradient[1] - H[0][1] * gradient[0]) / det;
        } else steepest();
      }
      return move;
    }

    refine(start) {
      let now = this.evaluate(start);
      for (let round = 0; round < 80; round++) {
        const move = this.step(now), at = length => now.p.map((v, i) => Math.min(Math.max(v + length * move[i], 0), this.top));
        let length = 1, next = this.evaluate(at(1));
        while (!(next.value < now.value) && length > 1e-10) { length /= 2; next = this.evaluate(at(length)); }
        if (!(next.value < now.value)) {
          // Rounding hides further descent: one full step lands on the root of the gradient.
          if (Math.max(...move.map(Math.abs)) < 1e-6) now = this.evaluate(at(1));
          break;
        }
        const moved = Math.max(...next.p.map((v, i) => Math.abs(v - now.p[i])));
        now = next;
        if (moved <= 1e-15) break;
      }
      return now;
    }
  }

  // Fit one key. `explained` is the share of the filter's variance about its mean (free) or of its energy (unit).
  function fitKey(row, h, objective = "free", edge = "crop") {
    // Sizes from 1e-150 to 1e150 must not overflow when squared; method D1 depends on the size itself.
    const unit = objective === "free" ? Math.max(...h.map(Math.abs)) || 1 : 1;
    const problem = new Problem(row, h.map(value => value / unit), objective, edge);
    const energy = dot(problem.target, problem.target);
    if (!(energy > 0)) return null;
    const best = problem.starts().map(start => problem.refine(start)).reduce((a, b) => (b.value < a.value ? b : a));
    const sigma = [best.p[0], best.p[best.p.length - 1]].map(Math.sqrt);
    const model = maths.idealFilter(row, sigma[0], sigma[1], best.gamma, edge, problem.size);
    const gain = best.gain * unit;
    const offset = problem.free ? centred(h).mean - (gain * sum(model)) / h.length : 0;
    return {
      key: row.number, objective, edge, sigmaX: sigma[0], sigmaY: sigma[1], gamma: best.gamma, gain, offset,
      residual: best.value * unit * unit, explained: 1 - best.value / energy,
      bound: best.p.some(v => v >= problem.top) || (problem.free && (best.gamma === GAMMA_MAX || best.gamma === 0)),
      fitted: model.map(value => gain * value + offset),
    };
  }

  // All keys, and the one that explains most; null for a filter without anything to explain.
  function fitAll(rows, h, objective = "free", edge = "crop") {
    const fits = rows.map(row => fitKey(row, h, objective, edge));
    if (fits.some(found => found === null)) return null;
    return {fits, best: fits.reduce((a, b) => (b.explained > a.explained ? b : a))};
  }

  const api = {GAMMA_MAX, TOP, bestGamma, centred, fitAll, fitKey};
  if (typeof module !== "undefined" && module.exports) module.exports = api;
  else root.KeyFilters.fit = api;
})(typeof globalThis !== "undefined" ? globalThis : this);
