// A slider through what the run of a page computed: a mark on its curves, or filters, and the numbers. The figure above
// stays: it is what print and a browser without scripts show.
(() => {
  "use strict";
  const WIDTH = 300, HEIGHT = 120, SVG = "http://www.w3.org/2000/svg";
  const DASHES = ["", "7 3", "2 3", "9 3 2 3", "1 5", "12 4"];
  let count = 0;

  // As in the workbench, whose scripts stand in its page alone.
  function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key in made) made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  function drawn(name, attributes) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  // Three digits from the first that is not 0, with the minus of typography.
  function number(value) {
    if (value === null) return "–";
    const size = Math.abs(Number(value.toPrecision(3)));
    return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 || size === 0 ? 2 : Math.min(2 - Math.floor(Math.log10(size)), 8));
  }

  function fixed(value, digits) {
    if (value === null) return "–";
    const text = value.toFixed(digits);
    return (/^-[0.]+$/.test(text) ? text.slice(1) : text).replace("-", "\u2212");
  }

  function curves(data) {
    const {settings} = data, all = Object.values(data.curves).flat().filter(value => value !== null);
    const low = Math.min(...all), high = Math.max(...all), left = Math.min(...settings), right = Math.max(...settings);
    const x = value => (WIDTH * (value - left)) / (right - left), y = value => HEIGHT - (HEIGHT * (value - low)) / (high - low || 1);
    const picture = drawn("svg", {viewBox: `0 -4 ${WIDTH} ${HEIGHT + 8}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false"});
    const list = element("ul"), marks = [], told = [];
    const cursor = drawn("line", {y1: -4, y2: HEIGHT + 4, class: "sweep-cursor"});
    picture.append(cursor);
    for (const [i, [name, values]] of Object.entries(data.curves).entries()) {
      // A value that is missing leaves a gap.
      let path = "", open = false;
      values.forEach((value, k) => {
        if (value !== null) path += `${open ? "L" : "M"}${x(settings[k]).toFixed(2)} ${y(value).toFixed(2)}`;
        open = value !== null;
      });
      const look = {"stroke-dasharray": DASHES[i % DASHES.length], class: `sweep-line sweep-colour-${i % DASHES.length}`};
      picture.append(drawn("path", {d: path, ...look}));
      const mark = drawn("path", {class: `sweep-mark sweep-colour-${i % DASHES.length}`}), sample = drawn("svg", {viewBox: "0 0 30 8", "aria-hidden": "true", focusable: "false"});
      sample.append(drawn("path", {d: "M0 4L30 4", ...look}));
      picture.append(mark);
      const output = element("span", {className: "sweep-number"});
      list.append(element("li", {}, sample, ` ${name} `, output));
      marks.push([mark, values]);
      told.push([name, values, output]);
    }
    for (const [name, values] of Object.entries(data.also)) {
      const output = element("span", {className: "sweep-number"});
      list.append(element("li", {}, `${name} `, output));
      told.push([name, values, output]);
    }
    const axis = (low, high) => element("p", {className: "sweep-axis"}, element("span", {}, number(low)), element("span", {}, number(high)));
    const upright = axis(high, low);
    upright.classList.add("sweep-upright");
    return {
      parts: [element("p", {className: "sweep-note"}, `Upwards: ${data.value}.`), element("div", {className: "sweep-plot"}, upright, picture, axis(left, right)), list],
      names: settings.map(number),
      show(k) {
        for (const name of ["x1", "x2"]) cursor.setAttribute(name, x(settings[k]));
        for (const [mark, values] of marks) {
          mark.setAttribute("d", values[k] === null ? "" : `M${x(settings[k])} ${y(values[k])}l0 0`);
        }
        return told.map(([name, values, output]) => {
          output.textContent = number(values[k]);
          return `${name} ${output.textContent}`;
        });
      },
    };
  }

  function filters(data) {
    const names = Object.keys(data.filters), side = Math.sqrt(data.beside[0].length), title = element("p", {className: "sweep-note"});
    const limits = data.beside.map(filter => Math.max(...filter.map(Math.abs)));
    const colour = value => {
      const last = data.colours.length - 1, place = ((Math.min(Math.max(value, -1), 1) + 1) / 2) * last, i = Math.min(Math.floor(place), last - 1);
      return data.colours[i].map((c, channel) => Math.round(c + (place - i) * (data.colours[i + 1][channel] - c)));
    };
    const row = () => element("div", {className: "sweep-row", "aria-hidden": "true"},
      ...data.beside.map(() => element("canvas", {width: side, height: side})));
    const paint = (box, stack) => [...box.children].forEach((canvas, i) => {
      const context = canvas.getContext("2d"), image = context.createImageData(side, side);
      stack[i].forEach((value, k) => image.data.set([...colour(value / limits[i]), 255], 4 * k));
      context.putImageData(image, 0, 0);
    });
    const rows = [row(), row(), row()], table = element("div", {className: "sweep-rows"});
    const lines = Object.keys(data.numbers[names[0]]).map(name => {
      const cells = data.beside.map(() => element("span", {className: "sweep-number"}));
      table.append(element("p", {className: "sweep-note"}, name), element("div", {className: "sweep-row"}, ...cells));
      return [name, cells];
    });
    paint(rows[0], data.beside);
    return {
      parts: [element("p", {className: "sweep-note"}, "Learned filters, keys 1 to 8"), rows[0], title, rows[1],
        element("p", {className: "sweep-note"}, "Model minus learned filter"), rows[2], table],
      names,
      show(k) {
        const stack = data.filters[names[k]];
        title.textContent = `Models, ${data.label} ${names[k]}`;
        paint(rows[1], stack);
        paint(rows[2], stack.map((filter, i) => filter.map((value, j) => value - data.beside[i][j])));
        return lines.map(([name, cells]) => {
          cells.forEach((cell, i) => { cell.textContent = fixed(data.numbers[names[k]][name][i], 3); });
          return `${name} ${cells.map(cell => cell.textContent).join(", ")}`;
        });
      },
    };
  }

  function start(box) {
    const data = JSON.parse(box.firstElementChild.textContent), {parts, names, show} = (data.filters ? filters : curves)(data);
    const id = `sweep-${++count}`, output = element("output", {htmlFor: id});
    const slider = element("input", {type: "range", id, min: 0, max: names.length - 1, step: 1});
    slider.value = String(Math.floor((names.length - 1) / 2));
    const move = () => {
      const k = Number(slider.value);
      output.textContent = names[k];
      slider.setAttribute("aria-valuetext", [names[k], ...show(k)].join("; "));
    };
    slider.addEventListener("input", move);
    box.append(element("p", {className: "sweep-slider"}, element("label", {htmlFor: id}, data.label), slider, output), ...parts);
    box.hidden = false;
    move();
  }

  addEventListener("DOMContentLoaded", () => document.querySelectorAll(".bd-article .sweep").forEach(start));
})();
