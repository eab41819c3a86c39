// What the first panel says of its setting in words and tables: intervals, the kernel, the factors, measures and distances.
(function (root) {
  "use strict";

  const {data, forms, maths, paint} = root.KeyFilters;
  const {LEAST} = forms;
  const {number, say} = paint;
  const byId = id => document.getElementById(id);
  let now;

  const row = () => data.keys[now.key - 1], form = () => forms.FORMS[now.model];
  const sharpens = () => row().kind === "sharpening", takesGamma = () => forms.takesGamma(now.model, row());

  function says(found, distance, share) {
    const [one, two] = form().turned ? "12" : "xy", percent = value => `${number(100 * value, 1)} %`;
    const scales = `σ${one} ${number(now.sx, 3)}, σ${two} ${number(now.sy, 3)}${takesGamma() ? `, γ ${number(now.gamma, 3)}` : ""}`;
    const close = `cosine ${number(distance.cosine, 4)}, relative l2 distance ${number(distance.relativeL2, 4)}`;
    if (form().own) return `Key ${now.key}, ${scales}: ${close}; on the picture the responses differ by ${percent(share)}.`;
    if (now.model !== "components") {
      return `${form().name.replace(/^./, letter => letter.toUpperCase())}${form().turned ? `, φ ${number(now.angle, 0)}°` : ""}, ${scales}, beside key ${now.key}: ${close}.`;
    }
    const signed = value => `${value < 0 ? "−" : "+"} ${number(Math.abs(value), 3)}`;
    const alone = maths.distances(forms.make("key", row(), now).filter, data.normalized[now.key - 1]).cosine;
    return `Key ${now.key}, ${scales}: ${number(found.a, 3)} f ${found.c === null ? "" : `${signed(found.c)} T `}${signed(found.b)} leaves ` +
      `${percent(distance.relativeL2 ** 2)} of the energy, a f alone ${percent(1 - alone ** 2)}.`;
  }

  // Of the method whose scales are set, or of the first one: a band below each slider, and the numbers.
  function renderIntervals(first) {
    const pressed = byId("kx-presets").querySelector("[aria-pressed=true]"), known = data.intervals[now.border];
    const method = pressed && pressed.value in known ? pressed.value : first, ends = form().own ? known[method][now.key - 1] : {};
    const one = ends.sx && ends.sx.every((end, i) => end === ends.sy[i]);
    const words = {sx: one ? "σ" : "σx", sy: one ? "" : "σy", gamma: "γ"}, told = [];
    for (const [name, word] of Object.entries(words)) {
      const slider = byId(`kx-${name}`), bar = byId(`kx-${name}-band`).firstChild, span = ends[name];
      bar.hidden = !span;
      if (!span) continue;
      const [low, high] = span.map(end => (Math.min(Math.max(end, slider.min), slider.max) - slider.min) / (slider.max - slider.min));
      Object.assign(bar.style, {left: `${100 * low}%`, width: `${100 * (high - low)}%`});
      if (word) told.push(`${word} ${number(span[0], 2)} to ${number(span[1], 2)}`);
    }
    say(byId("kx-interval"), told.length
      ? `${number(100 * data.level, 0)} % by ${method}: ${told.join(", ")}`
      : "Intervals belong to the key’s own model.");
  }

  // Sum and variance of the smoothing kernel along x, on a lattice that is wide enough for all of it.
  function renderKernel() {
    if (form().turned) {
      const [xx, xy, yy] = forms.covariance(now), most = Math.min(xx, yy);
      say(byId("kx-kernel-note"), `An affine Gaussian is discrete, and cut last, whatever is chosen here. Diagonal neighbours exchange Cq = |Cxy| = ${number(Math.abs(xy), 3)}; ` +
        `min(Cxx, Cyy) is ${number(most, 3)}, so ${Math.abs(xy) > most + 1e-12 ? "some taps of it are below 0" : "no tap of it is below 0"}.`);
      return;
    }
    const radius = 32, sigma = Math.max(now.sx, LEAST), n = Array.from({length: 2 * radius + 1}, (_, i) => i - radius);
    const told = [maths.discreteGaussian(sigma ** 2, radius), maths.sampledGaussian(sigma ** 2, radius)].map(taps => {
      const total = maths.sum(taps);
      return `sum ${number(total, 3)}, variance ${number(maths.dot(taps, n.map(i => i * i)) / total, 3)}`;
    });
    say(byId("kx-kernel-note"), `Along x at σ ${number(sigma, 3)}: discrete ${told[0]}; sampled ${told[1]}.` +
      (now.kernel === "sampled" && Math.min(now.sx, now.sy) < LEAST ? ` Scales below ${LEAST} are shown as ${LEAST}.` : ""));
  }

  function renderFactors() {
    const blank = new Array(paint.SIZE).fill(null);
    const own = sharpens() && now.model !== "mixed" ? "plain" : "own", sampled = now.kernel === "sampled";
    const along = (operator, sigma) => maths.axis(operator, Math.max(sigma, sampled ? LEAST : 0) ** 2, now.border, paint.SIZE, 0, sampled)[own];
    const [opX, opY] = now.model === "mixed" ? ["central", "central"] : [row().x, row().y];
    const parts = form().turned ? {x: blank, y: blank} : {x: along(opX, now.sx), y: along(opY, now.sy)};
    const top = paint.largest(parts.x, parts.y);
    for (const [name, values] of Object.entries(parts)) {
      const bars = byId(`kx-bars-${name}`).querySelectorAll("rect"), cells = byId(`kx-factor-${name}`).querySelectorAll("td");
      values.forEach((value, i) => {
        const height = (38 * Math.abs(value)) / top;
        bars[i].setAttribute("y", String(value < 0 ? 40 : 40 - height));
        bars[i].setAttribute("height", String(height));
        say(cells[i], number(value));
      });
    }
    say(byId("kx-factor-note"), form().turned
      ? "A filter along φ is in general no product of a factor along x and one along y."
      : now.model === "components" ? "These are the factors of f, or of T for key 7."
      : sharpens() && form().own
      ? "Key 7 is not a product: these are the factors of T, of which it takes the Laplacian."
      : "The filter is the product of the two: weight at (x, y) = factor of x times factor of y.");
  }

  function renderMeasures(model, learned, template, distance) {
    const columns = [maths.spread(model), maths.spread(learned), maths.spread(model, template), maths.spread(learned, template)];
    const rows = {
      l1: s => s.l1, mx: s => s.mean[0], my: s => s.mean[1],
      vx: s => s.covariance[0], vxy: s => s.covariance[1], vy: s => s.covariance[2],
    };
    for (const [name, read] of Object.entries(rows)) {
      const cells = byId(`kx-measure-${name}`).querySelectorAll("td");
      columns.forEach((column, i) => say(cells[i], column ? number(read(column), 3) : "–"));
    }
    for (const name of Object.keys(distance)) say(byId(`kx-distance-${name}`), number(distance[name], 4));
  }

  root.KeyFilters.readings = {
    build(setting) { now = setting; },
    factors: renderFactors, intervals: renderIntervals, kernel: renderKernel, measures: renderMeasures, says,
  };
})(globalThis);
