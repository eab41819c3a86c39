// What can stand as the model on the first panel, a row each. No document, so node can test it.
//
//   kind     how its answer is coloured; without one that of the key
//   turned   it has an angle, and its scales are those along and across it
//   own      the key's own model: with gamma for key 7, and with intervals
(function (root) {
  "use strict";

  const maths = typeof module !== "undefined" && module.exports ? require("./maths.js") : root.KeyFilters.maths;
  // There is no sampled Gaussian at scale 0: the least that is shown is a tenth.
  const LEAST = 0.1;
  const MIXED = {kind: "derivative", x: "central", y: "central"};

  const scale = (sigma, sampled) => (sampled ? Math.max(sigma, LEAST) : sigma);
  const covariance = ({sx, sy, angle}) => maths.affineCovariance(sx, sy, radians(angle));
  const radians = degrees => (degrees * Math.PI) / 180;

  function straight(row, {sx, sy, gamma, border, kernel}) {
    const sampled = kernel === "sampled";
    return maths.idealFilter(row, scale(sx, sampled), scale(sy, sampled), row.kind === "sharpening" ? gamma : null, border, 7, sampled);
  }

  function withBlob(row, {sx, sy, gamma, border, kernel}, target) {
    const sampled = kernel === "sampled";
    return maths.components(row, target, scale(sx, sampled), scale(sy, sampled), row.kind === "sharpening" ? gamma : null, border, sampled);
  }

  // Each makes {filter} of the key's row, the setting and the normalised learned filter.
  const FORMS = {
    key: {name: "idealised filter", own: true, make: (row, setting) => ({filter: straight(row, setting)})},
    components: {name: "a f + c T + b", make: withBlob},
    mixed: {name: "Txy", kind: "derivative", make: (row, setting) => ({filter: straight(MIXED, setting)})},
    first: {
      name: "first derivative", kind: "derivative", turned: true,
      make: (row, setting) => ({filter: maths.orientedFilter(1, radians(setting.angle), covariance(setting))}),
    },
    second: {
      name: "second derivative", kind: "derivative", turned: true,
      make: (row, setting) => ({filter: maths.orientedFilter(2, radians(setting.angle), covariance(setting))}),
    },
    affine: {
      name: "affine Gaussian", kind: "smoothing", turned: true,
      make: (row, setting) => ({filter: maths.jetFilter("T", covariance(setting))}),
    },
  };

  const make = (form, row, setting, target) => FORMS[form].make(row, setting, target);
  const takesGamma = (form, row) => row.kind === "sharpening" && (form === "key" || form === "components");

  const api = {FORMS, LEAST, covariance, make, takesGamma};
  if (typeof module !== "undefined" && module.exports) module.exports = api;
  else root.KeyFilters.forms = api;
})(typeof globalThis !== "undefined" ? globalThis : this);
