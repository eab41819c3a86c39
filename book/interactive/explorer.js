// First panel: a key, its scales, what comes of them, and the address that holds the setting.
(function (root) {
  "use strict";

  const {data, forms, maths, paint, photograph, readings, stage, state} = root.KeyFilters;
  const {element, number, say} = paint;
  const byId = id => document.getElementById(id);
  const METHODS = Object.keys(data.presets.crop);
  const FIRST = {key: 5, border: "crop", method: "D1"};
  const START = {key: FIRST.key, border: FIRST.border, kernel: state.KERNELS[0], image: state.IMAGES[0], model: state.MODELS[0], angle: 45};
  const FREQUENCIES = 33, MAGNIFIED = 4, PARAMETERS = ["sx", "sy", "gamma", "angle"];
  const now = {...START, sx: 0, sy: 0, gamma: 0};
  const row = () => data.keys[now.key - 1];
  const form = () => forms.FORMS[now.model], takesGamma = () => forms.takesGamma(now.model, row());
  let views, image, announce, written, shown;

  const made = () => forms.make(now.model, row(), now, data.normalized[now.key - 1]);
  const model = () => made().filter;

  const preset = (method, key = now.key, border = now.border) => data.presets[border][method][key - 1];

  function take([sx, sy, gamma]) {
    Object.assign(now, {sx, sy, gamma: gamma === null ? now.gamma : gamma});
  }

  // The scales that a key or a model is shown with first: the best ones, where the library has fitted it.
  const takeFirst = () => take(now.model === "components" ? data.components[now.border][now.key - 1] : preset(FIRST.method));

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
      input.addEventListener("change", () => { now.key = key.number; takeFirst(); changed(); });
    }
    for (const method of METHODS) {
      const canvas = element("canvas", {width: paint.SIZE, height: paint.SIZE, "aria-hidden": "true"});
      const button = element("button", {type: "button", value: method}, canvas, method.replace("-", " "));
      button.addEventListener("click", () => { byId("kx-same").checked = false; take(preset(method)); changed(); });
      byId("kx-presets").append(button);
    }
    byId("kx-form").addEventListener("change", event => {
      now.model = event.target.value;
      if (now.model === "components") {
        byId("kx-same").checked = false;
        takeFirst();
      }
      changed();
    });
    for (const name of PARAMETERS) {
      const slider = byId(`kx-${name}`), field = byId(`kx-${name}-number`);
      slider.addEventListener("input", () => set(name, Number(slider.value)));
      field.addEventListener("input", () => {
        const value = state.readNumber(field.value), [low, high] = state.LIMITS[name in state.LIMITS ? name : "sigma"];
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
    say(byId("kx-rest-name"), `difference ×${MAGNIFIED}`);
    readings.build(now);
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
        stage.ask(button);
        byId(`kx-key-${now.key}`).focus({preventScroll: true});
        stage.bring();
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
    if (byId("kx-same").checked && !(name in state.LIMITS)) now.sx = now.sy = value;
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
    const hash = state.writeHash({...now, sharpens: takesGamma(), angle: form().turned ? now.angle : null, ...root.KeyFilters.workbench.settings()});
    if (hash !== location.hash) history.pushState(null, "", hash);
  }

  function readAddress() {
    const {settings, problems} = state.readHash(location.hash);
    // The address of a heading is no setting; none at all is the first one.
    if (!Object.keys(settings).length && !problems.length && location.hash) return false;
    Object.assign(now, {...START, image: now.image === "own" ? "own" : START.image});
    if (settings.key) now.key = settings.key;
    for (const name of ["border", "model"]) if (settings[name]) now[name] = settings[name];
    takeFirst();
    root.KeyFilters.workbench.restore(settings);
    for (const name of ["filter", "gains", "fit"]) delete settings[name];
    for (const [name, taken, who] of [["gamma", takesGamma(), "key 7"], ["angle", form().turned, "a model along φ"]]) {
      if (!(name in settings) || taken) continue;
      problems.push(`“${name}=${settings[name]}” in the address is ignored: only ${who} takes it`);
      delete settings[name];
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
    const found = made(), ideal = found.filter, rest = ideal.map((value, i) => value - learned[i]), limit = paint.largest(ideal, learned);
    takeImage();
    renderControls(typing);
    renderSmall(ideal, learned, rest, limit);
    const share = renderImages(ideal, learned);
    views.model(ideal, limit);
    views.learned(learned, limit);
    views.rest(rest, limit);
    say(byId("kx-limit"), paint.scaleNote(limit));
    readings.factors();
    readings.kernel();
    const distance = maths.distances(ideal, learned);
    readings.measures(ideal, learned, template, distance);
    announce = readings.says(found, distance, share);
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
    byId("kx-form").value = now.model;
    say(byId("kx-answer-model").nextElementSibling, form().name);
    for (const [name, shown] of [["gamma", !form().turned], ["angle", form().turned]]) byId(`kx-${name}`).parentElement.hidden = !shown;
    for (const [name, i] of [["sx", 0], ["sy", 1]]) {
      const letter = (form().turned ? "12" : "xy")[i], along = form().turned ? ["along φ", "across φ"][i] : `along ${letter}`;
      say(byId(`kx-${name}`).parentElement.querySelector("sub"), letter);
      byId(`kx-${name}`).setAttribute("aria-label", `σ${letter}, scale ${along}`);
    }
    for (const name of [...state.BORDERS.map(border => `border-${border}`), ...state.KERNELS.map(kernel => `kernel-${kernel}`)]) {
      byId(`kx-${name}`).disabled = Boolean(form().turned);
    }
    for (const name of PARAMETERS) {
      const slider = byId(`kx-${name}`), field = byId(`kx-${name}-number`);
      slider.value = String(now[name]);
      slider.setAttribute("aria-valuetext", number(now[name], 3));
      if (field !== typing) field.value = String(Number(now[name].toFixed(4)));
      slider.disabled = field.disabled = name === "gamma" && !takesGamma();
    }
    for (const button of byId("kx-presets").querySelectorAll("button")) {
      const [sx, sy, gamma] = preset(button.value), near = (a, b) => Math.abs(a - b) < 1e-6;
      const on = near(sx, now.sx) && near(sy, now.sy) && (gamma === null || near(gamma, now.gamma));
      button.setAttribute("aria-pressed", String(on));
      const own = forms.make("key", row(), {...now, sx, sy, gamma}).filter, limit = paint.largest(own);
      paint.picture(button.firstChild, own, value => paint.colour(value / limit));
    }
    readings.intervals(FIRST.method);
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

  function renderImages(ideal, learned) {
    const {values, side} = image, kinds = [form().kind || row().kind, row().kind];
    const answers = [ideal, learned].map(filter => maths.convolve(values, side, side, filter)), derived = kinds.map(kind => kind === "derivative");
    const top = list => list.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const limit = Math.max(...answers.map((answer, i) => (derived[i] ? top(answer) : 0))) || 1;
    const rest = answers[0].map((value, i) => value - answers[1][i]);
    ["kx-answer-model", "kx-answer-learned"].forEach((id, i) => paint.answer(byId(id), answers[i], side, kinds[i], limit));
    paint.answer(byId("kx-answer-rest"), rest, side, "derivative", limit / MAGNIFIED);
    say(byId("kx-image-note"), (derived.includes(true)
      ? `Answers of derivatives on one scale of colours: blue ${number(-limit, 3)}, white 0, red ${number(limit, 3)}; `
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
      Object.assign(now, {key, sx, sy, border, gamma: taken, model: state.MODELS[0]});
      changed();
      if (gamma !== null && gamma !== taken) message(`γ = ${number(gamma)} lies beyond what can be set and is cut to ${number(taken, 0)}`);
    },
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (!byId("kx-explorer")) return;
    written = later(200, writeAddress);
    build();
    takeFirst();
    // A link to a setting is a link to the sliders, with the pictures below them, not to the text above.
    if (readAddress()) {
      byId("kx-stage").scrollIntoView();
      stage.bring();
    } else render();
    root.addEventListener("hashchange", readAddress);
  });
})(globalThis);
