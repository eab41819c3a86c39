// Colours, tables of numbers as heat maps, and pictures on canvases.
(function (root) {
  "use strict";

  const {data} = root.KeyFilters;
  const SIZE = 7, RADIUS = 3;

  // Diverging colour of a value in [-1, 1]: between the neighbouring colours of the book's figures.
  function colour(value) {
    const last = data.colours.length - 1;
    const place = ((Math.min(Math.max(value, -1), 1) + 1) / 2) * last;
    const i = Math.min(Math.floor(place), last - 1), share = place - i;
    return data.colours[i].map((c, channel) => Math.round(c + share * (data.colours[i + 1][channel] - c)));
  }

  // Black or white, whichever reads better on a colour (relative luminance of WCAG 2).
  function ink(rgb) {
    const linear = rgb.map(c => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000" : "#fff";
  }

  function dye(element, value, limit) {
    const rgb = colour(limit > 0 ? value / limit : 0);
    element.style.backgroundColor = `rgb(${rgb.join(" ")})`;
    element.style.color = ink(rgb);
  }

  const largest = (...filters) => Math.max(...filters.flat().map(Math.abs)) || 1;

  // With the minus sign of typography, and no minus before a zero.
  function number(value, digits = 2) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const text = value.toFixed(digits);
    return (/^-[0.]+$/.test(text) ? text.slice(1) : text).replace("-", "\u2212");
  }

  // Cells have room for five characters: weights far from 1 are shown in units of a power of ten, which the note
  // below the heat maps names.
  function unit(limit) {
    return limit >= 100 || limit < 0.02 ? 10 ** Math.floor(Math.log10(limit)) : 1;
  }

  function weight(value, limit) {
    const top = limit / unit(limit);
    if (top >= 10) return number(value / unit(limit), 1);
    return top >= 0.2 ? number(value / unit(limit)) : number(value, 3).replace("0.", ".");
  }

  function scaleNote(limit) {
    const power = Math.round(Math.log10(unit(limit)));
    const shown = value => (power ? value.toExponential(2).replace("-", "\u2212").replace("e+", "e") : number(value, 3));
    const cells = power ? `; cells in units of 1e${number(power, 0)}` : "";
    return `One colour scale for the three: blue ${shown(-limit)}, white 0, red ${shown(limit)}${cells}.`;
  }

  // For columns of fixed width: fewer decimals where the number is large.
  function fitting(value) {
    const size = Math.abs(value);
    if (size >= 1e4) return value.toExponential(1).replace("-", "\u2212").replace("e+", "e");
    return number(value, size >= 100 ? 0 : size >= 10 ? 2 : 3);
  }

  const coordinate = value => number(value, 0);

  function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key in made) made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  // Set a text only where it differs: what is read aloud is read once.
  function say(target, text) {
    if (target.textContent !== text) target.textContent = text;
  }

  // A table of 7 x 7 cells with its coordinates; `make` gives what stands in a cell. Returns the cells' contents.
  function grid(table, caption, make) {
    const contents = [];
    table.replaceChildren(element("caption", {}, caption));
    const head = element("tr", {}, element("td"));
    for (let x = -RADIUS; x <= RADIUS; x++) head.append(element("th", {scope: "col", abbr: `x = ${coordinate(x)}`}, coordinate(x)));
    table.append(element("thead", {}, head));
    const body = element("tbody");
    for (let y = RADIUS; y >= -RADIUS; y--) {
      const line = element("tr", {}, element("th", {scope: "row", abbr: `y = ${coordinate(y)}`}, coordinate(y)));
      for (let x = -RADIUS; x <= RADIUS; x++) {
        const cell = element("td", {className: "kx-cell"});
        contents.push(make(cell, x, y));
        line.append(cell);
      }
      body.append(line);
    }
    table.append(body);
    return contents;
  }

  function heatMap(table, caption) {
    const cells = grid(table, caption, cell => cell);
    return (filter, limit) => cells.forEach((cell, i) => {
      dye(cell, filter[i], limit);
      say(cell, weight(filter[i], limit));
    });
  }

  // Filter as a small picture without numbers, a pixel a weight.
  function thumbnail(filter) {
    const canvas = element("canvas", {width: SIZE, height: SIZE, "aria-hidden": "true"});
    picture(canvas, filter, value => colour(value / largest(filter)));
    return canvas;
  }

  function picture(canvas, values, shade) {
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
    for (let i = 0; i < values.length; i++) {
      const [r, g, b] = shade(values[i]);
      image.data.set([r, g, b, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }

  // What a filter makes of a picture: around 0 in two colours for a derivative, as grey levels otherwise.
  function answer(canvas, values, side, kind, limit) {
    if (canvas.width !== side) canvas.width = canvas.height = side;
    picture(canvas, values, kind === "derivative" ? value => colour(value / limit) : grey);
  }

  const grey = value => {
    const level = Math.round(255 * Math.min(Math.max(value, 0), 1));
    return [level, level, level];
  };

  // The picture that the filters are applied to, by formula: a ramp, a disc, a turned square, stripes of growing
  // fineness, a chessboard, thin lines, and grain. Values in [0, 1].
  const SCENE = 96;
  function scene() {
    const image = new Float64Array(SCENE * SCENE);
    let seed = 12345;
    const grain = () => {
      seed = (1103515245 * seed + 12345) % 2147483648;
      return seed / 2147483648 - 0.5;
    };
    for (let row = 0; row < SCENE; row++) {
      for (let column = 0; column < SCENE; column++) {
        let value = 0.25 + 0.3 * (column / (SCENE - 1));
        if (Math.hypot(column - 24, row - 24) < 15) value = 0.85;
        const a = (column - 70 + (row - 24)) / Math.SQRT2, b = (row - 24 - (column - 70)) / Math.SQRT2;
        if (Math.max(Math.abs(a), Math.abs(b)) < 13) value = 0.12;
        if (row >= 52 && row < 70 && column >= 6 && column < 90) value = 0.5 + 0.4 * Math.cos(0.004 * (column - 6) ** 2);
        if (row >= 76 && row < 92 && column >= 6 && column < 38) value = (Math.floor((row - 76) / 4) + Math.floor((column - 6) / 4)) % 2 ? 0.8 : 0.2;
        if (row >= 76 && row < 92 && column >= 44 && column < 66 && (column - 44) % 7 === 0) value = 0.95;
        if (row >= 76 && row < 92 && column >= 44 && column < 66 && row === 84) value = 0.05;
        if (row >= 76 && row < 92 && column >= 70 && column < 90) value = 0.5 + 0.6 * grain();
        image[row * SCENE + column] = value;
      }
    }
    return image;
  }

  root.KeyFilters.paint = {
    SCENE, SIZE, answer, coordinate, dye, element, fitting, grey, colour, grid, heatMap, largest, number, picture, say, scaleNote, scene, thumbnail,
    weight,
  };
})(globalThis);
