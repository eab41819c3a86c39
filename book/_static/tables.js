// A long table can be filtered by words and sorted by a column. The order and the rows of the page come back when the
// field is emptied and a heading is pressed a third time.
(() => {
  "use strict";
  const LONG = 40;
  const number = text => parseFloat(text.replace("−", "-").replace(/\s.*$/, ""));

  function compare(column, sign) {
    return (one, two) => {
      const [a, b] = [one, two].map(row => row.cells[column].textContent.trim());
      const [x, y] = [number(a), number(b)];
      return sign * (Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y);
    };
  }

  function start(table) {
    const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
    const label = document.createElement("label"), field = document.createElement("input"), count = document.createElement("output");
    label.className = "table-filter";
    field.type = "search";
    field.placeholder = "such as deviates, C1, key 2";
    label.append("Filter the rows: ", field, " ", count);
    (table.closest(".pst-scrollable-table-container") || table).before(label);

    // "key 2" asks for the column key; every other word may stand anywhere.
    const asked = () => {
      const text = field.value.toLowerCase(), wanted = [];
      const rest = text.replace(/\bkey\s+(\d)\b/g, (all, key) => (wanted.push(["key", key]), ""));
      const column = heads.findIndex(head => head.textContent.trim().toLowerCase() === "key");
      const words = rest.split(/\s+/).filter(Boolean);
      return row => words.every(word => row.textContent.toLowerCase().includes(word))
        && wanted.every(([, key]) => column < 0 || row.cells[column].textContent.trim().split(" ").includes(key));
    };
    const filter = () => {
      const keep = asked();
      for (const row of rows) row.hidden = !keep(row);
      const shown = rows.filter(row => !row.hidden).length;
      count.textContent = shown < rows.length ? `${shown} of ${rows.length}` : `${rows.length} rows`;
    };
    field.addEventListener("input", filter);
    filter();

    for (const [column, head] of heads.entries()) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "table-sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = {none: "ascending", ascending: "descending", descending: "none"}[head.getAttribute("aria-sort") || "none"];
        for (const other of heads) other.removeAttribute("aria-sort");
        if (next !== "none") head.setAttribute("aria-sort", next);
        body.append(...(next === "none" ? rows : [...rows].sort(compare(column, next === "ascending" ? 1 : -1))));
      });
    }
  }

  addEventListener("DOMContentLoaded", () => {
    for (const table of document.querySelectorAll(".bd-article table.table"))
      if (table.tBodies[0] && table.tHead && table.tBodies[0].rows.length > LONG) start(table);
  });
})();
