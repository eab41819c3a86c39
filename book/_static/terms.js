/* A formula that is a link is one stop of the keyboard, not two. */
addEventListener("load", () => {
  if (!window.MathJax || !MathJax.startup) return;
  MathJax.startup.promise.then(() => {
    for (const formula of document.querySelectorAll("a.term-link mjx-container[tabindex]")) formula.tabIndex = -1;
  });
});
