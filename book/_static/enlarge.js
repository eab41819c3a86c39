// A figure fits the page. Where that makes its texts too small to read, a tap on it, or the button below it, shows it as
// wide as its texts need.
(() => {
  "use strict";
  // The padding of the enlarged image, on both sides together.
  const PADDING = 16;
  const needs = (image, name) => parseFloat(image.style.getPropertyValue(name));

  function dialog() {
    const found = document.querySelector("dialog.enlarged");
    if (found) return found;
    const made = document.createElement("dialog");
    made.className = "enlarged";
    made.innerHTML = '<form method="dialog"><span></span><button>Close</button></form><div tabindex="0" role="group" autofocus></div>';
    // Closes at once, whatever else on the page listens for this key.
    made.addEventListener("keydown", event => event.key === "Escape" && made.close());
    document.body.append(made);
    return made;
  }

  function enlarge(image) {
    const shown = dialog(), box = shown.lastElementChild, large = new Image();
    large.src = image.src;
    large.alt = image.alt;
    large.style.width = `max(${needs(image, "--legible") + PADDING}px, 100%)`;
    box.replaceChildren(large);
    const name = image.closest("figure").querySelector(".caption-number");
    box.setAttribute("aria-label", name ? name.textContent.trim() : "Figure");
    shown.querySelector("span").textContent = box.getAttribute("aria-label");
    shown.setAttribute("aria-label", `${box.getAttribute("aria-label")}, enlarged`);
    shown.showModal();
  }

  function update(image) {
    const box = image.closest(".figure-box"), there = box.querySelector("button.enlarge");
    const style = getComputedStyle(image), width = image.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    // A phone has a drawing of its own, where there is one.
    const small = width + 1 < needs(image, image.currentSrc === image.src ? "--legible" : "--phone");
    image.classList.toggle("small", small);
    if (small && !there) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "enlarge";
      button.textContent = matchMedia("(hover: none)").matches ? "Tap the figure to enlarge it" : "Enlarge the figure";
      button.addEventListener("click", () => enlarge(image));
      box.append(button);
    }
    if (!small && there) there.remove();
  }

  function start() {
    const watched = new ResizeObserver(entries => entries.forEach(entry => update(entry.target)));
    for (const image of document.querySelectorAll(".bd-article .figure-box img")) {
      watched.observe(image);
      image.addEventListener("click", () => image.classList.contains("small") && enlarge(image));
    }
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
