// What the keys are compared with, for the page and for node: filters that know nothing of them
// (keyfilters.networks.surgery.nulls), drawn by a generator of the page's own; and the spectrum of a layer.
(function (root) {
  "use strict";

  const inNode = typeof module !== "undefined" && module.exports;
  const {dot} = inNode ? require("./maths.js") : root.KeyFilters.maths;

  // Numbers between 0 and 1 from a small generator, the same on each machine, and normal ones (Box and Muller).
  function generator(seed) {
    let state = seed, spare = null;
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
    };
    const normal = () => {
      if (spare !== null) {
        const value = spare;
        spare = null;
        return value;
      }
      const length = Math.sqrt(-2 * Math.log(uniform())), angle = 2 * Math.PI * uniform();
      spare = length * Math.sin(angle);
      return length * Math.cos(angle);
    };
    // Fisher and Yates.
    const permutation = n => {
      const order = Array.from({length: n}, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = Math.floor(uniform() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    };
    return {normal, permutation};
  }

  // Second moments of vectors of p numbers, as p rows.
  function moments(vectors, p) {
    const rows = Array.from({length: p}, () => new Float64Array(p));
    for (const vector of vectors) {
      for (let i = 0; i < p; i++) for (let j = 0, a = vector[i], row = rows[i]; j <= i; j++) row[j] += a * vector[j];
    }
    for (let i = 0; i < p; i++) for (let j = 0; j <= i; j++) rows[i][j] = rows[j][i] = rows[i][j] / vectors.length;
    return rows;
  }

  // Reflections Q (Householder) that leave of a symmetric matrix M, which is spent, its diagonal and the one beside it:
  // M = Q T Q'. `carried` are vectors u that become Q' u.
  function tridiagonal(rows, carried) {
    const n = rows.length, off = new Float64Array(Math.max(n - 1, 0));
    for (let k = 0; k < n - 1; k++) {
      const v = new Float64Array(n);
      for (let i = k + 1; i < n; i++) v[i] = rows[i][k];
      const length = Math.sqrt(dot(v, v));
      off[k] = v[k + 1] > 0 ? -length : length;
      v[k + 1] -= off[k];
      const norm = Math.sqrt(dot(v, v));
      if (!(norm > 0)) continue;
      for (let i = k + 1; i < n; i++) v[i] /= norm;
      const w = new Float64Array(n);
      for (let i = k + 1; i < n; i++) w[i] = dot(rows[i], v);
      const half = dot(v, w);
      for (let i = k + 1; i < n; i++) w[i] = 2 * (w[i] - half * v[i]);
      for (let i = k + 1; i < n; i++) {
        const row = rows[i], a = v[i], b = w[i];
        for (let j = k + 1; j < n; j++) row[j] -= a * w[j] + b * v[j];
      }
      for (const u of carried) {
        const along = 2 * dot(u, v);
        for (let i = k + 1; i < n; i++) u[i] -= along * v[i];
      }
    }
    return {diagonal: Float64Array.from({length: n}, (_, i) => rows[i][i]), off};
  }

  // Eigenvalues of a tridiagonal matrix, the largest first: by halving, from how many lie below a number (Sturm).
  function eigenvalues({diagonal, off}) {
    const n = diagonal.length;
    const radius = i => Math.abs(i ? off[i - 1] : 0) + Math.abs(i < n - 1 ? off[i] : 0);
    let least = Infinity, most = -Infinity;
    for (let i = 0; i < n; i++) {
      least = Math.min(least, diagonal[i] - radius(i));
      most = Math.max(most, diagonal[i] + radius(i));
    }
    const below = at => {
      let count = 0, pivot = 1;
      for (let i = 0; i < n; i++) {
        pivot = diagonal[i] - at - (i ? (off[i - 1] * off[i - 1]) / pivot : 0);
        if (pivot === 0) pivot = 1e-300;
        if (pivot < 0) count++;
      }
      return count;
    };
    return Array.from({length: n}, (_, i) => {
      let low = least, high = most;
      for (let round = 0; round < 60; round++) {
        const middle = (low + high) / 2;
        if (below(middle) >= n - i) high = middle; else low = middle;
      }
      return (low + high) / 2;
    });
  }

  // How many directions hold a share of the sum of squares.
  function rank(values, share) {
    const enough = share * values.reduce((a, b) => a + b, 0);
    let held = 0, count = 0;
    while (count < values.length && held < enough) held += values[count++];
    return count;
  }

  // T = L L' with entries on the diagonal of L and below it; a direction without energy gets none.
  function rootOf({diagonal, off}) {
    const n = diagonal.length, own = new Float64Array(n), beside = new Float64Array(n), least = 1e-14 * diagonal.reduce((a, b) => Math.max(a, b), 0);
    for (let i = 0; i < n; i++) {
      const pivot = diagonal[i] - (i ? beside[i - 1] ** 2 : 0);
      if (pivot <= least) continue;
      own[i] = Math.sqrt(pivot);
      if (i < n - 1) beside[i] = off[i] / own[i];
    }
    return {own, beside};
  }

  // Draws of noise with the second moments of mean-free filters, matched with unit vectors: the share explained, pooled by
  // energy. The filters drawn are w Q' with normal w of second moments T, so their energy is that of w, and their
  // projection on u that of w on Q' u: no filter is made.
  function noise(band, lines, count, draws, {normal}) {
    const {own, beside} = rootOf(band), n = own.length, w = new Float64Array(n);
    return Array.from({length: draws}, () => {
      let explained = 0, total = 0;
      for (let c = 0; c < count; c++) {
        for (let i = 0, before = 0; i < n; i++) {
          const z = normal();
          w[i] = z * own[i] + before;
          before = z * beside[i];
        }
        const energy = dot(w, w);
        let most = 0;
        for (const line of lines) most = Math.max(most, dot(w, line) ** 2);
        explained += Math.min(most, energy);
        total += energy;
      }
      return explained / total;
    });
  }

  const api = {eigenvalues, generator, moments, noise, rank, tridiagonal};
  if (inNode) module.exports = api;
  else root.KeyFilters.nulls = api;
})(typeof globalThis !== "undefined" ? globalThis : this);
