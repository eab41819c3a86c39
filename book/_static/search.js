/* The search page: formulas as one types them, and results that say which entry they lead to. */
(() => {
  "use strict";

  // The index knows "T(n, s)", because a semicolon divides an entry, and "r^2".
  const SUPERSCRIPTS = { "²": "^2", "³": "^3", "¹": "^1" };
  const typed = (query) =>
    query
      .replace(/;/g, ",")
      .replace(/[²³¹]/g, (digit) => SUPERSCRIPTS[digit])
      .replace(/\\/g, "")
      .replace(/[{}$]/g, "")
      .replace(/’/g, "'");

  const patch = () => {
    if (typeof Search === "undefined" || Search.knowsEntries) return;
    Search.knowsEntries = true;
    const perform = Search._performSearch;
    Search._performSearch = (query, ...rest) => {
      const results = perform(typed(query), ...rest);
      const { docnames, indexentries } = Search._index;
      const named = new Map();
      for (const [entry, places] of Object.entries(indexentries))
        for (const [file, anchor] of places) {
          const place = `${docnames[file]}#${anchor}`;
          named.set(place, [...(named.get(place) || []), entry]);
        }
      const wanted = typed(query).toLowerCase().trim();
      for (const result of results) {
        const entries = result[2] && !result[3] && !result[1].includes(" > ") && named.get(result[0] + result[2]);
        if (!entries) continue;
        const entry = entries.find((one) => one.includes(wanted)) || entries[0];
        const text = document.createElement("span");
        // The index is in small letters.
        text.textContent = entry === wanted ? typed(query).trim() : entry;
        result[1] = `${result[1]} &gt; ${text.innerHTML}`;
      }
      // The last one is shown first: chapters before the reference of the library, each in its order.
      const reference = (result) => result[0].startsWith("api/");
      return [...results.filter(reference), ...results.filter((result) => !reference(result))];
    };
  };

  // A page that was opened as a file may not read the other pages for an excerpt of each result.
  if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  patch();
  document.addEventListener("DOMContentLoaded", patch);
})();
