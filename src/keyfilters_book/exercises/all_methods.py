"""Checks of chapter 11, all methods side by side."""

from __future__ import annotations

import numpy as np

from keyfilters.fitting import METHODS, fit
from keyfilters.normalization import normalized_filters

from .verdict import Hint, array, call, exercise, hint_if, hints, near

__all__ = ["check_11_1", "check_11_2", "check_11_3"]


def _pairs():
    """Some models with their filters."""
    targets = normalized_filters()
    return [(fit(key, method).model(), targets[key - 1]) for key, method in ((1, "C1"), (5, "A"), (7, "D1"))]


@exercise("a function of model and filter that returns the three numbers e1, e2 and the cosine", answers="measures")
def check_11_1(answer):
    """The three measures of similarity."""
    for model, h in _pairs():
        found = array(call(answer, model, h), [3], "what the function returns")
        rest = model - h
        e1, e2 = np.abs(rest).sum() / np.abs(h).sum(), np.linalg.norm(rest) / np.linalg.norm(h)
        cosine = (model * h).sum() / np.linalg.norm(model) / np.linalg.norm(h)
        right = np.array([e1, e2, cosine])
        others = [np.abs(rest).sum() / np.abs(model).sum(), np.linalg.norm(rest) / np.linalg.norm(model)]
        wrong = [name for name, a, b in zip(("e1", "e2", "the cosine"), found, right, strict=True) if not near(a, b)]
        hints(
            (
                near(found[:2], others),
                "The errors are relative to something. Which of the two arrays is what one wants to explain?",
            ),
            (near(found[1], e2**2), "The second measure is a ratio of norms, not of energies."),
            (
                near(found[2], np.corrcoef(model.ravel(), h.ravel())[0, 1]) and not near(found[2], cosine),
                "That is the correlation coefficient: the cosine takes no means off.",
            ),
            (
                near(found[1], np.linalg.norm(rest, 2) / np.linalg.norm(h, 2)),
                "For a matrix some functions take the spectral norm; here 49 numbers form one vector.",
            ),
            right=near(found, right),
            otherwise=f"{' and '.join(wrong)}: not as defined. Do the sums run over all 49 pixels?",
        )


@exercise(
    "a function of model and filter that returns the best amplitude and the share of the energy that remains", answers="refit"
)
def check_11_2(answer):
    """The amplitude of least squares."""
    for model, h in _pairs():
        found = array(call(answer, model, h), [2], "what the function returns")
        product, energy, of_model = (model * h).sum(), (h**2).sum(), (model**2).sum()
        amplitude = product / of_model
        hints(
            (
                near(found[0], product / energy) and not near(found[0], amplitude),
                "That amplitude would fit the filter to the model. Which of the two is multiplied by it?",
            ),
            (not near(found[0], amplitude), "The amplitude is not the best one: where is the vertex of the parabola in a?"),
        )
        remaining = ((amplitude * model - h) ** 2).sum() / energy
        hints(
            (near(found[1], 1 - remaining), "That is the share that is explained; what remains is asked for."),
            (
                near(found[1], ((model - h) ** 2).sum() / energy),
                "That remains with the amplitude of the normalisation, not with the best one.",
            ),
            (near(found[1], np.sqrt(remaining)), "That is a ratio of norms; energies are squares."),
            (not near(found[1], remaining), "The amplitude is right. Insert it, and divide by the energy of the filter."),
        )


@exercise('the names of the methods, a set such as {"A", "B"}', answers="unbiased")
def check_11_3(answer):
    """Which methods return the scales of a model that is handed in as the filter."""
    hint_if(
        isinstance(answer, str) or not all(isinstance(name, str) for name in answer),
        "Give the names as a set or list of words.",
    )
    names = {name.strip() for name in answer}
    if not names or names - set(METHODS):
        raise Hint(f"The names are among {', '.join(METHODS)}.")
    source = fit(5, "D1")
    right = set()
    for method in METHODS:
        found = fit(5, method, filter=source.model(), normalized=True)
        if max(abs(found.sigma_x - source.sigma_x), abs(found.sigma_y - source.sigma_y)) < 1e-6:
            right.add(method)
    too_many, missing = names - right, right - names
    hints(
        (too_many & {"C2", "D2"}, "Can one scale for both axes return two different ones?"),
        ("A" in too_many, "Is the formula of method A one for discrete filters, or for continuous ones?"),
        (missing & {"C1", "D1"}, "What is the norm of the difference between a model and itself?"),
        (missing, "One is missing: which method compares a spread of the filter with the same spread of the model?"),
    )
