// What `keyfilters inspect FILE` reports, for the page and for node: the key that explains each filter best, up to gain
// and offset (keyfilters.networks.surgery.matching), its scales fitted to each filter (scales.js), what knows nothing of
// the keys (nulls.js), and where the filters lie, their rank and the sentences on top (keyfilters.networks.inspection).
(function (root) {
  "use strict";

  const inNode = typeof module !== "undefined" && module.exports;
  const maths = inNode ? require("./maths.js") : root.KeyFilters.maths;
  const {centred} = inNode ? require("./fit.js") : root.KeyFilters.fit;
  const {fitScales} = inNode ? require("./scales.js") : root.KeyFilters.scales;
  const nulls = inNode ? require("./nulls.js") : root.KeyFilters.nulls;
  const {dot, idealFilter, impulse, spread} = maths;

  const METHOD = "B", DEAD = 1e-4, DRAWS = 20, SAMPLES = 8, ENERGY = 0.99;
  // Those of one draw say nothing of chance.
  const VARYING = ["random", "permuted", "gaussian"];
  // Those that leave the filters as they are: what each filter has of them is known.
  const OVER_FILTERS = ["impulse", "random", "permuted"];

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

  // Centre (x, y) of the absolute values; a filter of one row or column is one within a square of zeros.
  function centreOf(values, rows, columns) {
    const side = Math.max(rows, columns), square = new Float64Array(side * side), up = (side - rows) / 2, left = (side - columns) / 2;
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) square[(up + i) * side + left + j] = values[i * columns + j];
    const found = spread(square);
    return found ? found.mean : [NaN, NaN];
  }

  // The shift (x, y) with which each output of a layer would stand in the middle of its pixels.
  function gridShift({rows, columns, stride, padding, dilation}) {
    if (stride.length !== 2 || dilation.length !== 2 || !padding.length) return [NaN, NaN];
    const along = (axis, taps) => (stride[axis] - 1) / 2 + padding[axis] - (dilation[axis] * (taps - 1)) / 2;
    return [along(1, columns), 0 - along(0, rows)];
  }

  const finite = values => values.filter(value => !Number.isNaN(value));

  // Quantile of a few numbers, between its neighbours.
  function quantile(values, share) {
    const sorted = [...values].sort((a, b) => a - b), at = share * (sorted.length - 1), below = Math.floor(at);
    return sorted[below] + (at - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
  }

  // A layer matched with the keys; the filters that count are in `live`.
  function matchLayer(layer, data, place) {
    const {channels, rows, columns, values, note} = layer, taps = rows * columns;
    const {name, stride, padding, dilation} = layer, [gridX, gridY] = gridShift(layer);
    const found = {
      name, channels, rows, columns, stride: stride.join("x"), padding: padding.join("x"), dilation: dilation.join("x"), gridX, gridY,
      note, live: [], dead: 0, energy: 0,
    };
    if (note) return found;
    const bank = keysAt(data, rows, columns), lines = units(bank), norms = bank.map(filter => {
      const {rest} = centred(filter);
      return Math.sqrt(dot(rest, rest));
    });
    const whole = Array.from({length: channels}, (_, c) => values.subarray(c * taps, (c + 1) * taps));
    const parts = whole.map(centred), vectors = parts.map(part => part.rest), means = bank.map(filter => centred(filter).mean);
    const centres = bank.map(filter => centreOf(filter, rows, columns)), presets = data.presets.crop[METHOD];
    const energies = vectors.map(vector => dot(vector, vector));
    const level = DEAD * median(energies.filter(e => e > 0).map(Math.sqrt));
    vectors.forEach((vector, channel) => {
      const energy = energies[channel];
      if (!(Math.sqrt(energy) > level)) return;
      const {which, projection, square} = best(vector, energy, lines);
      const gain = norms[which] > 0 ? projection / norms[which] : 0;
      const [meanX, meanY] = centreOf(whole[channel].map(value => value - parts[channel].mean + gain * means[which]), rows, columns);
      const own = fitScales(data.keys[which], vector, rows, columns, presets[which]);
      found.live.push({
        channel, key: which + 1, gain, energy, explained: square / energy, sigmaX: own.sigmaX, sigmaY: own.sigmaY, fitted: own.explained,
        meanX, meanY, shiftX: meanX - centres[which][0], shiftY: meanY - centres[which][1],
      });
    });
    found.dead = channels - found.live.length;
    found.energy = total(found.live.map(f => f.energy));
    found.counts = data.keys.map((_, k) => found.live.filter(f => f.key === k + 1).length);
    Object.assign(found, pooled([found]));
    const live = found.live.map(f => vectors[f.channel]);
    found.sigmaX = median(finite(found.live.map(f => f.sigmaX)));
    found.sigmaY = median(finite(found.live.map(f => f.sigmaY)));
    Object.assign(found, offsets(found.live));
    const under = lines => Float32Array.from(found.live, (f, i) => best(live[i], f.energy, lines).square / f.energy);
    const byEnergy = shares => found.live.reduce((sum, f, i) => sum + shares[i] * f.energy, 0) / found.energy;
    // As many filters as there are keys at this size.
    const random = nulls.generator(place + 1), present = lines.filter(line => line.some(value => value !== 0));
    const drawn = make => Array.from({length: DRAWS}, () => under(make()));
    // For each draw the share of each filter.
    found.shares = {
      impulse: [under(units([Float64Array.from(rows === columns ? impulse(rows) : strip(impulse(taps), taps, 1))]))],
      random: drawn(() => units(present.map(() => Float64Array.from({length: taps}, random.normal)))),
      permuted: drawn(() => {
        const order = random.permutation(taps);
        return present.map(line => line.map((_, i) => line[order[i]]));
      }),
    };
    const carried = present.map(line => line.slice()), band = nulls.tridiagonal(nulls.moments(live, taps), carried);
    found.rank = live.length ? nulls.rank(nulls.eigenvalues(band), ENERGY) : 0;
    found.draws = {gaussian: nulls.noise(band, carried, live.length, DRAWS, random)};
    for (const kind of OVER_FILTERS) found.draws[kind] = found.shares[kind].map(byEnergy);
    for (const kind of Object.keys(found.draws)) found[kind] = mean(found.draws[kind]);
    found.samples = data.keys.flatMap((_, k) => foremost(found.live.filter(f => f.key === k + 1))
      .map(f => ({...f, layer: name, rows, columns, filter: values.slice(f.channel * taps, (f.channel + 1) * taps)})));
    return found;
  }

  // Those explained best; where equal, as in the file.
  const foremost = filters => [...filters].sort((a, b) => b.explained - a.explained).slice(0, SAMPLES);

  // Explained variance over the filters of layers: by energy, also with fitted scales, and as mean and median over filters.
  function pooled(layers) {
    const live = layers.flatMap(layer => layer.live), explained = live.map(f => f.explained), largest = live.reduce((top, f) => Math.max(top, f.energy), 0);
    const weights = live.map(f => f.energy / largest);
    return {
      explained: average(explained, weights), fitted: average(live.map(f => f.fitted), weights), mean: mean(explained), median: median(explained),
    };
  }

  // Means over filters of where they lie, and of how far that is from their key.
  const offsets = live => Object.fromEntries(["meanX", "meanY", "shiftX", "shiftY"].map(name => [name, mean(finite(live.map(f => f[name])))]));

  // The same by kernel size, stride and padding, in their order.
  function byPlace(layers) {
    const groups = new Map();
    for (const layer of layers) {
      const name = [layer.rows, layer.columns, layer.stride, layer.padding, layer.dilation].join();
      groups.set(name, [...(groups.get(name) || []), layer]);
    }
    const before = (a, b) => (a < b ? -1 : a > b ? 1 : 0), numbers = text => text.split("x").map(Number);
    const steps = (a, b) => numbers(a).map((n, i) => n - numbers(b)[i]).find(Boolean) || 0;
    return [...groups.values()].sort(([a], [b]) => a.rows - b.rows || a.columns - b.columns || steps(a.stride, b.stride) ||
      before(a.padding, b.padding) || steps(a.dilation, b.dilation)).map(members => {
      const [{rows, columns, stride, padding, dilation, gridX, gridY}] = members, live = members.flatMap(layer => layer.live);
      return {size: `${rows}x${columns}`, stride, padding, dilation, gridX, gridY, layers: members.length, channels: live.length, ...offsets(live)};
    });
  }

  // The nulls that the keys do not exceed by more than chance does in one draw of twenty.
  function reached(live, explained, energies) {
    return VARYING.filter(kind => {
      const draws = Array.from({length: DRAWS}, (_, i) => average(live.map(layer => layer.draws[kind][i]), energies));
      return explained <= quantile(draws, 0.95);
    });
  }

  // The numbers of several lists in one.
  function joined(lists) {
    const all = new Float32Array(total(lists.map(list => list.length)));
    lists.reduce((at, list) => { all.set(list, at); return at + list.length; }, 0);
    return all;
  }

  // A null over layers of one size: pooled by energy its mean and what one draw of twenty exceeds; its mean and its median over filters.
  function pooledNull(kind, live, energies) {
    const draws = live.length ? live[0].draws[kind].map((_, i) => average(live.map(layer => layer.draws[kind][i]), energies)) : [];
    const own = OVER_FILTERS.includes(kind) ? draws.map((_, i) => joined(live.map(layer => layer.shares[kind][i]))) : [];
    return {kind, pooled: mean(draws), tail: draws.length > 1 ? quantile(draws, 0.95) : NaN, mean: mean(own.map(mean)), median: mean(own.map(median))};
  }

  function bySize(layers) {
    const groups = new Map();
    for (const layer of layers) {
      const size = `${layer.rows}x${layer.columns}`;
      groups.set(size, [...(groups.get(size) || []), layer]);
    }
    return [...groups].sort(([, [a]], [, [b]]) => a.rows - b.rows || a.columns - b.columns).map(([size, members]) => {
      const live = members.filter(layer => layer.live.length), energies = live.map(layer => layer.energy);
      const under = ["impulse", ...VARYING].map(kind => pooledNull(kind, live, energies));
      return {
        size, layers: members.length, channels: total(members.map(m => m.channels)), dead: total(members.map(m => m.dead)),
        ...pooled(members), nulls: under, ...Object.fromEntries(under.map(({kind, pooled: share}) => [kind, share])),
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
    const over = key => average(live.map(layer => layer[key]), energies), share = key => `${(100 * over(key)).toFixed(0)} %`;
    const chance = live.length ? reached(live, over("explained"), energies) : [];
    const size = matched.reduce((top, layer) => Math.max(top, layer.rows, layer.columns), 0) || 7;
    return {
      name, notes: stacks.notes || [], layers, matched, sizes: bySize(matched), places: byPlace(matched), size, bank: keysAt(data, size, size),
      counts: data.keys.map((_, k) => total(matched.map(layer => layer.counts[k]))), filters,
      answer: live.length
        ? `The ${data.keys.length} keys explain ${share("explained")} of the ${filters} filters in ${live.length} layers of ${name}.`
        : `${name}: no filter can be matched with the keys.`,
      beside: live.length
        ? `As many random filters explain ${share("random")}, the keys on noise of the same covariance ${share("gaussian")}, the unit impulse alone ${share("impulse")}.`
        : "",
      warning: chance.length
        ? `Warning: that is no more than the nulls reach by chance (${chance.join(", ")}): these filters are no evidence of the keys.`
        : "",
      samples: data.keys.flatMap((_, k) => foremost(matched.flatMap(layer => layer.samples.filter(f => f.key === k + 1)))),
    };
  }

  const api = {DRAWS, METHOD, keysAt, report};
  if (inNode) module.exports = api;
  else root.KeyFilters.inspect = api;
})(typeof globalThis !== "undefined" ? globalThis : this);
