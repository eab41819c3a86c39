// Reads one request from the standard input and answers on the standard output: the page's own formulas, run by node.
"use strict";
const {join} = require("path");
const folder = join(__dirname, "..", "..", "book", "interactive");
const maths = require(join(folder, "maths.js")), fit = require(join(folder, "fit.js"));
const weights = require(join(folder, "weights.js")), inspect = require(join(folder, "inspect.js")), nulls = require(join(folder, "nulls.js"));
const {readFileSync} = require("fs"), {basename} = require("path");

// As the page does with a file that was dropped: its report, or the line that says what is wrong with it.
async function inspection(file, data) {
  try {
    return await inspect.report(basename(file), weights.readFilters(new Uint8Array(readFileSync(file)), basename(file), data.wrappers), data);
  } catch (error) {
    if (error instanceof weights.Refused) return {refused: `${basename(file)} ${error.message}`};
    throw error;
  }
}

// Shares of noise with the second moments of vectors along each line alone, and the eigenvalues of these moments.
function noise({vectors, lines, draws}) {
  const made = carried => nulls.tridiagonal(nulls.moments(vectors, vectors[0].length), carried);
  return {
    values: [...nulls.eigenvalues(made([]))],
    shares: lines.map((line, i) => {
      const carried = [Float64Array.from(line)], band = made(carried);
      return nulls.noise(band, carried, vectors.length, draws, nulls.generator(i + 1));
    }),
  };
}

const answers = {
  noise,
  models: ({cases}) => cases.map(c => maths.idealFilter(c.row, c.sigmaX, c.sigmaY, c.gamma, c.edge, 7, c.sampled)),
  spectra: ({cases}) => cases.map(c => [...maths.spectrum(c.filter, c.n)]),
  gains: ({cases}) => cases.map(c => maths.mixGains(c.filters, c.target)),
  factors: ({cases}) => cases.map(c => [maths.axis(c.row.x, c.sigmaX ** 2, c.edge).own, maths.axis(c.row.y, c.sigmaY ** 2, c.edge).own]),
  gaussians: ({cases}) => cases.map(c => maths.discreteGaussian(c.sigma ** 2, c.radius, c.order)),
  spreads: ({cases}) => cases.map(c => maths.spread(c.filter, c.weight)),
  distances: ({cases}) => cases.map(c => maths.distances(c.model, c.target)),
  convolutions: ({cases}) => cases.map(c => [...maths.convolve(c.image, c.width, c.height, c.filter)]),
  fits: ({rows, cases}) => cases.map(c => fit.fitAll(rows, c.filter, c.objective, c.edge)),
  texts: ({cases}) => cases.map(text => require(join(folder, "state.js")).readFilter(text)),
  addresses: ({cases}) => cases.map(text => require(join(folder, "state.js")).readHash(text)),
  inspections: ({data, files}) => Promise.all(files.map(file => inspection(file, data))),
  forms: ({cases}) => cases.map(c => require(join(folder, "forms.js")).make(c.form, c.row, c.setting, c.target)),
  affine: ({cases}) => cases.map(c => maths.affineGaussian(c.covariance, c.radius)),
  limits: () => ({top: fit.TOP, gamma: fit.GAMMA_MAX}),
};

const request = JSON.parse(readFileSync(0, "utf8"));
Promise.resolve(answers[request.what](request)).then(answer => process.stdout.write(JSON.stringify(answer)));
