"""The fixed codes of LeNet-5's output units: pictures of clothes, or random signs.

In 1998 the code of a class was a stylised picture of its character, 7 pixels wide and 12 high, +1 for black and -1 for
white, so that characters that look alike have codes that lie near each other. Fashion-MNIST has no characters. The
pictures below were drawn for this library, in the order of its classes.
"""

from __future__ import annotations

import numpy as np

from keyfilters.checks import choice, integer

CODE_ROWS, CODE_COLUMNS = 12, 7

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
"""Classes of Fashion-MNIST, in the order of their numbers."""

_CLOTHES = (
    "......./.##.##./#######/#######/#.###.#/..###../..###../..###../..###../..###../..###../.......",
    "......./.#####./.#####./.#####./.##.##./.##.##./.##.##./.##.##./.##.##./.##.##./.##.##./.......",
    "......./.##.##./#######/#######/#######/#.###.#/#.###.#/#.###.#/#.###.#/#.###.#/..###../.......",
    "..#.#../..#.#../..###../..###../..###../..###../.#####./.#####./.#####./#######/#######/.......",
    ".#...#./###.###/###.###/###.###/###.###/###.###/###.###/###.###/###.###/.##.##./.##.##./.##.##.",
    "......./......./.....##/....#.#/...#..#/..#.#.#/.#...##/#.#...#/###...#/..###.#/....###/......#",
    ".#...#./.##.##./#######/###.###/#######/#.#.#.#/#.###.#/..#.#../..###../..#.#../..###../.......",
    "......./......./......./......./......./....##./...####/.######/#######/#######/......./.......",
    "......./..###../.#...#./.#...#./#######/#######/#.....#/#######/#######/#######/#######/.......",
    "......./...####/...####/...####/...####/...####/..#####/.######/#######/#######/##...##/.......",
)


def _clothes(seed: int) -> np.ndarray:
    return np.array([[1.0 if p == "#" else -1.0 for p in picture if p != "/"] for picture in _CLOTHES])


def _random(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice((-1.0, 1.0), size=(len(CLASSES), CODE_ROWS * CODE_COLUMNS))


CODES = {"clothes": _clothes, "random": _random}
"""Kind of code -> function of the seed; only random signs depend on it."""


def output_codes(kind: str = "clothes", seed: int = 0) -> np.ndarray:
    """Return the codes of the ten classes, +1 and -1.

    Parameters
    ----------
    kind : {"clothes", "random"}
        Pictures 12 pixels high and 7 wide, row after row; or independent random signs.
    seed : int
        Of the random signs.

    Returns
    -------
    ndarray, shape (10, 84)

    Raises
    ------
    ValueError
        For an unknown kind or a seed that is no integer >= 0.

    Source: LeCun, Bottou, Bengio and Haffner (1998) for the idea; the pictures are this library's own.

    Examples
    --------
    >>> codes = output_codes()
    >>> codes.shape, sorted(set(codes.ravel().tolist()))
    ((10, 84), [-1.0, 1.0])
    >>> print("\\n".join("".join("-#"[int(p > 0)] for p in row) for row in codes[7].reshape(12, 7)[5:10]))
    ----##-
    ---####
    -######
    #######
    #######
    """
    return CODES[choice(kind, CODES, "kind")](integer(seed, "seed", 0))


def code_distances(codes) -> np.ndarray:
    """Return the number of places in which each pair of codes differs, shape (K, K).

    The squared distance of two codes of signs is four times that.

    Examples
    --------
    >>> code_distances([[1, 1, -1], [1, -1, 1]]).tolist()
    [[0, 2], [2, 0]]
    """
    codes = np.asarray(codes)
    return (codes[:, None] != codes[None]).sum(axis=-1)
