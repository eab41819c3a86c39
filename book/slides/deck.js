// Starts the slides, or leaves them as a page to read: on a narrow window, and with ?read in the address.
(function () {
  "use strict";
  const NARROW = 800;
  const query = new URLSearchParams(location.search);
  // The small windows within the speaker's view show slides whatever their width.
  const framed = query.has("receiver");
  const wanted = () => !framed && (query.has("read") || innerWidth < NARROW);
  const reading = wanted();
  if (reading) document.documentElement.classList.add("reading");

  function read() {
    // Slides are addressed as #/name; here they are sections of a page.
    const go = () => {
      const section = document.getElementById(location.hash.replace(/^#\/?/, ""));
      if (section) section.scrollIntoView();
    };
    addEventListener("hashchange", go);
    go();
    // What scrolls must be reached by the keyboard.
    for (const wide of document.querySelectorAll('mjx-container[display="true"]'))
      if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
  }

  function present() {
    document.getElementById("deck").classList.add("reveal");
    Reveal.initialize({
      width: 1280, height: 720, margin: 0, center: false, hash: true, transition: "none", backgroundTransition: "none",
      slideNumber: "c/t", scrollActivationWidth: null, pdfSeparateFragments: false, defaultTiming: 0,
      plugins: [RevealNotes, RevealZoom],
    });
  }

  // Mathematics is set while all slides are visible, so that it is measured right.
  const typeset = window.MathJax && MathJax.startup ? MathJax.startup.promise : Promise.resolve();
  typeset.catch(() => null).then(reading ? read : present);
  if (!query.has("print-pdf") && !query.has("view"))
    addEventListener("resize", () => { if (wanted() !== reading) location.reload(); });
})();
