// What `keyfilters inspect FILE` reports, for the page and for node: the key that explains each filter best, up to gain
// and offset (keyfilters.networks.surgery.matching), the unit impulse and random filters in the place of the keys
// (keyfilters.networks.surgery.nulls), and the sentence on top (keyfilters.networks.inspection).
(function (root) {
  "use strict";

  const inNode = typeof module !== "undefined" && module.exports;
  const maths = inNode ? require("./maths.js") : root.KeyFilters.maths;
  const {centred} = inNode ? require("./fit.js") : root.KeyFilters.fit;
  const {dot, idealFilter, impulse} = maths;

  const METHOD = "B", DEAD = 1e-4, DRAWS = 20, SAMPLES = 8;

  function median(values) {
    if (!values.length) return NaN;
    const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }

  const total = values => values.reduce((a, b) => a + b, 0);
  const mean = values => (values.length ? total(values) / values.length : NaN);
  const average = (values, weights) => total(values.map((value, i) => value * weights[i])) / total(weights);

  // The middle row or column, for filters of one row or one column.
  function strip(filter, size, rows) {
    const middle = (size - 1) / 2;
    return Float64Array.from({length: size}, (_, i) => (rows === 1 ? filter[middle * size + i] : filter[i * size + middle]));
  }

  // The eight keys at the size of a layer. For strips without smoothing across (key 7 with the scale along); a key that is
  // a difference across is left out as zeros.
  function keysAt({keys, presets}, rows, columns) {
    const size = Math.max(rows, columns);
    return keys.map((row, i) => {
      const [x, y, gamma] = presets.crop[METHOD][i], ideal = (x, y) => idealFilter(row, x, y, gamma, "crop", size);
      if (rows === columns) return Float64Array.from(ideal(x, y));
      if (row.kind === "derivative" && row[rows === 1 ? "y" : "x"] !== "identity") return new Float64Array(size);
      const along = rows === 1 ? x : y, across = row.kind === "sharpening" ? along : 0;
      return strip(rows === 1 ? ideal(along, across) : ideal(across, along), size, rows);
    });
  }

  function unit(vector) {
    const norm = Math.sqrt(dot(vector, vector));
    return norm > 0 ? vector.map(value => value / norm) : vector;
  }

  const units = bank => bank.map(filter => unit(centred(filter).rest));

  // Best of the unit vectors for a mean-free filter: its number and the square that it explains, at most `energy`.
  function best(vector, energy, lines) {
    let most = -1, which = 0, projection = 0;
    for (let k = 0; k < lines.length; k++) {
      const along = dot(vector, lines[k]);
      if (along * along > most) { most = along * along; which = k; projection = along; }
    }
    return {which, projection, square: Math.min(most, energy)};
  }

  // Normal numbers (Box and Muller) from a small generator, the same on each machine.
  function normals(seed) {
    let state = seed;
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
    };
    return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  }

  // A layer matched with the keys; the filters that count are in `live`.
  function matchLayer(layer, data, place) {
    const {channels, rows, columns, values, note} = layer, taps = rows * columns;
    const {name, stride, padding} = layer;
    const found = {name, channels, rows, columns, stride: stride.join("x"), padding: padding.join("x"), note, live: [], dead: 0, energy: 0};
    if (note) return found;
    const bank = keysAt(data, rows, columns), lines = units(bank), norms = bank.map(filter => {
      const {rest} = centred(filter);
      return Math.sqrt(dot(rest, rest));
    });
    const vectors = Array.from({length: channels}, (_, c) => centred(values.subarray(c * taps, (c + 1) * taps)).rest);
    const energies = vectors.map(vector => dot(vector, vector));
    const level = DEAD * median(energies.filter(e => e > 0).map(Math.sqrt));
    vectors.forEach((vector, channel) => {
      const energy = energies[channel];
      if (!(Math.sqrt(energy) > level)) return;
      const {which, projection, square} = best(vector, energy, lines);
      const gain = norms[which] > 0 ? projection / norms[which] : 0;
      found.live.push({channel, key: which + 1, gain, energy, explained: square / energy});
    });
    found.dead = channels - found.live.length;
    found.energy = total(found.live.map(f => f.energy));
    found.counts = data.keys.map((_, k) => found.live.filter(f => f.key === k + 1).length);
    Object.assign(found, pooled([found]));
    const under = lines => total(found.live.map(f => best(vectors[f.channel], f.energy, lines).square)) / found.energy;
    found.impulse = under(units([Float64Array.from(rows === columns ? impulse(rows) : strip(impulse(taps), taps, 1))]));
    // As many random filters as there are keys at this size.
    const normal = normals(place + 1), count = lines.filter(line => line.some(value => value !== 0)).length;
    found.draws = Array.from({length: DRAWS}, () => under(units(Array.from({length: count}, () => Float64Array.from({length: taps}, normal)))));
    found.random = mean(found.draws);
    found.samples = data.keys.flatMap((_, k) => foremost(found.live.filter(f => f.key === k + 1))
      .map(f => ({...f, layer: name, rows, columns, filter: values.slice(f.channel * taps, (f.channel + 1) * taps)})));
    return found;
  }

  // Those explained best; where equal, as in the file.
  const foremost = filters => [...filters].sort((a, b) => b.explained - a.explained).slice(0, SAMPLES);

  // Explained variance over the filters of layers: by energy, and as mean and median over filters.
  function pooled(layers) {
    const live = layers.flatMap(layer => layer.live), explained = live.map(f => f.explained), largest = live.reduce((top, f) => Math.max(top, f.energy), 0);
    return {explained: average(explained, live.map(f => f.energy / largest)), mean: mean(explained), median: median(explained)};
  }

  function bySize(layers) {
    const groups = new Map();
    for (const layer of layers) {
      const size = `${layer.rows}x${layer.columns}`;
      groups.set(size, [...(groups.get(size) || []), layer]);
    }
    return [...groups].sort(([, [a]], [, [b]]) => a.rows - b.rows || a.columns - b.columns).map(([size, members]) => {
      const live = members.filter(layer => layer.live.length), energies = live.map(layer => layer.energy);
      const over = name => average(live.map(layer => layer[name]), energies);
      return {
        size, layers: members.length, channels: total(members.map(m => m.channels)), dead: total(members.map(m => m.dead)),
        ...pooled(members), impulse: over("impulse"), random: over("random"),
      };
    });
  }

  // The report of a file's layers. `pause` is awaited between layers, so that a page stays alive.
  async function report(name, stacks, data, pause = () => {}) {
    const layers = [];
    for (const layer of stacks) {
      layers.push(matchLayer(layer, data, layers.length));
      await pause(layers.length, stacks.length);
    }
    const matched = layers.filter(layer => !layer.note), live = matched.filter(layer => layer.live.length);
    const filters = total(live.map(layer => layer.live.length)), energies = live.map(layer => layer.energy);
    const share = key => `${(100 * average(live.map(layer => layer[key]), energies)).toFixed(0)} %`;
    const size = matched.reduce((top, layer) => Math.max(top, layer.rows, layer.columns), 0) || 7;
    return {
      name, layers, matched, sizes: bySize(matched), size, bank: keysAt(data, size, size),
      counts: data.keys.map((_, k) => total(matched.map(layer => layer.counts[k]))), filters,
      answer: live.length
        ? `The ${data.keys.length} keys explain ${share("explained")} of the ${filters} filters in ${live.length} layers of ${name}.`
        : `${name}: no filter can be matched with the keys.`,
      beside: live.length ? `As many random filters explain ${share("random")}, the unit impulse alone ${share("impulse")}.` : "",
      samples: data.keys.flatMap((_, k) => foremost(matched.flatMap(layer => layer.samples.filter(f => f.key === k + 1)))),
    };
  }

  const api = {DRAWS, METHOD, keysAt, report};
  if (inNode) module.exports = api;
  else root.KeyFilters.inspect = api;
})(typeof globalThis !== "undefined" ? globalThis : this);
