/* A formula that is a link is one stop of the keyboard, not two. */
addEventListener("load", () => {
  if (!window.MathJax || !MathJax.startup) return;
  MathJax.startup.promise.then(() => {
    for (const formula of document.querySelectorAll("a.term-link mjx-container[tabindex]")) formula.tabIndex = -1;
  });
});

/* A term is explained where it stands: its link opens a card with the first sentence of its definition, which the build
   wrote into it. Nothing is fetched. Another tab, as with Ctrl, shows the glossary itself. */
addEventListener("DOMContentLoaded", () => {
  const card = document.createElement("dialog");
  card.className = "term-card";
  card.innerHTML = '<p></p><form method="dialog"><a>The whole entry</a> <button autofocus>Back to the text</button></form>';
  const [words, more] = [card.querySelector("p"), card.querySelector("a")];
  document.addEventListener("click", event => {
    if (event.target === card) card.close();
    const link = event.target.closest("a.term-link");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const said = link.title || link.dataset.bsOriginalTitle;
    if (!said) return;
    event.preventDefault();
    if (!card.isConnected) document.body.append(card);
    words.textContent = said;
    more.href = link.href;
    card.setAttribute("aria-label", link.textContent.trim());
    card.showModal();
  });
});

/* The letters above the glossary lead to the first term of each. */
addEventListener("DOMContentLoaded", () => {
  const list = document.querySelector(".bd-article dl.glossary"), letters = new Map();
  for (const term of list ? list.querySelectorAll(":scope > dt[id]") : []) {
    // Terms of one entry stand together, and the entry in the place of its first.
    if (term.previousElementSibling && term.previousElementSibling.tagName === "DT") continue;
    const letter = term.textContent.trim()[0].toUpperCase();
    if (!letters.has(letter)) letters.set(letter, term.id);
  }
  if (!letters.size) return;
  const jump = document.createElement("nav");
  jump.className = "letters";
  jump.setAttribute("aria-label", "Letters");
  for (const [letter, id] of letters) {
    const link = document.createElement("a");
    link.href = `#${id}`;
    link.textContent = letter;
    jump.append(link, " ");
  }
  list.before(jump);
});
