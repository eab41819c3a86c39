"""Formulas as keys and as words: one form for formulas that look the same, and spellings for titles and the search."""

from __future__ import annotations

import re

_GREEK = dict(
    zip(
        "alpha beta gamma delta epsilon theta kappa lambda mu xi pi rho sigma varphi phi psi omega Phi Sigma".split(),
        "αβγδεθκλμξπρσφφψωΦΣ",
        strict=True,
    )
)
# LaTeX -> (ASCII, Unicode)
_SIGNS = {
    "nabla": ("nabla", "∇"),
    "ell": ("ell", "ℓ"),
    "pm": ("+-", "±"),
    "infty": ("infinity", "∞"),
    "times": ("x", "×"),
    "cdot": (".", "·"),
    "ge": (">=", "≥"),
    "le": ("<=", "≤"),
    "approx": ("~", "≈"),
    "sqrt": ("sqrt ", "√"),
    "hat": ("hat ", "hat "),
    "tilde": ("tilde ", "tilde "),
}
_SIGNS |= {name: (name.removeprefix("var"), letter) for name, letter in _GREEK.items()}
_SPACE = re.compile(r"\\[,;:! ]|\\q?quad\b|\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])|\s+|~")
_BARS = re.compile(r"\\[lr]?vert(?![A-Za-z])")
_DOUBLE = re.compile(r"\\[lr]?Vert(?![A-Za-z])|\\\|")
_WRAPPED = re.compile(r"\\(?:mathrm|mathbf|mathcal|operatorname|text)\s*\{([^{}]*)\}")


def canonical(latex: str) -> str:
    r"""One form for formulas that are typeset alike.

    >>> canonical(r"M(\lvert h \rvert)") == canonical("M(|h|)")
    True
    >>> canonical(r"\sigma_{x}") == canonical(r"\sigma_x")
    True
    """
    text = re.sub(r"\{(\{[^{}]*\})\}", r"\1", _WRAPPED.sub(r"{\1}", latex))
    text = _DOUBLE.sub("‖", _BARS.sub("|", text))
    # A command ends where its letters do: a space behind it is kept as a boundary until the letters are replaced.
    text = re.sub(r"\\([A-Za-z]+)\s*", r"\\\1 ", text)
    text = re.sub(r"\\(left|right|[bB]igg?[lr]?) ", "", text)
    text = _SPACE.sub(" ", text)
    text = re.sub(r"(\\[A-Za-z]+) ", r"<\1>", text).replace(" ", "")
    return re.sub(r"\{([A-Za-z0-9]|<\\[A-Za-z]+>)\}", r"\1", text)


def _words(latex: str, column: int) -> str:
    text = _WRAPPED.sub(r"{\1}", latex)
    text = _DOUBLE.sub(("||", "‖")[column], _BARS.sub("|", text))
    text = re.sub(r"\\frac\s*(\{[^{}]*\}|\w)\s*(\{[^{}]*\}|\w)", r"\1/\2", text)
    text = re.sub(r"\\,|\\!|\\;|\\left|\\right", "", text)
    text = re.sub(r"\\([A-Za-z]+)\s?", lambda found: _SIGNS.get(found[1], (found[1] + " ", found[1] + " "))[column], text)
    return " ".join(re.sub(r"[{}\\]", "", text).split())


def spellings(latex: str) -> tuple[str, ...]:
    r"""A formula in ASCII and in Unicode, as one would type it; one spelling where they are the same.

    >>> spellings(r"\delta_{x+}")
    ('delta_x+', 'δ_x+')
    >>> spellings(r"M(\lvert h \rvert)")
    ('M(|h|)',)
    """
    both = [re.sub(r"([|‖(]+) ?(\w[^|‖()]*?) ?([|‖)]+)", r"\1\2\3", _words(latex, column)) for column in (0, 1)]
    return tuple(dict.fromkeys(both))


def identifier(latex: str) -> str:
    r"""A name for an anchor.

    >>> identifier(r"\delta_{x+}")
    'symbol-delta-x-plus'
    """
    words = _words(latex, 0).replace("+", " plus ").replace("||", " norm ").replace("|", " abs ")
    words = re.sub(r"-(?!\w)", " minus ", words)
    return "symbol-" + re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-")
