// What the page reads: the settings in its address, and filters that were pasted as text. No document, so node can test it.
(function (root) {
  "use strict";

  const LIMITS = {sigma: [0, 3.5], gamma: [-10, 10], angle: [-180, 180]};
  const BORDERS = ["crop", "exact"];
  const KERNELS = ["discrete", "sampled"];
  const MODELS = ["key", "components", "mixed", "first", "second", "affine"];
  const IMAGES = ["cat", "camera", "astronaut", "made"];
  const FITS = ["free-crop", "free-exact", "unit-crop", "unit-exact"];
  const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  const LARGEST = 1e6;

  // A number as people write it, a minus sign of typography included; null if it is none.
  function readNumber(text) {
    const plain = text.trim().replace(/\u2212/g, "-");
    return NUMBER.test(plain) && Number.isFinite(Number(plain)) ? Number(plain) : null;
  }

  const short = text => (text.length > 24 ? `${text.slice(0, 24)}…` : text);

  // Settings from an address like #key=5&sx=0.8&sy=0.7&border=crop, and a line for each part that is of no use.
  function readHash(hash) {
    const settings = {}, problems = [], text = hash.replace(/^#/, "");
    // The addresses of headings have no equals sign; they are not settings.
    if (!text.includes("=")) return {settings, problems};
    const within = (value, [low, high]) => {
      const number = readNumber(value);
      return number !== null && number >= low && number <= high ? number : null;
    };
    const numbers = (value, count) => {
      const found = value.split(",").map(readNumber);
      return found.length === count && found.every(number => number !== null && Math.abs(number) <= LARGEST) ? found : null;
    };
    const readers = {
      key: value => (/^[1-8]$/.test(value) ? Number(value) : null),
      sx: value => within(value, LIMITS.sigma),
      sy: value => within(value, LIMITS.sigma),
      gamma: value => within(value, LIMITS.gamma),
      model: value => (MODELS.includes(value) ? value : null),
      angle: value => within(value, LIMITS.angle),
      border: value => (BORDERS.includes(value) ? value : null),
      kernel: value => (KERNELS.includes(value) ? value : null),
      image: value => (IMAGES.includes(value) ? value : null),
      filter: value => numbers(value, 49),
      gains: value => numbers(value, 8),
      fit: value => (FITS.includes(value) ? value : null),
    };
    const expected = {
      key: "a key from 1 to 8", sx: `a number from ${LIMITS.sigma.join(" to ")}`, sy: `a number from ${LIMITS.sigma.join(" to ")}`,
      gamma: `a number from ${LIMITS.gamma.join(" to ")}`, model: `one of ${MODELS.join(", ")}`,
      angle: `a number of degrees from ${LIMITS.angle.join(" to ")}`, border: BORDERS.join(" or "),
      kernel: KERNELS.join(" or "), image: `one of ${IMAGES.join(", ")}`, filter: "49 numbers with commas between them",
      gains: "8 numbers with commas between them", fit: `one of ${FITS.join(", ")}`,
    };
    for (const part of text.split("&").filter(Boolean)) {
      const [name, ...rest] = part.split("=");
      let value = rest.join("=");
      try { value = decodeURIComponent(value); } catch { /* shown as it stands */ }
      const shown = `“${short(`${name}=${value}`)}” in the address is ignored`;
      if (!Object.prototype.hasOwnProperty.call(readers, name)) {
        problems.push(`${shown}: expected one of ${Object.keys(readers).join(", ")}`);
        continue;
      }
      const found = readers[name](value);
      if (found === null) problems.push(`${shown}: expected ${expected[name]}`);
      else settings[name] = found;
    }
    return {settings, problems};
  }

  // Six decimals tell the fits of two methods apart, and can be read.
  const round = value => String(Number(value.toFixed(6)));

  // What is as it is without an address is left out of it.
  function writeHash({key, sx, sy, gamma, border, sharpens, model = MODELS[0], angle = null, kernel = "discrete", image = IMAGES[0], filter = null, gains = null, fit = FITS[0]}) {
    const numbers = values => values.map(value => String(Number(value.toPrecision(7)))).join(",");
    const more = [
      model !== MODELS[0] && `model=${model}`, angle !== null && `angle=${round(angle)}`,
      kernel !== KERNELS[0] && `kernel=${kernel}`, image !== IMAGES[0] && IMAGES.includes(image) && `image=${image}`,
      filter && `filter=${numbers(filter)}`, gains && `gains=${numbers(gains)}`, fit !== FITS[0] && `fit=${fit}`,
    ].filter(Boolean).map(part => `&${part}`).join("");
    return `#key=${key}&sx=${round(sx)}&sy=${round(sy)}${sharpens ? `&gamma=${round(gamma)}` : ""}&border=${border}${more}`;
  }

  // A 7x7 filter from text: rows on lines of their own, or all numbers in one line. Brackets, as NumPy prints them, are
  // skipped; 3 x 3 and 5 x 5 numbers stand in the middle of zeros. Returns {filter, side} or {problem}, one line that names
  // the place and the mend.
  const SIDES = [3, 5, 7];
  function readFilter(text, size = 7) {
    const separate = line => {
      const bare = line.replace(/[[\]()]|\barray\b/g, " ").trim();
      if (!/[,;\t]/.test(bare)) return bare.split(/\s+/).filter(Boolean);
      const cells = bare.split(/[,;\t]/).map(cell => cell.trim());
      // A separator may end a line; an empty cell before that is a missing number.
      if (cells[cells.length - 1] === "") cells.pop();
      return cells.flatMap(cell => (cell === "" ? [""] : cell.split(/\s+/)));
    };
    let rows = text.split(/\r?\n/).map(separate).filter(row => row.length);
    if (!rows.length) return {problem: `the text is empty: paste ${size} rows of ${size} numbers`};
    let side = rows.length === 1 ? Math.sqrt(rows[0].length) : rows.length;
    if (rows.length === 1 && SIDES.includes(side)) {
      rows = Array.from({length: side}, (_, i) => rows[0].slice(i * side, (i + 1) * side));
    }
    side = rows.length;
    if (!SIDES.includes(side)) {
      return {problem: `the text has ${rows.length} ${rows.length === 1 ? "row" : "rows"}: expected 3, 5 or 7`};
    }
    const filter = [];
    for (const [i, row] of rows.entries()) {
      if (row.length !== side) {
        const comma = row.length === 2 * side ? "; write decimals with a point" : "";
        return {problem: `row ${i + 1} has ${row.length} ${row.length === 1 ? "number" : "numbers"}: expected ${side}${comma}`};
      }
      for (const [j, cell] of row.entries()) {
        const value = readNumber(cell), place = `row ${i + 1}, column ${j + 1}`;
        if (cell === "") return {problem: `${place} is empty: write 0 or the missing number`};
        if (value === null) return {problem: `${place}: “${short(cell)}” is not a number; write it like 0.25`};
        if (Math.abs(value) > LARGEST) return {problem: `${place}: ${short(cell)} is too large; divide the filter by a constant`};
        filter.push(value);
      }
    }
    return {filter: padded(filter, side, size), side};
  }

  function padded(filter, side, size) {
    const whole = new Array(size * size).fill(0), spare = (size - side) / 2;
    filter.forEach((value, i) => { whole[(Math.floor(i / side) + spare) * size + (i % side) + spare] = value; });
    return whole;
  }

  const writeFilter = (filter, size = 7) =>
    Array.from({length: size}, (_, i) => filter.slice(i * size, (i + 1) * size).join(", ")).join("\n");

  const api = {BORDERS, FITS, IMAGES, KERNELS, LARGEST, LIMITS, MODELS, readFilter, readHash, readNumber, writeFilter, writeHash};
  if (typeof module !== "undefined" && module.exports) module.exports = api;
  else root.KeyFilters.state = api;
})(typeof globalThis !== "undefined" ? globalThis : this);
