// What is wider than the page scrolls in a box of its own. Such a box can be reached and scrolled with the keyboard,
// says what it is, and fades where there is more to the side. A box that shows all it has is no stop.
(() => {
  "use strict";
  // Tables are parts of the page to jump to; formulas and code would be too many of these.
  const KINDS = [
    [".pst-scrollable-table-container, .cell_output .output.text_html", "region", box => named(box, "Table")],
    ["pre", "group", () => "Code or output"],
    ["mjx-container, div.math, .math-wrapper", "group", () => "Formula"],
  ];
  const ALL = KINDS.map(([selector]) => selector).join(", ");

  function named(element, kind) {
    const number = element.querySelector(".caption-number");
    if (number) return number.textContent.trim();
    // Without a number of the book it is counted on its page: two boxes must not have the same name.
    const [selector] = KINDS.find(([selector]) => element.matches(selector)) || ["figure"];
    return `${kind} ${[...document.querySelectorAll(selector)].indexOf(element) + 1} of this page`;
  }

  function update(box) {
    // A formula in a line scrolls only once it is marked as wide.
    const scrolls = box.matches("mjx-container") || /auto|scroll/.test(getComputedStyle(box).overflowX);
    // Rounding makes a box a pixel too wide that is not; a displayed formula is a box that scrolls even then. The accent
    // of a letter in a line may stand out by more.
    const spare = box.matches('mjx-container[display="true"], div.math, .math-wrapper') ? 0 : box.matches("mjx-container") ? 4 : 1;
    const wide = box.scrollWidth > box.clientWidth + spare && scrolls;
    const [, role, name] = KINDS.find(([selector]) => box.matches(selector));
    if (wide) {
      box.tabIndex = 0;
      // A formula keeps the role that MathJax gave it; without any it could not have a name.
      if (!box.hasAttribute("role")) {
        box.setAttribute("role", role);
        box.dataset.role = "ours";
      }
      box.setAttribute("aria-label", `${name(box)}, scrolls sideways`);
    } else {
      box.removeAttribute("tabindex");
      if (box.dataset.wide) {
        box.removeAttribute("aria-label");
        if (box.dataset.role) box.removeAttribute("role");
        delete box.dataset.role;
      }
    }
    if (wide) box.dataset.wide = "yes";
    else delete box.dataset.wide;
    if (box.matches(".pst-scrollable-table-container")) hold(box);
    fade(box);
  }

  // What stays where it is while a table scrolls, for the style sheet: its caption, and its first column if that leaves
  // room for others.
  function hold(box) {
    const caption = box.querySelector("caption"), first = box.querySelector("tr > :first-child");
    box.style.setProperty("--caption", `${caption ? caption.offsetHeight : 0}px`);
    if (box.dataset.wide && first && first.offsetWidth < 0.4 * box.clientWidth) box.dataset.held = "";
    else delete box.dataset.held;
  }

  // Where a box can be scrolled further, for the style sheet: "left", "right" or both.
  function fade(box) {
    const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
    const sides = box.dataset.wide ? [box.scrollLeft > 1 && "left", rest > 1 && "right"].filter(Boolean) : [];
    if (sides.length) box.dataset.more = sides.join(" ");
    else delete box.dataset.more;
  }

  function start() {
    const watched = new ResizeObserver(entries => entries.forEach(entry => update(entry.target)));
    const watch = () => document.querySelectorAll(`.bd-article :is(${ALL})`).forEach(box => {
      watched.observe(box);
      update(box);
    });
    watch();
    // A scroll does not bubble, but it can be caught on its way down.
    addEventListener("scroll", event => event.target.dataset && event.target.dataset.wide && fade(event.target), true);
    addEventListener("load", async () => {
      if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
      await document.fonts.ready;
      watch();
      document.documentElement.dataset.boxes = "ready";
    });
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
