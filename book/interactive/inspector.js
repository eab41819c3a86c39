// The page that reads a file of weights: drop or choose, report, save.
(function (root) {
  "use strict";

  const {data, inspect, paint, weights} = root.KeyFilters;
  const {element, number, say} = paint;
  const byId = id => document.getElementById(id);
  let latest = 0, shown = null;

  const message = text => say(byId("ki-message"), text);

  // A table whose first column names the row, in a box that scrolls by itself where it is wide.
  function table(label, caption, columns, rows) {
    const cell = value => (value instanceof Node ? element("td", {}, value) : element("td", {}, typeof value === "number" ? String(value) : value));
    const body = rows.map(([first, ...rest]) => element("tr", {}, element("th", {scope: "row"}, first), ...rest.map(cell)));
    const head = element("tr", {}, ...columns.map(column => element("th", {scope: "col"}, column)));
    const made = element("table", {}, element("caption", {}, element("span", {}, caption)), element("thead", {}, head), element("tbody", {}, ...body));
    return element("div", {className: "ki-wide", role: "region", "aria-label": label, tabindex: "0"}, made);
  }

  function bar(share) {
    const fill = element("span", {className: "ki-bar"});
    fill.style.width = `${100 * share}%`;
    return element("span", {className: "ki-track", "aria-hidden": "true"}, fill);
  }

  const SHARES = ["explained", "mean", "median", "impulse", "random", "permuted", "gaussian"];
  // A number that is not there, as the scale across filters of one row, is a dash.
  const known = value => (Number.isFinite(value) ? number(value, 3) : "–");
  const shares = line => SHARES.map(name => known(line[name]));

  const sizes = ({sizes: lines}) => table("Explained variance by kernel size",
    "Explained variance by kernel size: pooled by energy, its mean and median over filters; pooled, that of the nulls.",
    ["size", "layers", "filters", "dead", ...SHARES], lines.map(line => [line.size, line.layers, line.channels, line.dead, ...shares(line)]));

  const nulls = ({sizes: lines}) => table("Nulls by kernel size",
    "What the keys stand beside: pooled by energy, the mean of the draws and what one draw of twenty exceeds; its mean and median over filters.",
    ["size", "null", "pooled", "one draw of twenty", "mean", "median"],
    lines.flatMap(({size, nulls: under}) => under.map(({kind, pooled, tail, mean, median}) => [size, kind, ...[pooled, tail, mean, median].map(known)])));

  const keys = ({counts, filters}) => table("Filters by key", "How many filters each key explains best; dead filters are left out.",
    ["key", "filters", "share", "from 0 to 1"], data.keys.map(({number: k, name}) => {
      const share = filters ? counts[k - 1] / filters : 0;
      return [`${k}, ${name}`, counts[k - 1], `${number(100 * share, 1)} %`, bar(share)];
    }));

  const layers = ({matched}) => table("Layers", "Each matched layer: explained variance as above, and how many filters each key explains best.",
    ["layer", "size", "stride", "padding", "filters", "dead", ...SHARES, ...data.keys.map(key => `key ${key.number}`)],
    matched.map(layer => [
      layer.name || "without a name", `${layer.rows}x${layer.columns}`, layer.stride || "–", layer.padding || "–",
      layer.channels, layer.dead, ...shares(layer), ...layer.counts,
    ]));

  const scales = ({matched}) => table("Scales and rank",
    "Median scales (pixels) of the keys fitted to each filter, what the keys explain with the method's scales and with these, and how many directions hold 99 % of the energy of the layer's filters.",
    ["layer", "size", "filters", "sigma_x", "sigma_y", "explained", "with these scales", "rank"],
    matched.map(layer => [
      layer.name || "without a name", `${layer.rows}x${layer.columns}`, layer.channels,
      ...[layer.sigmaX, layer.sigmaY, layer.explained, layer.fitted].map(known), layer.rank,
    ]));

  const places = report => table("Offsets by stride and padding",
    "Offsets in pixels, x to the right and y up, by stride and padding where the file has them: the filters' centre, its shift from that of their key, and the shift that would put each output in the middle of its pixels.",
    ["size", "stride", "padding", "dilation", "layers", "filters", "mean_x", "shift_x", "grid_x", "mean_y", "shift_y", "grid_y"],
    report.places.map(place => [
      place.size, place.stride || "–", place.padding || "–", place.dilation || "–", place.layers, place.channels,
      ...[place.meanX, place.shiftX, place.gridX, place.meanY, place.shiftY, place.gridY].map(known),
    ]));

  function leftOut(report) {
    const left = report.layers.filter(layer => layer.note);
    if (!left.length) return element("p", {}, "All layers of depthwise filters in the file were matched.");
    const made = table("Layers not matched", "Layers whose filters were not matched, and why.", ["layer", "size", "filters", "why"],
      left.map(layer => [layer.name || "without a name", `${layer.rows}x${layer.columns}`, layer.channels, layer.note]));
    made.querySelectorAll("td:last-child").forEach(cell => cell.classList.add("ki-text"));
    return made;
  }

  function map(filter, rows, columns, words, caption, kind = "") {
    const canvas = element("canvas", {width: columns, height: rows, role: "img", "aria-label": words});
    const limit = filter.reduce((top, value) => Math.max(top, Math.abs(value)), 0) || 1;
    paint.picture(canvas, filter, value => paint.colour(value / limit));
    return element("figure", {className: kind}, canvas, element("figcaption", {}, caption));
  }

  function maps({samples, bank, size}) {
    return data.keys.flatMap(({number: k, name}) => {
      const own = samples.filter(sample => sample.key === k);
      if (!own.length) return [];
      const figures = [map(bank[k - 1], size, size, `Key ${k}, ${name}, ${size}x${size} pixels`, "the key", "ki-key")];
      for (const {layer, channel, rows, columns, filter, explained} of own) {
        const words = `Filter ${channel} of layer ${layer}, explained by key ${k} to ${number(100 * explained, 1)} per cent`;
        figures.push(map(filter, rows, columns, words, `${layer} ${channel}: ${number(explained, 3)}`));
      }
      return [element("h4", {}, `Key ${k}: ${name}`), element("div", {className: "ki-maps"}, ...figures)];
    });
  }

  function render(report) {
    const parts = [element("p", {className: "ki-answer"}, report.answer)];
    if (report.warning) parts.push(element("p", {className: "ki-warning"}, report.warning));
    if (report.beside) parts.push(element("p", {}, report.beside));
    parts.push(...report.notes.map(note => element("p", {}, note)));
    if (report.filters) {
      parts.push(
        element("h3", {}, "Explained variance"), sizes(report), nulls(report), element("h3", {}, "Which keys"), keys(report),
        element("h3", {}, "The filters that each key explains best"), ...maps(report), element("h3", {}, "Layers"), layers(report),
        element("h3", {}, "Scales and rank"), scales(report), element("h3", {}, "Offsets, stride and padding"), places(report),
      );
    }
    parts.push(element("h3", {}, "Layers not matched"), leftOut(report));
    byId("ki-report").replaceChildren(...parts);
  }

  const pause = () => new Promise(resolve => { setTimeout(resolve); });

  // Whatever is chosen last is shown; a file that is still being read then is forgotten.
  async function take(files) {
    if (!files.length) return;
    const turn = ++latest, [file] = files;
    byId("ki-report").replaceChildren();
    byId("ki-tools").hidden = true;
    byId("ki").setAttribute("aria-busy", "true");
    try {
      if (files.length > 1) throw new weights.Refused(`and ${files.length - 1} more were given: expected one file`);
      message(`Reading ${file.name} …`);
      await pause();
      const bytes = new Uint8Array(await file.arrayBuffer());
      const found = weights.readFilters(bytes, file.name, data.wrappers);
      const report = await inspect.report(file.name, found, data, async (done, all) => {
        if (turn === latest) message(`Matching layer ${done} of ${all} …`);
        await pause();
      });
      if (turn !== latest) return;
      shown = report;
      render(report);
      byId("ki-tools").hidden = false;
      message(`${file.name} was read; the report stands below.`);
    } catch (error) {
      if (turn !== latest) return;
      if (error instanceof weights.Refused) message(`${file.name} ${error.message}`);
      else if (error instanceof DOMException) message(`${file.name} cannot be opened: expected a file, not a folder`);
      else throw error;
    } finally {
      if (turn === latest) byId("ki").removeAttribute("aria-busy");
    }
  }

  // The report by itself: pictures as images, the style of the report, nothing else.
  function save() {
    const page = document.implementation.createHTMLDocument(`Depthwise filters of ${shown.name}`);
    page.documentElement.lang = "en";
    const meta = (name, content) => element("meta", {name, content});
    const style = `:root { color-scheme: light dark; }\nbody { font-family: system-ui, sans-serif; margin: 1rem auto; max-width: 72rem; overflow-wrap: anywhere; padding: 0 1rem; }\n`;
    page.head.append(meta("viewport", "width=device-width, initial-scale=1"), element("style", {}, style + byId("ki-style").textContent));
    page.head.prepend(element("meta", {charset: "utf-8"}));
    const copy = byId("ki-report").cloneNode(true), drawn = byId("ki-report").querySelectorAll("canvas");
    copy.querySelectorAll("canvas").forEach((canvas, i) => {
      canvas.replaceWith(element("img", {src: drawn[i].toDataURL(), alt: canvas.getAttribute("aria-label")}));
    });
    page.body.append(element("h1", {}, page.title), copy);
    const address = URL.createObjectURL(new Blob([`<!DOCTYPE html>\n${page.documentElement.outerHTML}\n`], {type: "text/html"}));
    element("a", {href: address, download: `${shown.name}.html`}).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!byId("ki")) return;
    const drop = byId("ki-drop"), input = byId("ki-file");
    input.addEventListener("change", () => take([...input.files]));
    // Choosing the same file again reads it again.
    input.addEventListener("click", () => { input.value = ""; });
    for (const kind of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(kind, event => {
        event.preventDefault();
        drop.classList.toggle("ki-over", kind === "dragover");
        if (kind === "drop") take([...event.dataTransfer.files]);
      });
    }
    byId("ki-save").addEventListener("click", save);
  });
})(globalThis);
