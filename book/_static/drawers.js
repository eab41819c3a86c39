/* On a phone the contents of a page are a drawer over it: a choice that stays on the page closes the drawer. */
addEventListener("click", event => {
  const link = event.target.closest("dialog[open] a[href]");
  if (link && link.hash && link.pathname === location.pathname) link.closest("dialog").close();
});
