// The pictures that the filters are applied to: three photographs, one made by formula, and the reader's own, which stays here.
(function (root) {
  "use strict";

  const {data, paint} = root.KeyFilters;
  const known = new Map();

  // A grey picture {name, side, values} with values from 0 to 1; null for a name that is none.
  function builtIn(name) {
    if (!known.has(name)) {
      if (name === "made") known.set(name, {name, side: paint.SCENE, values: paint.scene()});
      else {
        const bytes = Uint8Array.from(atob(data.photographs[name]), letter => letter.charCodeAt(0));
        known.set(name, {name, side: Math.sqrt(bytes.length), values: Float64Array.from(bytes, byte => byte / 255)});
      }
    }
    return known.get(name);
  }

  // The middle square of a file, in grey, as large as the built-in ones. A file that is no picture makes an error of one line.
  async function read(file) {
    const side = builtIn("cat").side, canvas = paint.element("canvas", {width: side, height: side});
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      throw new Error(`“${file.name.slice(0, 40)}” is no picture that this browser reads; try a JPEG or PNG`);
    }
    const edge = Math.min(bitmap.width, bitmap.height), context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, (bitmap.width - edge) / 2, (bitmap.height - edge) / 2, edge, edge, 0, 0, side, side);
    const pixels = context.getImageData(0, 0, side, side).data;
    const values = Float64Array.from({length: side * side}, (_, i) =>
      (299 * pixels[4 * i] + 587 * pixels[4 * i + 1] + 114 * pixels[4 * i + 2]) / 255000);
    return {name: "own", side, values};
  }

  root.KeyFilters.photograph = {builtIn, read};
})(globalThis);
