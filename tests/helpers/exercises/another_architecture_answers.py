"""Answers to the exercises of chapter 20: a right one each, and wrong ones with a word of their hint."""

WIDE = {"1.0": 2, "2.0": 4, "3.0": 8, "5.0": 16}


def _off(shifts):
    return sum(WIDE[name] * (d + 0.5) for name, d in shifts.items())


ANSWERS = {
    "20.1": (
        lambda: (0.5, -0.5),
        [
            ((-0.5, 0.5), "as it is"),
            ((0.5, 0.5), "downwards"),
            ((0, 0), "odd kernel"),
            ((1.5, -1.5), "number of zeros"),
            (0.5, "shape"),
        ],
    ),
    "20.2": (
        lambda: {"mean": (-0.095, 0.095), "shift": (-0.5, 0.5)},
        [
            ({"mean": (-0.5, 0.5), "shift": (-0.5, 0.5)}, "shift itself"),
            ({"mean": (-0.5, 0.5), "shift": (-0.095, 0.095)}, "exchanged"),
            ({"mean": (-0.095, 0.095), "shift": (0.5, -0.5)}, "other side"),
            ({"mean": (-0.095, 0.095), "shift": (-0.3, 0.3)}, "doubled"),
            ({"mean": (-0.32, 0.32), "shift": (-0.5, 0.5)}, "mean of |w|"),
            ({"mean": (0.0, 0.0), "shift": (-0.5, 0.5)}, "The mean is off"),
            ([(-0.1, 0.1), (-0.5, 0.5)], "in this order"),
        ],
    ),
    "20.3": (
        lambda: _off,
        [
            (lambda d: sum(WIDE[n] * v for n, v in d.items()), "not 0"),
            (lambda d: sum(WIDE[n] * (v - 0.5) for n, v in d.items()), "leave the grid"),
            (lambda d: -_off(d), "sign"),
            (lambda d: sum(v + 0.5 for v in d.values()), "wider"),
            (lambda d: 2 * _off(d), "output"),
            (lambda d: 30 * (sum(d.values()) / 4 + 0.5), "own deviation"),
            (15.0, "function"),
        ],
    ),
}
