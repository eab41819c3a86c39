/* On a phone the contents of a page are a drawer over it: a choice that stays on the page closes the drawer. */
addEventListener("click", event => {
  const link = event.target.closest("dialog[open] a[href]");
  if (link && link.hash && link.pathname === location.pathname) link.closest("dialog").close();
});
// The contents of the book show where the reader is: the theme leaves them at their head.
addEventListener("load", () => {
  const box = document.querySelector(".bd-sidebar-primary"), here = box && box.querySelector("li.current.active, li.active > a");
  if (!here || box.scrollHeight <= box.clientHeight) return;
  const place = here.getBoundingClientRect(), frame = box.getBoundingClientRect();
  if (place.top < frame.top || place.bottom > frame.bottom) box.scrollTop += place.top - frame.top - frame.height / 2;
});
