// Second panel: a filter that the reader draws, types or pastes, and the fits of all eight keys to it.
(function (root) {
  "use strict";

  const {data, fit, maths, paint, state} = root.KeyFilters;
  const {coordinate, element, number, say} = paint;
  const {SIZE} = paint;
  const byId = id => document.getElementById(id);
  const FIRST = data.learned[0];
  let filter = [...FIRST], cells, views, found = null, pending, gains, chosen = false, parts;

  const objective = () => (byId("kf-unit").checked ? "unit" : "free");
  const border = () => (byId("kf-border-exact").checked ? "exact" : "crop");
  const message = text => say(byId("kf-message"), text);

  function sources() {
    const list = [["empty", "an empty grid"], ["shown", "the kernel of the first panel"]];
    for (const key of data.keys) list.push([`learned ${key.number}`, `learned key ${key.number}, as published`]);
    for (const key of data.keys) list.push([`normalized ${key.number}`, `learned key ${key.number}, normalised`]);
    return list.map(([value, text]) => element("option", {value}, text));
  }

  function load(source) {
    const [kind, key] = source.split(" ");
    if (kind === "empty") filter = new Array(SIZE * SIZE).fill(0);
    else if (kind === "shown") filter = root.KeyFilters.explorer.kernel();
    else filter = [...data[kind][Number(key) - 1]];
    changed();
  }

  const place = i => `x = ${coordinate((i % SIZE) - 3)}, y = ${coordinate(3 - Math.floor(i / SIZE))}`;

  function drawCells() {
    const limit = paint.largest(filter);
    cells.forEach((cell, i) => {
      paint.dye(cell, filter[i], limit);
      if (cell !== document.activeElement) cell.value = paint.weight(filter[i], limit);
    });
  }

  function put(i, value) {
    filter[i] = value;
    changed();
  }

  // What was typed, when the reader leaves the cell or presses Enter.
  function take(i) {
    const cell = cells[i], text = cell.value;
    if (text === cell.dataset.shown) return;
    const value = text.trim() === "" ? 0 : state.readNumber(text);
    if (value === null || Math.abs(value) > state.LARGEST) {
      cell.value = cell.dataset.shown;
      const mend = value === null ? "is not a number; write it like 0.25" : "is too large; divide the filter by a constant";
      message(`Cell ${place(i)}: “${text.slice(0, 12)}” ${mend}`);
      return;
    }
    put(i, value);
    show(i);
  }

  function show(i) {
    cells[i].dataset.shown = cells[i].value = String(filter[i]).replace("-", "\u2212");
  }

  function move(i, to) {
    cells[i].tabIndex = -1;
    cells[to].tabIndex = 0;
    cells[to].focus();
  }

  // One stop of the Tab key for the grid; arrows go from cell to cell, Page Up and Page Down change a weight by a tenth.
  function pressed(event, i) {
    const cell = cells[i], row = Math.floor(i / SIZE), column = i % SIZE;
    const whole = cell.selectionStart === 0 && cell.selectionEnd === cell.value.length;
    const atStart = whole || cell.selectionEnd === 0, atEnd = whole || cell.selectionStart === cell.value.length;
    const steps = {
      ArrowUp: row > 0 ? -SIZE : 0, ArrowDown: row < SIZE - 1 ? SIZE : 0, Enter: row < SIZE - 1 ? SIZE : 0,
      ArrowLeft: atStart && column > 0 ? -1 : 0, ArrowRight: atEnd && column < SIZE - 1 ? 1 : 0,
    };
    if (event.key === "PageUp" || event.key === "PageDown") {
      event.preventDefault();
      take(i);
      put(i, Number((filter[i] + (event.key === "PageUp" ? 0.1 : -0.1)).toFixed(9)));
      show(i);
      cell.select();
    } else if (event.key === "Escape") {
      show(i);
      cell.select();
    } else if (event.key === "Enter" && !steps.Enter) {
      take(i);
    } else if (steps[event.key]) {
      event.preventDefault();
      move(i, i + steps[event.key]);
    }
  }

  // With the keyboard for text: that for decimals has no minus on some phones.
  function buildCells() {
    cells = paint.grid(byId("kf-cells"), "Your filter", cell => {
      const input = element("input", {type: "text", autocomplete: "off", spellcheck: false});
      cell.append(input);
      return input;
    });
    cells.forEach((cell, i) => {
      cell.tabIndex = i === 0 ? 0 : -1;
      cell.setAttribute("aria-label", place(i));
      cell.addEventListener("focus", () => {
        cells.forEach(other => { other.tabIndex = other === cell ? 0 : -1; });
        show(i);
        cell.select();
      });
      cell.addEventListener("blur", () => { take(i); cell.value = paint.weight(filter[i], paint.largest(filter)); });
      cell.addEventListener("keydown", event => pressed(event, i));
    });
    paintWithPointer();
  }

  // With the brush on, pressing and dragging sets the cells below the pointer.
  function paintWithPointer() {
    const table = byId("kf-cells"), brush = byId("kf-brush");
    const stroke = event => {
      const i = cells.indexOf(document.elementFromPoint(event.clientX, event.clientY));
      const value = state.readNumber(byId("kf-brush-value").value);
      if (i < 0) return;
      if (value === null || Math.abs(value) > state.LARGEST) message("The brush needs a number; write it like 0.25");
      else if (filter[i] !== value) put(i, value);
    };
    brush.addEventListener("change", () => table.classList.toggle("kx-painting", brush.checked));
    table.addEventListener("pointerdown", event => {
      if (!brush.checked || !cells.includes(event.target)) return;
      event.preventDefault();
      if (event.target.hasPointerCapture(event.pointerId)) event.target.releasePointerCapture(event.pointerId);
      stroke(event);
    });
    table.addEventListener("pointermove", event => { if (brush.checked && event.buttons & 1) stroke(event); });
  }

  function changed() {
    message("");
    chosen = false;
    drawCells();
    refit();
    root.KeyFilters.explorer.written();
  }

  // The eight keys at their scales of method D1, for the border of this panel.
  function mixParts() {
    return data.keys.map((key, i) => {
      const [sx, sy, gamma] = data.presets[border()].D1[i];
      return maths.idealFilter(key, sx, sy, gamma, border());
    });
  }

  function mix() {
    parts = mixParts();
    if (!chosen) gains = maths.mixGains(parts, filter);
    const made = maths.mixed(parts, gains), rest = made.map((value, i) => filter[i] - value), energy = maths.dot(filter, filter);
    views.mix(made, paint.largest(filter));
    byId("kf-gains").querySelectorAll("input").forEach((input, i) => {
      if (input !== document.activeElement) input.value = String(Number(gains[i].toPrecision(4)));
    });
    say(byId("kf-mix-result"), energy > 0
      ? `The mix explains ${number(100 * (1 - maths.dot(rest, rest) / energy), 2)} % of the energy of your filter${chosen ? "" : ", the most that it can"}.`
      : "All cells are zero: there is nothing to mix.");
  }

  function buildMix() {
    for (const key of data.keys) {
      const id = `kf-gain-${key.number}`, input = element("input", {type: "number", step: "0.05", id});
      const label = element("label", {htmlFor: id}, paint.thumbnail(data.normalized[key.number - 1]), `key ${key.number}`);
      input.addEventListener("input", () => {
        const value = state.readNumber(input.value);
        if (value === null || Math.abs(value) > state.LARGEST) return;
        gains[key.number - 1] = value;
        chosen = true;
        mix();
        root.KeyFilters.explorer.written();
      });
      byId("kf-gains").append(element("div", {}, label, input));
    }
    byId("kf-best-gains").addEventListener("click", () => { chosen = false; mix(); root.KeyFilters.explorer.written(); });
  }

  const same = (a, b) => a.every((value, i) => value === b[i]);

  // For the address: what differs from the beginning, and back again.
  root.KeyFilters.workbench = {
    settings: () => ({
      filter: same(filter, FIRST) ? null : filter, gains: chosen ? gains : null, fit: `${objective()}-${border()}`,
    }),
    restore(settings) {
      ready();
      const [kind, edge] = (settings.fit || state.FITS[0]).split("-");
      byId(`kf-${kind}`).checked = byId(`kf-border-${edge}`).checked = true;
      filter = settings.filter ? [...settings.filter] : [...FIRST];
      chosen = Boolean(settings.gains);
      if (chosen) gains = [...settings.gains];
      drawCells();
      refit();
    },
  };

  // The eight fits take a moment: wait until the reader pauses.
  function refit() {
    clearTimeout(pending);
    byId("kf-fits").setAttribute("aria-busy", "true");
    pending = setTimeout(() => {
      found = fit.fitAll(data.keys, filter, objective(), border());
      mix();
      byId("kf-fits").removeAttribute("aria-busy");
      render();
    }, 150);
  }

  function render() {
    const free = objective() === "free", fits = found ? found.fits : [], best = found && found.best;
    data.keys.forEach((key, i) => {
      const line = byId("kf-fits").tBodies[0].rows[i], own = fits[i];
      line.classList.toggle("kx-best", Boolean(best) && best.key === key.number);
      const mark = own && own.bound ? "*" : "";
      const texts = !own ? ["–", "–", "–", "–", "–", "–"] : [
        number(own.sigmaX, 3), number(own.sigmaY, 3), own.gamma === null ? "–" : paint.fitting(own.gamma),
        free ? paint.fitting(own.gain) : "1", free ? paint.fitting(own.offset) : "0", number(own.explained, 3) + mark,
      ];
      texts.forEach((text, j) => say(line.cells[j + 1], text));
    });
    byId("kf-show").disabled = !best;
    const blank = new Array(SIZE * SIZE).fill(0), limit = paint.largest(filter);
    views.fitted(best ? best.fitted : blank, limit);
    views.rest(best ? filter.map((value, i) => value - best.fitted[i]) : blank, limit);
    say(byId("kf-limit"), paint.scaleNote(limit));
    if (!best) {
      const why = free ? "All cells are equal" : "All cells are zero";
      say(byId("kf-result"), `${why}: there is nothing to fit. Change at least one cell.`);
      return;
    }
    const gamma = best.gamma === null ? "" : `, γ ${number(best.gamma, 3)}`;
    const scales = `σx ${number(best.sigmaX, 3)}, σy ${number(best.sigmaY, 3)}${gamma}`;
    say(byId("kf-result"), `Best: key ${best.key} (${data.keys[best.key - 1].name}), ${scales}; ` +
      `explains ${number(100 * best.explained, 2)} % of the ${free ? "variance" : "energy"}.`);
  }

  // The first panel may come first, with a filter in the address.
  let built = false;
  function ready() {
    if (!built) build();
    built = true;
  }

  function build() {
    buildCells();
    views = {fitted: paint.heatMap(byId("kf-fitted"), "Best fit"), rest: paint.heatMap(byId("kf-rest"), "Your filter − best fit"),
      mix: paint.heatMap(byId("kf-mix"), "Mix of the keys")};
    buildMix();
    const source = byId("kf-source");
    source.append(...sources());
    source.value = "learned 1";
    byId("kf-load").addEventListener("click", () => load(source.value));
    byId("kf-read").addEventListener("click", () => {
      const {filter: read, side, problem} = state.readFilter(byId("kf-text").value);
      if (problem) {
        message(`Not read: ${problem}`);
        byId("kf-text").setAttribute("aria-invalid", "true");
        return;
      }
      byId("kf-text").removeAttribute("aria-invalid");
      filter = read;
      changed();
      message(side === SIZE ? "The text was read into the cells" : `The ${side} × ${side} numbers were read into the middle of the cells`);
    });
    byId("kf-write").addEventListener("click", () => { byId("kf-text").value = state.writeFilter(filter); });
    for (const id of ["kf-free", "kf-unit", "kf-border-crop", "kf-border-exact"]) byId(id).addEventListener("change", () => { refit(); root.KeyFilters.explorer.written(); });
    const body = byId("kf-fits").tBodies[0];
    for (const key of data.keys) {
      const line = element("tr", {}, element("th", {scope: "row"}, `${key.number} `, element("span", {className: "kx-quiet"}, key.symbol)));
      for (let i = 0; i < 6; i++) line.append(element("td", {}, "–"));
      body.append(line);
    }
    byId("kf-show").addEventListener("click", () => {
      const {key, sigmaX, sigmaY, gamma, edge} = found.best;
      root.KeyFilters.explorer.show(key, sigmaX, sigmaY, gamma, edge);
      byId(`kx-key-${key}`).focus({preventScroll: true});
      root.KeyFilters.stage.bring();
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!byId("kx-workbench")) return;
    ready();
    drawCells();
    refit();
  });
})(globalThis);
