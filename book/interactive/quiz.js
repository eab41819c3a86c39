// Third panel: which key made this picture?
(function (root) {
  "use strict";

  const {data, explorer, maths, paint} = root.KeyFilters;
  const byId = id => document.getElementById(id);
  let asked = 0, right = 0, key, open;

  function ask() {
    const {values, side} = explorer.image(), before = key;
    while (key === before) key = 1 + Math.floor(8 * Math.random());
    const answer = maths.convolve(values, side, side, data.normalized[key - 1]);
    paint.answer(byId("kq-original"), values, side, "picture", 1);
    paint.answer(byId("kq-picture"), answer, side, data.keys[key - 1].kind, paint.largest([...answer]));
    open = true;
    paint.say(byId("kq-result"), `Which key made the right picture of the left one? ${right} of ${asked} so far.`);
  }

  function guess(chosen) {
    const row = data.keys[key - 1], hit = chosen === key;
    if (open) {
      asked += 1;
      right += hit ? 1 : 0;
    }
    open = false;
    paint.say(byId("kq-result"), hit
      ? `Yes: key ${key}, ${row.name}. ${right} of ${asked} so far.`
      : `No, key ${chosen} is the ${data.keys[chosen - 1].name}. It was key ${key}, ${row.name}. ${right} of ${asked} so far.`);
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!byId("kx-quiz")) return;
    for (const row of data.keys) {
      const button = paint.element("button", {type: "button", value: String(row.number)},
        paint.thumbnail(data.normalized[row.number - 1]), `${row.number}: ${row.symbol}`);
      button.addEventListener("click", () => guess(row.number));
      byId("kq-keys").append(button);
    }
    byId("kq-next").addEventListener("click", ask);
    ask();
  });
})(globalThis);
