// Scales of its key fitted to each filter of a layer, for the page and for node: the method of the library
// (keyfilters.networks.surgery.scale_fits.fit_scales), so that the numbers are the same.
//
//   min |w - a f(sigma_x, sigma_y, gamma) - b|^2   over both scales, gamma in [0, 10], gain a and offset b
//
// Gain, offset and gamma are solved for in closed form; over the two variances all pairs of a coarse grid are tried, and
// from the best pair damped Gauss-Newton goes on.
(function (root) {
  "use strict";

  const inNode = typeof module !== "undefined" && module.exports;
  const {axis, dot, impulse, outer} = inNode ? require("./maths.js") : root.KeyFilters.maths;
  const {GAMMA_MAX, bestGamma, centred} = inNode ? require("./fit.js") : root.KeyFilters.fit;

  const GRID = 25, SETTLED = 1e-13, STEPS = 40, FLAT = 1e-16, TINY = 1e-300;
  const rest = values => Float64Array.from(centred(values).rest);
  const topOf = size => Math.max(3, size / 2);
  const along = (a, s, b) => a.map((value, i) => value + s * b[i]);

  // a less its part along b.
  const without = (a, b) => along(a, -dot(a, b) / Math.max(dot(b, b), TINY), b);

  // What the filter of a key is made of at variances p, as numbers in rows: its moving part, and its slopes in the variances.
  function plane(row, size, [x, y]) {
    const part = (operator, s) => [0, 1].map(order => axis(operator, s, "crop", size, order));
    const [[a, da], [b, db]] = [part(row.x, x), part(row.y, y)];
    const made = row.kind === "sharpening"
      ? (u, v) => along(outer(v.plain, u.second), 1, outer(v.second, u.plain))
      : (u, v) => outer(v.own, u.own);
    return {moving: made(a, b), slopes: [made(da, b), made(a, db)]};
  }

  // The same for filters of one row or column, in the order of the growing coordinate: the key's factor, or for the key
  // that sharpens the row through its centre with the same scale across.
  function strip(row, operator, size, [s]) {
    const [a, da] = [0, 1].map(order => axis(operator, s, "crop", size, order)), flat = new Array(size).fill(0);
    if (row.kind !== "sharpening") return {moving: a.own, slopes: [da.own, flat]};
    const middle = (size - 1) / 2, made = (u, v) => u.second.map((value, i) => value * v.plain[middle] + u.plain[i] * v.second[middle]);
    return {moving: made(a, a), slopes: [along(made(da, a), 1, made(a, da)), flat]};
  }

  class Key {
    constructor(row, rows, columns) {
      this.size = Math.max(rows, columns);
      this.sharpens = row.kind === "sharpening";
      this.flat = rows === columns ? "" : rows === 1 ? "x" : "y";
      const fixed = this.flat ? Array.from({length: this.size}, (_, i) => Number(i === (this.size - 1) / 2)) : impulse(this.size);
      this.impulse = fixed;
      this.fixed = rest(fixed);
      this.ff = dot(this.fixed, this.fixed);
      this.parts = p => (this.flat ? strip(row, row[this.flat], this.size, p) : plane(row, this.size, p));
      this.top = topOf(this.size) ** 2;
      const values = Array.from({length: GRID}, (_, i) => ((i * topOf(this.size)) / (GRID - 1)) ** 2);
      this.grid = values.flatMap(x => (this.flat ? [0] : values).map(y => {
        const moving = rest(this.parts([x, y]).moving);
        return {p: [x, y], moving, mm: dot(moving, moving), fm: dot(this.fixed, moving)};
      }));
    }

    // Best pair of variances of the grid for a mean-free filter of norm 1.
    start(w) {
      const wf = dot(w, this.fixed), {ff} = this;
      let most = -1, best = null;
      for (const {p, moving, mm, fm} of this.grid) {
        const wm = dot(w, moving);
        let share = wm ** 2 / Math.max(mm, TINY);
        if (this.sharpens) {
          const gamma = bestGamma({ff, fm, mm, wf, wm});
          share = (wf - gamma * wm) ** 2 / Math.max(ff - 2 * gamma * fm + gamma * gamma * mm, TINY);
        }
        if (share > most) { most = share; best = p; }
      }
      return best;
    }

    state(w, p) {
      const parts = this.parts(p), moving = rest(parts.moving), slopes = parts.slopes.map(rest);
      let gamma = 0, kernel = moving;
      if (this.sharpens) {
        gamma = bestGamma({ff: this.ff, fm: dot(this.fixed, moving), mm: dot(moving, moving), wf: dot(w, this.fixed), wm: dot(w, moving)});
        kernel = along(this.fixed, -gamma, moving);
      }
      const projection = dot(w, kernel), gain = projection / Math.max(dot(kernel, kernel), TINY);
      return {p, gamma, kernel, moving, slopes, gain, residual: along(w, -gain, kernel), explained: gain * projection};
    }

    // Derivative of the fit in the variances with gain (and gamma, between its bounds) projected out.
    jacobian({gamma, gain, kernel, moving, slopes}) {
      const scale = gain * (this.sharpens ? -gamma : 1), inside = this.sharpens && gamma > 0 && gamma < GAMMA_MAX;
      const direction = inside ? without(moving, kernel) : null;
      return slopes.map(slope => {
        const column = without(slope.map(value => scale * value), kernel);
        return inside ? without(column, direction) : column;
      });
    }

    refine(w, start) {
      let now = this.state(w, start), damping = 1e-3;
      for (let round = 0; round < STEPS && damping < 1e6; round++) {
        const columns = this.jacobian(now), slope = columns.map(column => dot(column, now.residual));
        // A scale at its bound that would leave it stays.
        const held = now.p.map((s, i) => (s <= 0 && slope[i] <= 0) || (s >= this.top && slope[i] >= 0));
        const [a, b, c] = [[0, 0], [0, 1], [1, 1]].map(([i, j]) => (held[i] || held[j] ? 0 : dot(columns[i], columns[j])));
        const [aa, cc] = [a, c].map(value => value + damping * value + (value === 0 ? 1 : 1e-14));
        const [g, h] = slope.map((value, i) => (held[i] ? 0 : value)), det = aa * cc - b * b;
        const step = [(cc * g - b * h) / det, (aa * h - b * g) / det];
        const next = this.state(w, now.p.map((s, i) => Math.min(Math.max(s + step[i], 0), this.top)));
        if (next.explained > now.explained) {
          const settled = next.explained - now.explained < SETTLED;
          now = next;
          if (settled) break;
          damping /= 5;
        } else damping *= 8;
      }
      return now;
    }

    // Whether the fit changes with each variance once gain, gamma and the other one may follow: with three taps a difference
    // has the same shape at each scale, and the key that sharpens has more parameters than the filter has to say.
    determined(w, p) {
      const now = this.state(w, p), columns = this.jacobian(now);
      return now.slopes.map((slope, i) => {
        const rest = without(columns[i], columns[1 - i]);
        return dot(rest, rest) > FLAT * now.gain * now.gain * dot(slope, slope);
      });
    }

    // The share of the filter that the key explains with scales that are given.
    given(w, p, gamma) {
      const {moving} = this.parts(p), kernel = rest(this.sharpens ? along(this.impulse, -gamma, moving) : moving);
      return dot(w, kernel) ** 2 / Math.max(dot(kernel, kernel), TINY);
    }
  }

  const known = new Map();

  // Scales and explained share of a mean-free filter (rows x columns, energy > 0) by the key `row`; `preset`, its scales
  // and gamma by a method, stays where it is no worse. NaN is a scale that the filter does not determine, and that across a
  // filter of one row or column, but for the key that sharpens, which has the same along both axes.
  function fitScales(row, vector, rows, columns, [x, y, gamma]) {
    const name = `${row.number} ${rows} ${columns}`;
    if (!known.has(name)) known.set(name, new Key(row, rows, columns));
    const key = known.get(name), norm = Math.sqrt(dot(vector, vector));
    let w = Float64Array.from(vector, value => value / norm);
    // y grows against the row index.
    if (key.flat === "y") w = w.reverse();
    const found = key.refine(w, key.start(w)), first = key.flat ? [(key.flat === "x" ? x : y) ** 2, 0] : [x ** 2, y ** 2];
    const before = key.given(w, first, gamma), own = found.explained >= before;
    // A scale that the filter does not determine is not named.
    const p = own ? found.p : first, firm = key.determined(w, p);
    const [s, t] = p.map((value, i) => (firm[i] ? Math.sqrt(value) : NaN)), across = key.sharpens ? s : NaN;
    const [sigmaX, sigmaY] = key.flat === "" ? [s, t] : key.flat === "x" ? [s, across] : [across, s];
    return {sigmaX, sigmaY, explained: Math.min(Math.max(own ? found.explained : before, 0), 1)};
  }

  const api = {fitScales};
  if (inNode) module.exports = api;
  else root.KeyFilters.scales = api;
})(typeof globalThis !== "undefined" ? globalThis : this);
