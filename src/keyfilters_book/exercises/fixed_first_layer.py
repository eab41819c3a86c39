"""Checks of chapter 28, a fixed first layer and a learned classifier."""

from __future__ import annotations

import numpy as np

from .verdict import Hint, array, call, choice, exercise, hint_if, hints, mapping

__all__ = ["check_28_1", "check_28_2", "check_28_3"]

_CHANGES = {
    "factor": lambda f: 7 * f,
    "zeros": lambda f: np.pad(f, ((0, 0), (0, 9))),
    "order": lambda f: f[:, ::-1],
    "every second": lambda f: f * np.where(np.arange(f.shape[1]) % 2, 10, 1),
}


@exercise(
    "four times True where a prediction can change, else False: factor, zeros, order, every second",
    answers="factor_matters zeros_matter order_matters every_second_matters",
)
def check_28_1(answer):
    """Which changes of the features the ridge regression of the chapter notices."""
    from ..representations.classifier import fit_classifier

    found = mapping(answer, list(_CHANGES))
    for name in _CHANGES:
        hint_if(not isinstance(found[name], bool | np.bool_), f"{name}: True or False is expected.")
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    features = rng.normal(size=(400, 12)) + 0.8 * np.eye(12)[labels]

    def predictions(change):
        model = fit_classifier(change(features[:300]), labels[:300], held=100)
        return model.scores(change(features[300:])).argmax(axis=1)

    plain = predictions(lambda f: f)
    hints = {
        "factor": "factor: by what is the penalty multiplied before it is added?",
        "zeros": "zeros: what do they add to inner products of features, and to their trace?",
        "order": "order: is any feature treated otherwise than the others?",
        "every second": "every second: after that, is a unit of weight as cheap for each feature as before?",
    }
    for name, change in _CHANGES.items():
        if bool(found[name]) != bool((predictions(change) != plain).any()):
            raise Hint(hints[name])


@exercise('three words out of "linear", "modulus", "low-pass"', answers="soft_at_0 even_soft_at_0 both_at_large_t")
def check_28_2(answer):
    """What the two thresholds of a wavelet basis become at the ends of the range of t."""
    from ..representations.features import representation

    cases = {"soft at 0": ("soft", 0.0), "even-soft at 0": ("even-soft", 0.0), "both at large t": ("soft", 1e6)}
    found = mapping(answer, list(cases))
    words = {name: choice(found[name], ["linear", "modulus", "low-pass"], name) for name in cases}
    images = np.random.default_rng(0).random((3, 28, 28)).astype(np.float32)
    ends = {kind: representation("wavelet basis", kind=kind, t=0.0)(images) for kind in ("linear", "modulus")}
    hints = {
        "soft at 0": "soft at 0: put t = 0 into the formula. What happens to the sign?",
        "even-soft at 0": "even-soft at 0: put t = 0 into the formula. What happens to the sign?",
        "both at large t": "both at large t: which coefficients are left if every detail is below the threshold?",
    }
    for name, (kind, t) in cases.items():
        features = representation("wavelet basis", kind=kind, t=t)(images)
        right = next((end for end, known in ends.items() if np.allclose(features, known, atol=1e-6)), "low-pass")
        if words[name] != right:
            raise Hint(hints[name])


@exercise(
    "a function of features and labels to learn from and of other features that returns the classes of the latter",
    "Rotations and units of the features make no difference to it.",
    answers="logistic_classes",
)
def check_28_3(answer):
    """Multinomial logistic regression with a quadratic penalty, on features divided by one number."""
    rng = np.random.default_rng(0)
    labels = np.arange(360) % 3
    features = 0.5 * rng.normal(size=(360, 4))
    features[:, 0] += 3.0 * (labels - 1)  # three classes in a row
    features[:, 1] *= 30  # a strong feature that says nothing
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]

    def predicted(change, what):
        f = change(features)
        return array(call(answer, f[:240], labels[:240], f[240:]), [120], what)

    plain = predicted(lambda f: f, "the classes")
    truth = labels[240:]
    hints(
        (not np.isin(plain, labels).all(), "Classes are expected, with the names that the labels have."),
        (
            (plain == 1).mean() < 0.15,
            "Of three classes in a row the middle one is hardly ever chosen: that is a regression on indicators.",
        ),
        (
            (plain == truth).mean() < 0.9,
            "It does not classify an easy case: are mean and unit of the other features those of the training features?",
        ),
    )
    tolerance = 2 / len(truth)
    hint_if(
        (predicted(lambda f: f @ turn, "for turned features the result") != plain).mean() > tolerance,
        "It changes if the features are turned: features divided by a number each are another penalty.",
    )
    for factor in (1e-3, 1e3):
        hint_if(
            (predicted(lambda f, a=factor: a * f, "for scaled features the result") != plain).mean() > tolerance,
            "It changes with the unit of the features: divide all by one number that has this unit.",
        )
