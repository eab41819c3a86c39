// On a phone code is cut at the right and stands between a thought and the next: it is folded there, and what it shows is not.
(() => {
  "use strict";
  const narrow = matchMedia("(max-width: 575px)");

  function start() {
    const folds = [];
    for (const input of document.querySelectorAll(".bd-article .cell > .cell_input")) {
      // Solutions are folded as a whole.
      if (input.closest(".solution")) continue;
      const fold = document.createElement("details"), name = document.createElement("summary");
      fold.className = "phone-code";
      name.textContent = "Code";
      input.before(fold);
      fold.append(name, input);
      folds.push(fold);
    }
    const update = () => folds.forEach(fold => (fold.open = !narrow.matches));
    narrow.addEventListener("change", update);
    update();
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
