// First panel: a key, its scales, what comes of them, and the address that holds the setting.
(function (root) {
  "use strict";

  const {data, maths, paint, photograph, stage, state} = root.KeyFilters;
  const {element, number, say} = paint;
  const byId = id => document.getElementById(id);
  const METHODS = Object.keys(data.presets.crop);
  const FIRST = {key: 5, border: "crop", method: "D1"};
  const START = {key: FIRST.key, border: FIRST.border, kernel: state.KERNELS[0], image: state.IMAGES[0]};
  const FREQUENCIES = 33, MAGNIFIED = 4;
  const now = {...START, sx: 0, sy: 0, gamma: 0};
  const row = () => data.keys[now.key - 1];
  const sharpens = () => row().kind === "sharpening";
  let views, image, announce, written, shown;

  // There is no sampled Gaussian at scale 0: the least that is shown is a tenth.
  const LEAST = 0.1;
  const model = (key = row(), sx = now.sx, sy = now.sy, gamma = now.gamma) => {
    const sampled = now.kernel === "sampled", scale = sigma => (sampled ? Math.max(sigma, LEAST) : sigma);
    return maths.idealFilter(key, scale(sx), scale(sy), key.kind === "sharpening" ? gamma : null, now.border, paint.SIZE, sampled);
  };

  const preset = (method, key = now.key, border = now.border) => data.presets[border][method][key - 1];

  function takePreset(method) {
    const [sx, sy, gamma] = preset(method);
    Object.assign(now, {sx, sy, gamma: gamma === null ? now.gamma : gamma});
  }

  function later(milliseconds, action) {
    let timer;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(action, milliseconds);
    };
  }

  function build() {
    const keys = byId("kx-keys");
    for (const key of data.keys) {
      const input = element("input", {type: "radio", name: "kx-key", value: String(key.number), id: `kx-key-${key.number}`});
      const label = element("label", {htmlFor: input.id, title: key.name}, paint.thumbnail(data.normalized[key.number - 1]));
      label.append(String(key.number), element("span", {className: "kx-hidden"}, `: ${key.name}`));
      keys.append(element("div", {className: "kx-choice"}, input, label));
      input.addEventListener("change", () => { now.key = key.number; takePreset(FIRST.method); changed(); });
    }
    for (const method of METHODS) {
      const canvas = element("canvas", {width: paint.SIZE, height: paint.SIZE, "aria-hidden": "true"});
      const button = element("button", {type: "button", value: method}, canvas, method.replace("-", " "));
      button.addEventListener("click", () => { byId("kx-same").checked = false; takePreset(method); changed(); });
      byId("kx-presets").append(button);
    }
    for (const name of ["sx", "sy", "gamma"]) {
      const slider = byId(`kx-${name}`), field = byId(`kx-${name}-number`);
      slider.addEventListener("input", () => set(name, Number(slider.value)));
      field.addEventListener("input", () => {
        const value = state.readNumber(field.value), [low, high] = state.LIMITS[name === "gamma" ? "gamma" : "sigma"];
        if (value !== null && value >= low && value <= high) set(name, value, field);
        else message(`“${field.value.slice(0, 12)}” is not taken: expected a number from ${low} to ${high}`);
      });
      field.addEventListener("change", () => { message(""); render(); });
    }
    byId("kx-same").addEventListener("change", event => { if (event.target.checked) set("sy", now.sx); });
    for (const border of state.BORDERS) {
      byId(`kx-border-${border}`).addEventListener("change", () => { now.border = border; changed(); });
    }
    for (const kernel of state.KERNELS) {
      byId(`kx-kernel-${kernel}`).addEventListener("change", () => { now.kernel = kernel; changed(); });
    }
    byId("kx-picture").addEventListener("change", event => { now.image = event.target.value; changed(); });
    stage.build({now, render, changed, message, written, filters: () => [data.normalized[now.key - 1], model()], says: () => announce});
    views = {
      model: paint.heatMap(byId("kx-model"), "Idealised filter"),
      learned: paint.heatMap(byId("kx-learned"), "Normalised learned filter"),
      rest: paint.heatMap(byId("kx-rest"), "Idealised − learned"),
    };
    for (const button of document.querySelectorAll("[data-setting]")) {
      button.addEventListener("click", () => {
        history.pushState(null, "", `#${button.dataset.setting}`);
        readAddress();
        byId(`kx-key-${now.key}`).focus();
      });
    }
  }

  function takeImage() {
    image = now.image === "own" ? stage.own() : photograph.builtIn(now.image);
    if (image === shown) return;
    shown = image;
    paint.answer(byId("kx-image"), image.values, image.side, "picture", 1);
  }

  function set(name, value, typing = null) {
    now[name] = value;
    if (byId("kx-same").checked && name !== "gamma") now.sx = now.sy = value;
    changed(typing);
  }

  const message = text => say(byId("kx-message"), text);

  // After every change by the reader: draw, and keep the address for the next.
  function changed(typing = null) {
    stage.stop();
    message("");
    render(typing);
    written();
  }

  // One step back undoes one change: what follows within a moment, as while a slider is dragged, is the same change.
  function writeAddress() {
    const hash = state.writeHash({...now, sharpens: sharpens(), ...root.KeyFilters.workbench.settings()});
    if (hash !== location.hash) history.pushState(null, "", hash);
  }

  function readAddress() {
    const {settings, problems} = state.readHash(location.hash);
    // The address of a heading is no setting; none at all is the first one.
    if (!Object.keys(settings).length && !problems.length && location.hash) return false;
    Object.assign(now, {...START, image: now.image === "own" ? "own" : START.image});
    if (settings.key) now.key = settings.key;
    if (settings.border) now.border = settings.border;
    takePreset(FIRST.method);
    root.KeyFilters.workbench.restore(settings);
    for (const name of ["filter", "gains", "fit"]) delete settings[name];
    if ("gamma" in settings && !sharpens()) {
      problems.push(`“gamma=${settings.gamma}” in the address is ignored: only key 7 takes it`);
      delete settings.gamma;
    }
    Object.assign(now, settings);
    if (now.sx !== now.sy) byId("kx-same").checked = false;
    render();
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    message(problems.length ? problems[0] + more : "");
    return Boolean(location.hash);
  }

  function render(typing = null) {
    const learned = data.normalized[now.key - 1], template = data.templates[now.key - 1];
    const ideal = model(), rest = ideal.map((value, i) => value - learned[i]), limit = paint.largest(ideal, learned);
    takeImage();
    renderControls(typing);
    renderSmall(ideal, learned, rest, limit);
    const share = renderImages(ideal, learned);
    views.model(ideal, limit);
    views.learned(learned, limit);
    views.rest(rest, limit);
    say(byId("kx-limit"), paint.scaleNote(limit));
    renderFactors();
    renderKernel();
    const distance = maths.distances(ideal, learned);
    renderMeasures(ideal, learned, template, distance);
    const scales = `σx ${number(now.sx, 3)}, σy ${number(now.sy, 3)}${sharpens() ? `, γ ${number(now.gamma, 3)}` : ""}`;
    announce = `Key ${now.key}, ${scales}: cosine ${number(distance.cosine, 4)}, relative l2 distance ` +
      `${number(distance.relativeL2, 4)}; on the picture the responses differ by ${number(100 * share, 1)} %.`;
    speak();
  }

  // Read aloud when the slider has come to rest, not at each of its steps.
  const speak = later(300, () => say(byId("kx-result"), announce));

  function renderControls(typing) {
    byId(`kx-key-${now.key}`).checked = true;
    byId(`kx-border-${now.border}`).checked = true;
    byId(`kx-kernel-${now.kernel}`).checked = true;
    byId("kx-picture").value = now.image;
    say(byId("kx-key-name"), `Key ${now.key}: ${row().symbol}, ${row().name}`);
    for (const name of ["sx", "sy", "gamma"]) {
      const slider = byId(`kx-${name}`), field = byId(`kx-${name}-number`);
      slider.value = String(now[name]);
      slider.setAttribute("aria-valuetext", number(now[name], 3));
      if (field !== typing) field.value = String(Number(now[name].toFixed(4)));
      slider.disabled = field.disabled = name === "gamma" && !sharpens();
    }
    for (const button of byId("kx-presets").querySelectorAll("button")) {
      const [sx, sy, gamma] = preset(button.value), near = (a, b) => Math.abs(a - b) < 1e-6;
      const on = near(sx, now.sx) && near(sy, now.sy) && (gamma === null || near(gamma, now.gamma));
      button.setAttribute("aria-pressed", String(on));
      const own = model(row(), sx, sy, gamma), limit = paint.largest(own);
      paint.picture(button.firstChild, own, value => paint.colour(value / limit));
    }
  }

  function renderSmall(ideal, learned, rest, limit) {
    for (const [name, filter] of Object.entries({learned, model: ideal, rest})) {
      paint.picture(byId(`kx-small-${name}`), filter, value => paint.colour(value / limit));
    }
    const spectra = {learned: maths.spectrum(learned, FREQUENCIES), model: maths.spectrum(ideal, FREQUENCIES)};
    const top = Math.max(...spectra.learned, ...spectra.model);
    for (const [name, values] of Object.entries(spectra)) {
      paint.picture(byId(`kx-spectrum-${name}`), values, value => paint.grey(value / top));
    }
  }

  // Sum and variance of the smoothing kernel along x, on a lattice that is wide enough for all of it.
  function renderKernel() {
    const radius = 32, sigma = Math.max(now.sx, LEAST), n = Array.from({length: 2 * radius + 1}, (_, i) => i - radius);
    const told = [maths.discreteGaussian(sigma ** 2, radius), maths.sampledGaussian(sigma ** 2, radius)].map(taps => {
      const total = maths.sum(taps);
      return `sum ${number(total, 3)}, variance ${number(maths.dot(taps, n.map(i => i * i)) / total, 3)}`;
    });
    say(byId("kx-kernel-note"), `Along x at σ ${number(sigma, 3)}: discrete ${told[0]}; sampled ${told[1]}.` +
      (now.kernel === "sampled" && Math.min(now.sx, now.sy) < LEAST ? ` Scales below ${LEAST} are shown as ${LEAST}.` : ""));
  }

  function renderFactors() {
    const own = sharpens() ? "plain" : "own", sampled = now.kernel === "sampled";
    const along = (operator, sigma) => maths.axis(operator, Math.max(sigma, sampled ? LEAST : 0) ** 2, now.border, paint.SIZE, 0, sampled)[own];
    const parts = {x: along(row().x, now.sx), y: along(row().y, now.sy)};
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
    say(byId("kx-factor-note"), sharpens()
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

  function renderImages(ideal, learned) {
    const {values, side} = image, kind = row().kind;
    const answers = [ideal, learned].map(filter => maths.convolve(values, side, side, filter));
    const top = list => list.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const limit = kind === "derivative" ? Math.max(...answers.map(top)) || 1 : 1;
    const rest = answers[0].map((value, i) => value - answers[1][i]);
    ["kx-answer-model", "kx-answer-learned"].forEach((id, i) => paint.answer(byId(id), answers[i], side, kind, limit));
    paint.answer(byId("kx-answer-rest"), rest, side, "derivative", limit / MAGNIFIED);
    say(byId("kx-image-note"), (kind === "derivative"
      ? `Answers on one scale of colours: blue ${number(-limit, 3)}, white 0, red ${number(limit, 3)}; `
      : "Answers in grey, black 0 and white 1 as in the picture, what lies beyond is cut; ") +
      `their difference ${MAGNIFIED} times magnified: blue ${number(-limit / MAGNIFIED, 3)}, red ${number(limit / MAGNIFIED, 3)}.`);
    return Math.sqrt(maths.dot(rest, rest) / maths.dot(answers[1], answers[1]));
  }

  // For the other panels: the kernel and the picture shown, a setting to show, and the address to write.
  root.KeyFilters.explorer = {
    kernel: () => model(),
    image: () => image,
    written: () => written(),
    show(key, sx, sy, gamma, border) {
      byId("kx-same").checked = false;
      const [low, high] = state.LIMITS.gamma, taken = gamma === null ? now.gamma : Math.min(Math.max(gamma, low), high);
      Object.assign(now, {key, sx, sy, border, gamma: taken});
      changed();
      if (gamma !== null && gamma !== taken) message(`γ = ${number(gamma)} lies beyond what can be set and is cut to ${number(taken, 0)}`);
    },
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (!byId("kx-explorer")) return;
    written = later(200, writeAddress);
    build();
    takePreset(FIRST.method);
    // A link to a setting is a link to the sliders, with the pictures below them, not to the text above.
    if (readAddress()) byId("kx-stage").scrollIntoView();
    else render();
    root.addEventListener("hashchange", readAddress);
  });
})(globalThis);
