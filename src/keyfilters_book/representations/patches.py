"""Patches of natural images, and whitening: what unsupervised layers learn from, and how it is prepared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keyfilters.checks import choice, finite, integer
from keyfilters_book.representations.sizes import shaped

WHITENINGS = ("pca", "zca")


@dataclass(frozen=True)
class Patches:
    """Square pieces of luminance images.

    Attributes
    ----------
    values : ndarray, shape (N, n, n)
        Each without its mean. Row 0 is on top.
    groups : ndarray of str, shape (N,)
        The photograph of each: patches of one photograph are not independent.
    """

    values: np.ndarray
    groups: np.ndarray

    @property
    def vectors(self) -> np.ndarray:
        """The patches as rows, shape (N, n * n)."""
        return self.values.reshape(len(self.values), -1)

    def of(self, names) -> Patches:
        """The patches of the photographs of these names."""
        chosen = np.isin(self.groups, list(names))
        if not chosen.any():
            raise ValueError(
                f"no patch is of {', '.join(map(str, names))}: expected names among {', '.join(np.unique(self.groups))}"
            )
        return Patches(self.values[chosen], self.groups[chosen])


def luminance(image, reduce: int = 1) -> np.ndarray:
    """Return the mean over the colours of an image, averaged over blocks, with mean 0 and standard deviation 1.

    Parameters
    ----------
    image : array_like, shape (rows, columns, 3)
    reduce : int
        Side of the blocks in pixels. Averages of 2 x 2 blocks take off most of what compression and the
        colour filters of cameras leave in the finest scale. What no block covers is cut off.

    Returns
    -------
    ndarray, shape (rows // reduce, columns // reduce)

    Raises
    ------
    ValueError
        For another shape, a constant image, or a block larger than the image.

    Examples
    --------
    >>> luminance(np.arange(48).reshape(4, 4, 3), reduce=2).round(2).tolist()
    [[-1.21, -0.73], [0.73, 1.21]]
    """
    image = finite(image, "image")
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image has shape {image.shape}: expected (rows, columns, 3)")
    reduce = integer(reduce, "reduce")
    rows, columns = (side // reduce for side in image.shape[:2])
    if not rows or not columns:
        raise ValueError(
            f"reduce is {reduce} for an image of {image.shape[0]} x {image.shape[1]} pixels: expected at most its sides"
        )
    grey = image.mean(axis=2)[: rows * reduce, : columns * reduce]
    grey = grey.reshape(rows, reduce, columns, reduce).mean(axis=(1, 3))
    spread = grey.std()
    if spread <= 1e-12 * np.abs(grey).max(initial=1.0):
        raise ValueError("image is constant: expected one with contrast")
    return (grey - grey.mean()) / spread


def sample_patches(images, size: int, count: int, seed: int = 0, keep_mean: bool = False) -> Patches:
    """Return ``count`` patches at random places, as many of each image (up to one), each without its mean.

    Parameters
    ----------
    images : dict of str to array_like, shape (rows, columns)
        Name to luminance, see :func:`luminance`.
    size, count : int
        Side in pixels; patches in all.
    seed : int
    keep_mean : bool
        Leave the means in.

    Raises
    ------
    ValueError
        For no images, one that is no matrix or smaller than ``size``, and counts below 1.

    Examples
    --------
    >>> drawn = sample_patches({"a": np.eye(9), "b": np.eye(7)}, size=5, count=3)
    >>> drawn.values.shape, drawn.groups.tolist(), bool(np.abs(drawn.values.mean(axis=(1, 2))).max() < 1e-15)
    ((3, 5, 5), ['a', 'b', 'a'], True)
    """
    size, count = integer(size, "size"), integer(count, "count")
    if not images:
        raise ValueError("images is empty: expected at least one photograph")
    arrays = {}
    for name, image in images.items():
        arrays[name] = finite(image, f"image {name}")
        if arrays[name].ndim != 2 or min(arrays[name].shape) < size:
            raise ValueError(f"image {name} has shape {arrays[name].shape}: expected (rows, columns), both at least {size}")
    rng, names = np.random.default_rng(seed), list(arrays)
    values = np.empty((count, size, size))
    for i in range(count):
        image = arrays[names[i % len(names)]]
        row, column = (int(rng.integers(side - size + 1)) for side in image.shape)
        values[i] = image[row : row + size, column : column + size]
    if not keep_mean:
        values -= values.mean(axis=(1, 2), keepdims=True)
    return Patches(values, np.array([names[i % len(names)] for i in range(count)]))


@dataclass(frozen=True)
class Whitening:
    """A linear map after which patches are uncorrelated and of unit variance; see :func:`whiten`.

    Attributes
    ----------
    kind : str
    mean : ndarray, shape (d,)
    variances : ndarray, shape (k,)
        Of the principal components that are kept, largest first.
    axes : ndarray, shape (d, k)
        Those components, in columns of unit norm.
    """

    kind: str
    mean: np.ndarray
    variances: np.ndarray
    axes: np.ndarray

    @property
    def forward(self) -> np.ndarray:
        """The whitening matrix: (k, d) for "pca", (d, d) for "zca"."""
        scaled = self.axes.T / np.sqrt(self.variances)[:, None]
        return scaled if self.kind == "pca" else self.axes @ scaled

    @property
    def backward(self) -> np.ndarray:
        """Its pseudo-inverse."""
        scaled = self.axes * np.sqrt(self.variances)
        return scaled if self.kind == "pca" else scaled @ self.axes.T

    def apply(self, vectors) -> np.ndarray:
        """Whitened rows, shape (N, k) or (N, d)."""
        return (np.asarray(vectors, dtype=np.float64) - self.mean) @ self.forward.T

    def undo(self, whitened) -> np.ndarray:
        """Rows (N, d) that lead to these whitened ones; what the kept components do not hold is lost."""
        return np.asarray(whitened, dtype=np.float64) @ self.backward.T + self.mean


def whiten(vectors, kind: str = "zca", components: int | None = None) -> Whitening:
    r"""Find the whitening of a set of vectors.

    With the covariance :math:`\Sigma = E \Lambda E^\top` (eigenvalues :math:`\lambda_1 \ge \lambda_2 \ge \dots`)
    and the first k columns :math:`E_k`:

    .. math::

        W_{\mathrm{pca}} = \Lambda_k^{-1/2} E_k^\top, \qquad
        W_{\mathrm{zca}} = E_k \Lambda_k^{-1/2} E_k^\top .

    Then :math:`W_{\mathrm{pca}} \Sigma W_{\mathrm{pca}}^\top = I_k`, and
    :math:`W_{\mathrm{zca}} \Sigma W_{\mathrm{zca}}^\top = E_k E_k^\top`, which is the identity where all
    components are kept. Any rotation of white data is white; of all whitening matrices the symmetric one,
    ZCA, changes the data least (in mean square).

    Parameters
    ----------
    vectors : array_like, shape (N, d)
    kind : str
        "pca" or "zca".
    components : int, optional
        k; by default as many as have a variance above 1e-10 of the largest. Patches without their means
        have at most d - 1.

    Raises
    ------
    ValueError
        For anything but a finite matrix with at least 2 rows, an unknown kind, no variance at all, or more
        components than have variance.

    Source: Bell and Sejnowski (1997) for ZCA.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((500, 3)) @ np.array([[2, 1, 0], [0, 1, 0], [0, 0, 0.1]])
    >>> white = whiten(x).apply(x)
    >>> np.abs(np.cov(white.T, bias=True) - np.eye(3)).max() < 1e-12
    np.True_
    """
    x = shaped(vectors, "vectors", 2, "(N, d) with at least 2 rows", least=2)
    choice(kind, WHITENINGS, "kind")
    mean = x.mean(axis=0)
    rest = x - mean
    values, axes = np.linalg.eigh(rest.T @ rest / len(x))
    values, axes = values[::-1], axes[:, ::-1]
    if not values[0] > 0:
        raise ValueError("vectors are all equal: expected some that vary")
    available = int((values > 1e-10 * values[0]).sum())
    k = available if components is None else integer(components, "components")
    if k > available:
        raise ValueError(f"components is {k} but only {available} have variance: expected at most as many")
    axes = axes[:, :k]
    # The sign of an eigenvector is free; the largest entry is made positive.
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(k)])
    return Whitening(kind, mean, values[:k].copy(), axes * signs)


def whitened_images(images, whitening: Whitening) -> dict[str, np.ndarray]:
    """Return images filtered by the middle row of a ZCA whitening, each with mean 0 and standard deviation 1.

    The middle filter of ZCA, as a correlation, makes of a patch the white value of its middle pixel; passed over
    the image it whitens what lies inside. The border, where the filter does not fit, is cut off.

    Parameters
    ----------
    images : dict of str to array_like, shape (rows, columns)
    whitening : Whitening
        Of kind "zca", of patches with an odd side.

    Raises
    ------
    ValueError
        For a whitening of another kind or with an even side.

    Examples
    --------
    >>> w = whiten(np.eye(9))
    >>> whitened_images({"a": np.random.default_rng(0).random((6, 7))}, w)["a"].shape
    (4, 5)
    """
    from scipy.signal import fftconvolve

    side = int(round(np.sqrt(len(whitening.mean))))
    if whitening.kind != "zca" or side**2 != len(whitening.mean) or side % 2 == 0:
        raise ValueError(
            f"whitening is {whitening.kind} of {len(whitening.mean)} numbers: expected zca of patches with an odd side"
        )
    kernel = whitening.forward[len(whitening.mean) // 2].reshape(side, side)
    out = {}
    for name, image in images.items():
        # A correlation is a convolution with the mirrored kernel.
        white = fftconvolve(finite(image, f"image {name}"), kernel[::-1, ::-1], mode="valid")
        out[name] = (white - white.mean()) / white.std()
    return out
