// Depthwise filters in the bytes of a file, .safetensors or .onnx, by the rules of `keyfilters inspect FILE`
// (keyfilters.networks.inspection.files). Nothing in a file is executed. No document, so node can test it.
(function (root) {
  "use strict";

  // What is wrong with a file, in one line for its reader.
  class Refused extends Error {}

  const AGAIN = "copy or download it again";
  const STRINGS = () => new TextDecoder("utf-8", {fatal: true});

  function halves(bits) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
  }

  const word = new DataView(new ArrayBuffer(4));
  function brain(bits) {
    word.setUint32(0, bits << 16);
    return word.getFloat32(0);
  }

  // Bytes of a number, and how it is read.
  const TYPES = {
    F64: [8, (view, at) => view.getFloat64(at, true)],
    F32: [4, (view, at) => view.getFloat32(at, true)],
    F16: [2, (view, at) => halves(view.getUint16(at, true))],
    BF16: [2, (view, at) => brain(view.getUint16(at, true))],
  };

  const product = shape => shape.reduce((a, b) => a * b, 1);

  function decode(bytes, type) {
    const [size, read] = TYPES[type], view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const values = new Float64Array(bytes.byteLength / size);
    for (let i = 0; i < values.length; i++) values[i] = read(view, i * size);
    return values;
  }

  // Filters of shape (C, 1, rows, columns) or (C, 1, taps) with C > 1, larger than one number.
  const isStack = shape => [3, 4].includes(shape.length) && shape[1] === 1 && shape[0] > 1 && Math.max(...shape.slice(2)) > 1;

  const isStrip = (rows, columns) => Math.min(rows, columns) === 1 && Math.max(rows, columns) % 2 === 1;

  function stack(name, shape, values, {stride = [], padding = [], dilation = []} = {}) {
    const [rows, columns] = shape.length === 3 ? [1, shape[2]] : shape.slice(2);
    let note = "";
    if (!isStrip(rows, columns)) {
      if (rows !== columns && Math.min(rows, columns) > 1) note = `kernel is not square (${rows}x${columns})`;
      else if (Math.max(rows, columns) % 2 === 0) note = `kernel of even size (${rows}x${columns})`;
    }
    return {name, channels: shape[0], rows, columns, values, stride, padding, dilation, note};
  }

  // safetensors: eight bytes with the length of the header, the header in JSON, the numbers.
  function readSafetensors(bytes, wrappers) {
    const whole = why => new Refused(`cannot be read: not a whole safetensors file (${why}); ${AGAIN}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = Number(view.getBigUint64(0, true)), start = 8 + length;
    if (start > bytes.length) throw whole("the header is cut short");
    let header;
    try { header = JSON.parse(STRINGS().decode(bytes.subarray(8, start))); } catch { throw whole("the header is no JSON"); }
    delete header.__metadata__;
    const sound = ({dtype, shape, data_offsets: place}) => typeof dtype === "string" && Array.isArray(shape) && Array.isArray(place) &&
      [...shape, ...place].every(n => Number.isSafeInteger(n) && n >= 0) && place.length === 2 && place[0] <= place[1] &&
      (!TYPES[dtype] || product(shape) * TYPES[dtype][0] === place[1] - place[0]);
    let entries = Object.entries(header);
    if (!entries.every(([, entry]) => entry && typeof entry === "object" && sound(entry))) throw whole("the header is damaged");
    // In the order of the numbers, as the library of safetensors lists them.
    entries.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0]);
    const end = entries.reduce((at, [, {data_offsets: [from, to]}]) => (at === from ? to : NaN), 0);
    if (start + end !== bytes.length) throw whole(start + end > bytes.length ? "numbers are missing at its end" : "its parts do not fit together");
    if (entries.some(([name]) => name.endsWith("dwconv.kernel"))) {
      throw new Refused("keeps its kernels as ConvNeXt V2 does for sparse convolutions, which this page does not read: use the command");
    }
    entries = unwrapped(entries, wrappers);
    const found = [], bad = [], left = [];
    for (const [name, {dtype, shape, data_offsets: [from, to]}] of entries) {
      if (shape.length === 5 ? isStack(shape.slice(0, 4)) : isStack(shape) && /^[IU]/.test(dtype)) left.push(`${name} (${shape.length === 5 ? "3-D" : dtype})`);
      if (!TYPES[dtype]) {
        if (/^F\d/.test(dtype) && isStack(shape)) throw new Refused(`has numbers of type ${dtype} in ${name}: expected ${Object.keys(TYPES).join(", ")}`);
        continue;
      }
      const values = decode(bytes.subarray(start + from, start + to), dtype);
      if (!values.every(Number.isFinite)) bad.push(name);
      if (isStack(shape) && PARTS.test(name)) {
        throw new Refused(`keeps what weights are computed from (${name}), which this page does not put together: use the command`);
      }
      if (isStack(shape)) found.push(stack(name.replace(/\.weight$/, ""), shape, values));
    }
    checkFinite(bad);
    if (left.length) found.notes = [`Not looked at: ${left.slice(0, 3).join(", ")}${left.length > 3 ? ` and ${left.length - 3} more` : ""}.`];
    return found;
  }

  // Of pruning, weight norm and spectral norm of torch.
  const PARTS = /(^|\.)(weight_orig|weight_v|parametrizations\.weight\.original\d?)$/;

  function checkFinite(bad) {
    const more = bad.length > 1 ? ` and ${bad.length - 1} more` : "";
    if (bad.length) throw new Refused(`holds NaN or infinity in ${bad[0]}${more}: expected finite weights`);
  }

  // Without what wrappers put before every name.
  function unwrapped(entries, {inserted, beside}) {
    entries = entries.filter(([name]) => !beside.includes(name.split(".").pop()));
    while (entries.length > 1 && entries.every(([name]) => name.includes(".") && inserted.includes(name.split(".")[0]))) {
      entries = entries.map(([name, entry]) => [name.slice(name.indexOf(".") + 1), entry]);
    }
    return entries;
  }

  // The fields of a message of protocol buffers: number -> list of numbers (varints) and views (all else).
  function fields(bytes) {
    const found = new Map();
    let at = 0;
    const next = () => {
      if (at >= bytes.length) throw new Refused("");
      return bytes[at++];
    };
    const varint = () => {
      let value = 0, factor = 1, byte;
      do {
        byte = next();
        value += (byte & 127) * factor;
        factor *= 128;
      } while (byte & 128 && factor < 2 ** 70);
      return value;
    };
    const take = length => {
      if (at + length > bytes.length) throw new Refused("");
      at += length;
      return bytes.subarray(at - length, at);
    };
    while (at < bytes.length) {
      const key = varint(), number = Math.floor(key / 8), wire = key % 8;
      if (number === 0) throw new Refused("");
      const value = wire === 0 ? varint() : wire === 1 ? take(8) : wire === 5 ? take(4) : wire === 2 ? take(varint()) : null;
      if (value === null) throw new Refused("");
      if (!found.has(number)) found.set(number, []);
      found.get(number).push(value);
    }
    return {
      all: number => found.get(number) || [],
      one: (number, otherwise) => (found.has(number) ? found.get(number)[found.get(number).length - 1] : otherwise),
      text: number => (found.has(number) ? STRINGS().decode(found.get(number)[0]) : ""),
      // Repeated whole numbers, packed into one view or each by itself.
      integers: number => (found.get(number) || []).flatMap(part => (typeof part === "number" ? [part] : varints(part))),
      // Repeated numbers of fixed size, the same.
      bytes: number => joined(found.get(number) || []),
    };
  }

  function varints(bytes) {
    const values = [];
    let value = 0, factor = 1;
    for (const byte of bytes) {
      value += (byte & 127) * factor;
      factor *= 128;
      if (byte & 128) continue;
      values.push(value);
      value = 0;
      factor = 1;
    }
    return values;
  }

  function joined(parts) {
    if (parts.length === 1) return parts[0];
    const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
    parts.reduce((at, part) => { whole.set(part, at); return at + part.length; }, 0);
    return whole;
  }

  // Types of numbers in ONNX -> ours, and the field that holds them where the raw bytes do not.
  const ONNX_TYPES = {1: ["F32", 4], 10: ["F16", 5], 11: ["F64", 10], 16: ["BF16", 5]};

  // Shape of a tensor, and a function that gives its numbers.
  function onnxTensor(tensor) {
    const shape = tensor.integers(1), kind = ONNX_TYPES[tensor.one(2, 0)];
    const values = name => {
      if (tensor.one(14, 0) === 1) throw new Refused(`keeps the numbers of ${name} in another file, which a page cannot open: use the command`);
      const [type, field] = kind, raw = tensor.one(9);
      let found;
      if (raw || field !== 5) found = decode(raw || tensor.bytes(field), type);
      else found = Float64Array.from(tensor.integers(field), type === "F16" ? halves : brain);
      if (found.length !== product(shape)) throw new Refused(`cannot be read: not a whole ONNX file (${name} lacks numbers); ${AGAIN}`);
      return found;
    };
    return {shape, known: Boolean(kind), values};
  }

  // ONNX: a model (graph: field 7) of nodes (1) and initialisers (5).
  function readOnnx(bytes) {
    let nodes, tensors;
    try {
      const graph = fields(bytes).one(7);
      if (!(graph instanceof Uint8Array)) throw new Refused("");
      const parts = fields(graph);
      nodes = parts.all(1).map(readNode);
      tensors = new Map(parts.all(5).map(fields).map(tensor => [tensor.text(8), tensor]));
      for (const {operator, outputs, attributes} of nodes) {
        if (operator === "Constant" && attributes.has("value")) tensors.set(outputs[0], fields(attributes.get("value").one(5)));
      }
    } catch (error) {
      throw new Refused(`cannot be read: not a whole ONNX file; copy or export it again`);
    }
    const found = [], bad = [], left = [], made = new Map(nodes.map(node => [node.outputs[0], node]));
    // Behind what leaves the numbers as they are: a name of its own, and the cast of 16 bits to 32 or 64.
    const stored = (name, depth = 8) => {
      const node = made.get(name), cast = node && node.operator === "Cast" && [1, 11].includes(node.attributes.get("to")?.one(3, 0));
      return tensors.get(name) || (depth && node && (cast || node.operator === "Identity") ? stored(node.inputs[0], depth - 1) : null);
    };
    for (const node of nodes) {
      const group = node.attributes.has("group") ? node.attributes.get("group").one(3, 0) : 1;
      // One group per input channel; with a single channel there is one group as well, which is no depthwise layer.
      if (group < 2) continue;
      const tensor = node.operator === "Conv" ? stored(node.inputs[1]) : null;
      const {shape, known, values} = tensor ? onnxTensor(tensor) : {shape: [], known: false}, axes = shape.length - 2;
      if (!known || ![1, 2].includes(axes)) {
        left.push(`${node.name || node.outputs[0]} (${known ? `${axes}-D` : node.operator})`);
        continue;
      }
      if (!isStack(shape)) continue;
      const name = node.name || node.inputs[1], numbers = values(name);
      if (!numbers.every(Number.isFinite)) bad.push(name);
      found.push(stack(name, shape, numbers, geometry(node.attributes, axes)));
    }
    checkFinite(bad);
    if (left.length) {
      const said = left.slice(0, 3).join(", ") + (left.length > 3 ? ` and ${left.length - 3} more` : "");
      const why = "are quantised, computed, fused, 3-D or transposed";
      if (!found.length) throw new Refused(`has no depthwise filters that this page can match: there are convolutions in groups that ${why}: ${said}; the command reads some of them`);
      found.notes = [`Not looked at, since they ${why}: the convolutions in groups ${said}. The command reads some of them.`];
    }
    return found;
  }

  function readNode(bytes) {
    const node = fields(bytes), list = number => node.all(number).map(part => STRINGS().decode(part));
    const attributes = node.all(5).map(fields);
    return {
      name: node.text(3), operator: node.text(4), inputs: list(1), outputs: list(2),
      attributes: new Map(attributes.map(attribute => [attribute.text(1), attribute])),
    };
  }

  // Stride, padding and dilation, rows first; a 1-D convolution lies along x.
  function geometry(attributes, axes) {
    const list = (name, length, otherwise) =>
      (attributes.has(name) ? attributes.get(name).integers(8) : new Array(length).fill(otherwise));
    const pads = list("pads", 2 * axes, 0), before = pads.slice(0, axes), after = pads.slice(axes);
    const auto = attributes.has("auto_pad") ? attributes.get("auto_pad").text(4) : "NOTSET";
    // Unequal pads, and those that the size of the image decides, are not one number per axis.
    const known = before.every((pad, i) => pad === after[i]) && ["NOTSET", "VALID"].includes(auto);
    const plane = (values, across) => (axes === 1 ? [across, ...values] : values);
    return {
      stride: plane(list("strides", axes, 1), 1), dilation: plane(list("dilations", axes, 1), 1), padding: known ? plane(before, 0) : [],
    };
  }

  const begins = (bytes, text) => [...text].every((letter, i) => bytes[i] === letter.charCodeAt(0));

  // The layers of a file, in its order. Throws `Refused` with one line, without the name of the file.
  function readFilters(bytes, name, wrappers) {
    let layers;
    if (!bytes.length) throw new Refused(`is empty: expected weights; ${AGAIN}`);
    // A byte before the brace that is a brace itself: JSON, not a length.
    if (/\.onnx$/i.test(name)) layers = readOnnx(bytes);
    else if (bytes.length > 8 && bytes[8] === 0x7b && bytes[0] !== 0x7b) layers = readSafetensors(bytes, wrappers);
    else if (bytes[0] === 0x80 || begins(bytes, "PK") || /\.(pth|pt|bin|ckpt|pkl|npz|pt2)$/i.test(name)) {
      throw new Refused(`is of a kind that may hold a pickle, which this page never reads: use the command, keyfilters inspect ${name}`);
    } else if (/\.index\.json$/i.test(name)) throw new Refused("is the index of several files: use the command");
    else if (/\.safetensors$/i.test(name)) throw new Refused(`cannot be read: not a whole safetensors file; ${AGAIN}`);
    else throw new Refused("is no file that this page reads: expected .safetensors or .onnx");
    if (!layers.length) throw new Refused("has no depthwise filters: expected tensors of shape (C, 1, rows, columns) or (C, 1, taps) with C > 1");
    return layers;
  }

  const api = {Refused, readFilters};
  if (typeof module !== "undefined" && module.exports) module.exports = api;
  else root.KeyFilters.weights = api;
})(typeof globalThis !== "undefined" ? globalThis : this);
