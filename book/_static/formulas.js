// A displayed formula that is wider than its column is broken into lines: behind a comma and a space first, then before the
// relations, then before plus and minus, at last within brackets; and set a little smaller where that is not enough. It is
// broken anew where the column changes.
(() => {
  "use strict";
  const RELATION = /^(?:[=<>]|\\(?:le|ge|leq|geq|approx|sim|propto|in|to|mapsto|equiv|ne|subset|ll|gg)(?![A-Za-z]))/;
  const SIGN = /^(?:[-+]|\\(?:pm|cdot|times|sum)(?![A-Za-z]))/;
  const SPACE = /^\\q?quad(?![A-Za-z])/;
  // What a level breaks at, and within how many round or square brackets.
  const LEVELS = [[SPACE, 0], [RELATION, 0], [SIGN, 0], [SIGN, 1]];
  const WRAPPED = /^\s*\\begin\{(align|aligned|split)\}([^]*)\\end\{\1\}\s*$/;
  const INDENT = "\\quad ", COMPILE = 20, SMALLEST = 0.75;

  // Each token with the depth in groups that cannot be divided, and in brackets that can.
  function* tokens(tex) {
    let groups = 0, brackets = 0;
    for (const [token] of tex.matchAll(/\\(?:begin|end)\{[^}]*\}|\\[A-Za-z]+|\\[^]|[^]/g)) {
      if (/^(?:\\end\b|\\right$|\})/.test(token)) groups--;
      if (/^[)\]]/.test(token)) brackets--;
      yield {token, groups, brackets};
      if (/^(?:\\begin\b|\\left$|\{)/.test(token)) groups++;
      if (/^[(\[]/.test(token)) brackets++;
    }
  }

  // The parts between the places at which a level breaks; what breaks stands at the head of a part.
  function parts(tex, level) {
    const [pattern, depth] = LEVELS[level], found = [""];
    for (const {token, groups, brackets} of tokens(tex)) {
      const part = found[found.length - 1], breaks = !groups && brackets <= depth && pattern.test(token) && part.trim();
      // A sign that belongs to what follows, as at the head or behind a relation, is no place to break, nor is an index that is a sign.
      const head = /[_^]\s*$/.test(part) || pattern === SIGN && /(?:[=<>(,+-]|\\(?:[bB]igg?l|le|ge|approx|in|to|q?quad|tfrac\w*))\s*$/.test(part);
      if (breaks && !head) found.push("");
      found[found.length - 1] += pattern === SPACE && breaks ? " " : token;
    }
    return found.filter(part => part.trim());
  }

  // The lines that a formula has already.
  function rows(tex) {
    for (let inner = WRAPPED.exec(tex); inner; inner = WRAPPED.exec(tex)) tex = inner[2];
    const found = [""];
    for (const {token, groups} of tokens(tex))
      if (!groups && token === "\\\\") found.push("");
      else if (groups || token !== "&") found[found.length - 1] += token;
    return found.map(row => row.replace(/^\s*\{\}/, "")).filter(row => row.trim());
  }

  function broken(lines) {
    return `\\begin{aligned}${lines.map(({tex, deep}) => `&${INDENT.repeat(deep)}${deep ? "{}" : ""}${tex}`).join("\\\\")}\\end{aligned}`;
  }

  class Formula {
    constructor(item) {
      this.item = item;
      this.tex = item.math;
      this.box = item.typesetRoot.parentElement;
      this.size = item.typesetRoot.style.fontSize;
      this.width = 0;
    }

    show(tex) {
      if (this.item.math === tex) return;
      this.item.math = tex;
      this.item.rerender(MathJax.startup.document, COMPILE);
    }

    get wide() {
      const root = this.item.typesetRoot;
      return root.scrollWidth > root.clientWidth + 1;
    }

    fits(lines) {
      this.show(broken(lines));
      return !this.wide;
    }

    // The lines of a part, as few as a level needs; `deep` is how far the lines behind its first stand in.
    lines(tex, level, deep) {
      if (level === LEVELS.length || this.fits([{tex, deep}])) return [{tex, deep}];
      const pieces = parts(tex, level), made = [];
      if (pieces.length === 1) return this.lines(tex, level + 1, deep);
      for (const [place, piece] of pieces.entries()) {
        const last = made[made.length - 1], inner = deep + (place && level ? 1 : 0);
        // Parts that a space divides are formulas of their own, and stand below one another.
        const joined = last && {tex: last.tex + piece, deep: last.deep};
        if (joined && level && this.fits([joined])) made[made.length - 1] = joined;
        else made.push(...this.lines(piece, level + 1, inner));
      }
      return made;
    }

    fit() {
      this.width = this.box.clientWidth;
      this.item.typesetRoot.style.fontSize = this.size;
      this.show(this.tex);
      if (!this.width || !this.wide) return;
      const given = rows(this.tex), lines = given.flatMap(row => this.lines(row, 0, /^\s*[-+]/.test(row) ? 1 : 0));
      this.show(lines.length > given.length ? broken(lines) : this.tex);
      if (!this.wide) return;
      const root = this.item.typesetRoot;
      const size = parseFloat(getComputedStyle(root).fontSize);
      root.style.fontSize = `${size * Math.max(SMALLEST, (root.clientWidth - 2) / root.scrollWidth)}px`;
    }
  }

  function start() {
    const formulas = new Map();
    for (const item of MathJax.startup.document.math)
      if (item.display && item.typesetRoot.closest(".bd-article div.math")) {
        const formula = new Formula(item);
        formulas.set(formula.box, formula);
      }
    const fit = box => formulas.get(box).width !== box.clientWidth && formulas.get(box).fit();
    for (const box of formulas.keys()) fit(box);
    // A formula in a folded part has no width until that is opened.
    const watched = new ResizeObserver(entries => entries.forEach(entry => fit(entry.target)));
    for (const box of formulas.keys()) watched.observe(box);
  }

  addEventListener("DOMContentLoaded", () => {
    if (!window.MathJax || !MathJax.startup || !MathJax.startup.promise) return;
    MathJax.startup.promise = MathJax.startup.promise.then(start);
  });
})();
