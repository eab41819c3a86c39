// First panel: a key, its scales, what comes of them, and the address that holds the setting.
(function (root) {
  "use strict";

  const {data, maths, paint, state} = root.KeyFilters;
  const {element, number, say} = paint;
  const byId = id => document.getElementById(id);
  const METHODS = Object.keys(data.presets.crop);
  const FIRST = {key: 5, border: "crop", method: "D1"};
  const now = {key: FIRST.key, sx: 0, sy: 0, gamma: 0, border: FIRST.border};
  const row = () => data.keys[now.key - 1];
  const sharpens = () => row().kind === "sharpening";
  let views, image, announce, written;

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
      const button = element("button", {type: "button", value: method}, method.replace("-", " "));
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
    views = {
      model: paint.heatMap(byId("kx-model"), "Idealised filter"),
      learned: paint.heatMap(byId("kx-learned"), "Normalised learned filter"),
      rest: paint.heatMap(byId("kx-rest"), "Idealised − learned"),
    };
    for (const button of document.querySelectorAll("[data-setting]")) {
      button.addEventListener("click", () => {
        history.replaceState(null, "", `#${button.dataset.setting}`);
        readAddress();
        byId(`kx-key-${now.key}`).focus();
      });
    }
    image = paint.scene();
    paint.picture(byId("kx-image"), image, paint.grey);
  }

  function set(name, value, typing = null) {
    now[name] = value;
    if (byId("kx-same").checked && name !== "gamma") now.sx = now.sy = value;
    changed(typing);
  }

  const message = text => say(byId("kx-message"), text);

  // After every change by the reader: draw, and keep the address for the next.
  function changed(typing = null) {
    message("");
    render(typing);
    written();
  }

  function writeAddress() {
    const hash = state.writeHash({...now, sharpens: sharpens()});
    // Replaced, not pushed: the back button leaves the page instead of walking through every setting.
    if (hash !== location.hash) history.replaceState(null, "", hash);
  }

  function readAddress() {
    const {settings, problems} = state.readHash(location.hash);
    if (!Object.keys(settings).length && !problems.length) return false;
    if (settings.key) now.key = settings.key;
    if (settings.border) now.border = settings.border;
    takePreset(FIRST.method);
    if ("gamma" in settings && !sharpens()) {
      problems.push(`“gamma=${settings.gamma}” in the address is ignored: only key 7 takes it`);
      delete settings.gamma;
    }
    Object.assign(now, settings);
    if (now.sx !== now.sy) byId("kx-same").checked = false;
    render();
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    message(problems.length ? problems[0] + more : "");
    return true;
  }

  function render(typing = null) {
    const learned = data.normalized[now.key - 1], template = data.templates[now.key - 1];
    const model = maths.idealFilter(row(), now.sx, now.sy, sharpens() ? now.gamma : null, now.border);
    const rest = model.map((value, i) => value - learned[i]), limit = paint.largest(model, learned);
    renderControls(typing);
    views.model(model, limit);
    views.learned(learned, limit);
    views.rest(rest, limit);
    say(byId("kx-limit"), paint.scaleNote(limit));
    renderFactors();
    const distance = maths.distances(model, learned);
    renderMeasures(model, learned, template, distance);
    const share = renderImages(model, learned);
    const scales = `σx ${number(now.sx, 3)}, σy ${number(now.sy, 3)}${sharpens() ? `, γ ${number(now.gamma, 3)}` : ""}`;
    announce = `Key ${now.key}, ${scales}: cosine ${number(distance.cosine, 4)}, relative l2 distance ` +
      `${number(distance.relativeL2, 4)}; on the image the responses differ by ${number(100 * share, 1)} %.`;
    speak();
  }

  // Read aloud when the slider has come to rest, not at each of its steps.
  const speak = later(300, () => say(byId("kx-result"), announce));

  function renderControls(typing) {
    byId(`kx-key-${now.key}`).checked = true;
    byId(`kx-border-${now.border}`).checked = true;
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
    }
  }

  function renderFactors() {
    const own = sharpens() ? "plain" : "own";
    const parts = {
      x: maths.axis(row().x, now.sx ** 2, now.border)[own],
      y: maths.axis(row().y, now.sy ** 2, now.border)[own],
    };
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

  function renderImages(model, learned) {
    const n = paint.SCENE, answers = [model, learned].map(filter => maths.convolve(image, n, n, filter));
    const limit = Math.max(...answers.map(answer => answer.reduce((top, value) => Math.max(top, Math.abs(value)), 0)));
    const derivative = row().kind === "derivative";
    ["kx-answer-model", "kx-answer-learned"].forEach((id, i) =>
      paint.picture(byId(id), answers[i], derivative ? value => paint.colour(value / limit) : paint.grey));
    say(byId("kx-image-note"), derivative
      ? `Answers on one colour scale: blue ${number(-limit, 3)}, white 0, red ${number(limit, 3)}.`
      : "Answers in grey, black 0 and white 1 as in the image; what lies beyond is cut.");
    const rest = answers[0].map((value, i) => value - answers[1][i]);
    return Math.sqrt(maths.dot(rest, rest) / maths.dot(answers[1], answers[1]));
  }

  // For the second panel: the kernel shown, and a setting to show.
  root.KeyFilters.explorer = {
    kernel: () => maths.idealFilter(row(), now.sx, now.sy, sharpens() ? now.gamma : null, now.border),
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
    if (readAddress()) byId("kx-sx").closest("fieldset").scrollIntoView();
    else render();
    root.addEventListener("hashchange", readAddress);
  });
})(globalThis);
