// What the first panel has beside its settings: the reader's own picture, the play button, a question to answer, and what can be saved.
(function (root) {
  "use strict";

  const {paint, photograph} = root.KeyFilters;
  const {element, say} = paint;
  const byId = id => document.getElementById(id);
  const PLAY = {from: 0, to: 3, step: 0.05, milliseconds: 80};
  let panel, own = null, playing = null, asking;

  function buildPicture() {
    const take = async file => {
      if (!file) return;
      try {
        own = await photograph.read(file);
      } catch (error) {
        panel.message(error.message);
        return;
      }
      byId("kx-picture").querySelector("[value=own]").disabled = false;
      panel.now.image = "own";
      panel.changed();
    };
    for (const id of ["kx-file", "kx-camera"]) byId(id).addEventListener("change", event => take(event.target.files[0]));
    const target = byId("kx-pictures");
    for (const name of ["dragenter", "dragover"]) {
      target.addEventListener(name, event => { event.preventDefault(); target.classList.add("kx-drop"); });
    }
    target.addEventListener("dragleave", () => target.classList.remove("kx-drop"));
    target.addEventListener("drop", event => {
      event.preventDefault();
      target.classList.remove("kx-drop");
      take(event.dataTransfer.files[0]);
    });
  }

  // Both scales go from 0 to 3, in fewer and larger steps where the reader asks for little motion.
  function play() {
    const slow = matchMedia("(prefers-reduced-motion: reduce)").matches ? 5 : 1;
    const {now, render} = panel;
    now.sx = now.sy = PLAY.from;
    render();
    playing = setInterval(() => {
      now.sx = now.sy = Math.min(PLAY.to, Number((now.sx + slow * PLAY.step).toFixed(6)));
      render();
      if (now.sx >= PLAY.to) stop();
    }, slow * PLAY.milliseconds);
    sayPlay();
  }

  function stop() {
    if (!playing) return;
    clearInterval(playing);
    playing = null;
    sayPlay();
    panel.written();
  }

  function sayPlay() {
    byId("kx-play").setAttribute("aria-pressed", String(Boolean(playing)));
    say(byId("kx-play"), playing ? "Stop" : "Play σ from 0 to 3");
  }

  // Whether the picture, and what the idealised filter makes of it, lie between the book's bar and, on a phone, the sliders.
  function inView() {
    const top = byId("kx-pictures").getBoundingClientRect().top, images = byId("kx-images").getBoundingClientRect();
    const sliders = byId("kx-scales").getBoundingClientRect(), covers = sliders.right > images.left;
    const bar = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
    return top >= bar - 1 && images.bottom <= (covers ? Math.min(sliders.top, innerHeight) : innerHeight);
  }

  // A change that the reader asked for elsewhere has to be seen: all of the stage, or where the screen is low its pictures.
  function bring() {
    if (!inView()) byId("kx-stage").scrollIntoView();
    if (!inView()) byId("kx-pictures").scrollIntoView();
  }

  // The question of a thing to try stands above the pictures until the reader goes back to the list.
  function ask(button) {
    asking = button;
    const words = [...button.parentElement.childNodes].filter(part => part !== button).map(part => part.cloneNode(true));
    byId("kx-task-text").replaceChildren(...words);
    byId("kx-task").hidden = false;
  }

  function goBack() {
    byId("kx-task").hidden = true;
    asking.scrollIntoView({block: "center"});
    asking.focus({preventScroll: true});
  }

  function save(name, blob) {
    const link = element("a", {href: URL.createObjectURL(blob), download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // What stands on the stage, each picture with its words below it.
  function savePictures() {
    const parts = [...byId("kx-pictures").querySelectorAll("canvas")], side = 192, room = 28, columns = 4;
    const canvas = element("canvas", {width: columns * side, height: Math.ceil(parts.length / columns) * (side + room) + room});
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "#000";
    context.font = "14px sans-serif";
    context.imageSmoothingEnabled = false;
    parts.forEach((part, i) => {
      const x = (i % columns) * side, y = Math.floor(i / columns) * (side + room);
      context.drawImage(part, x + 4, y + 4, side - 8, side - 8);
      context.fillText(part.nextElementSibling.textContent, x + 4, y + side + 12);
    });
    context.fillText(panel.says(), 4, canvas.height - 8);
    canvas.toBlob(blob => save(`key-${panel.now.key}.png`, blob));
  }

  function saveFilters() {
    const [learned, ideal] = panel.filters();
    const lines = ideal.map((value, i) => [(i % 7) - 3, 3 - Math.floor(i / 7), learned[i], value, value - learned[i]].join(","));
    save(`key-${panel.now.key}.csv`, new Blob([["x,y,learned,idealised,difference", ...lines, ""].join("\n")], {type: "text/csv"}));
  }

  root.KeyFilters.stage = {
    ask,
    bring,
    own: () => own,
    stop,
    build(first) {
      panel = first;
      buildPicture();
      byId("kx-play").addEventListener("click", () => {
        if (playing) return stop();
        bring();
        return play();
      });
      byId("kx-task-back").addEventListener("click", goBack);
      byId("kx-png").addEventListener("click", savePictures);
      byId("kx-csv").addEventListener("click", saveFilters);
    },
  };
})(globalThis);
