"""Answers to the exercises of chapter 26: a right one each, and wrong ones with a word of their hint."""

from keyfilters_book.background.trajectories import relu_growth

GOOD = {"first": (78_400, 0.82), "layer 2": (10_000, 0.79), "layer 8": (10_000, 0.71), "readout": (1000, 0.66)}


def _built(calm, factor=8**0.5, border=4, last=9):
    wild = [w * factor for w in calm]
    return {"wild before": [*wild[:border], *calm[border:]], "wild behind": [*calm[:border], *wild[border:last], *calm[last:]]}


def _exchanged(calm):
    one, other = _built(calm).values()
    return {"wild before": other, "wild behind": one}


ANSWERS = {
    "26.1": (
        lambda: 1 / relu_growth(1.0, 5) ** 2,
        [
            (2, "wide layers"),
            (1 / relu_growth(1.0, 5), "standard deviation"),
            (relu_growth(1.0, 5) ** 2, "variance 1"),
            (2.5, "exact factor"),
            ("two", "one number"),
        ],
    ),
    "26.2": (
        lambda: GOOD,
        [
            ({name: (2 * n, a) for name, (n, a) in GOOD.items()}, "Count one"),
            (GOOD | {"readout": (1010, 0.66)}, "without biases"),
            ({name: (n, 100 * a) for name, (n, a) in GOOD.items()}, "per cent"),
            ({name: (n, 0.1) for name, (n, _) in GOOD.items()}, "Guessing"),
            ({name: (n, 0.7) for name, (n, _) in GOOD.items()}, "equal"),
            (GOOD | {"readout": (1000, 0.8)}, "counted from 0"),
            (GOOD | {"layer 2": (10_000, 0.70)}, "figure"),
            (GOOD | {"first": 0.8}, "pair"),
        ],
    ),
    "26.3": (
        lambda: _built,
        [
            (_exchanged, "exchanged"),
            (lambda calm: _built(calm, factor=8), "multiplies weights"),
            (lambda calm: _built(calm, factor=2), "variance 16"),
            (lambda calm: _built(calm, border=5), "border"),
            (lambda calm: _built(calm, last=8), "readout"),
            (lambda calm: _built(calm[:8]), "nine stacks"),
            (lambda calm: calm, "in this order"),
        ],
    ),
}
