"""What a notebook shows: figures, tables and numbers, with the data behind them.

In a build, which names a folder for results in `KEYFILTERS_RESULTS`, each function writes the data there and then shows the
object as the book needs it. The files hold nothing that changes from run to run, so two runs write the same bytes. In plain
Jupyter or Colab the same cells run and show the same figures and tables, the numbers, which only the book puts into its
text, are printed, and nothing is written.

>>> import os, tempfile
>>> import pandas as pd
>>> os.environ["KEYFILTERS_RESULTS"] = tempfile.mkdtemp()
>>> table(pd.DataFrame({"key": [1, 2], "sigma": [0.5, 0.25]}), "tbl-example", caption="Two scales.")
>>> print((results_folder() / "tbl-example.csv").read_text())
key,sigma
1,0.5
2,0.25
<BLANKLINE>
>>> del os.environ["KEYFILTERS_RESULTS"]
"""

from __future__ import annotations

import html
import io
import json
import math
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from keyfilters.output import written

from .claims import CLAIMS, read_claims

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "ParameterError",
    "at_least",
    "claim",
    "figure",
    "names",
    "number",
    "numbers",
    "of_all",
    "power_of_ten",
    "results_folder",
    "table",
]

RESULTS = "KEYFILTERS_RESULTS"
"""The build sets this variable to the folder for results of the notebook that it executes."""

_NOTEBOOK = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MISSING = "–"
# In a sentence a number has a minus, not a hyphen; a hyphen within a word, a range or an exponent stays.
_MINUS = re.compile(r"(?<![\w.)-])-(?=[\d.])")
_PNG_DPI = 144
# A slide shows a figure about 1.7 CSS pixels to the point: 11 points are then 18 pixels of its 720. Inches of a figure beside
# its text, and of a wide one above it.
_SLIDE_TEXT = 11.0
_BESIDE, _ABOVE, _WIDE = (5.7, 3.95), (9.2, 2.6), 1.7


class ParameterError(ValueError):
    """A notebook cannot run with this parameter; Jupyter and the build show the one line, no traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def at_least(least: float, /, *, most: float | None = None, entries: int | None = None, **parameters: Any) -> None:
    """Check parameters of the notebook before anything is computed with them.

    Parameters
    ----------
    least, most : the smallest and (where there is one) the largest value that makes sense; where `least` is an int,
        the values must be whole numbers, where it is a float, finite numbers
    entries : for parameters that are lists, the fewest entries, all of them different; `least` and `most` hold for each
    parameters : the notebook's parameters under their own names, as in ``page.at_least(2, draws=draws)``

    Raises `ParameterError`, one line that names the parameter, its value and what to set it to.

    >>> at_least(2, draws=2)
    >>> at_least(2, draws=1)
    Traceback (most recent call last):
    keyfilters_book.page.ParameterError: draws is 1; set it to a whole number of at least 2
    >>> at_least(0.0, most=1.0, share=2)
    Traceback (most recent call last):
    keyfilters_book.page.ParameterError: share is 2; set it to a number from 0 to 1
    >>> at_least(0, entries=2, seeds=[7])
    Traceback (most recent call last):
    keyfilters_book.page.ParameterError: seeds is [7]; set it to a list of 2 or more, all different, each a whole number of at least 0
    """
    whole = isinstance(least, int)

    def fits(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
            return False
        return math.isfinite(value) and least <= value and (most is None or value <= most)

    wanted = f"a {'whole ' if whole else ''}number " + (
        f"of at least {least:g}" if most is None else f"from {least:g} to {most:g}"
    )
    for name, value in parameters.items():
        if entries is None:
            if not fits(value):
                raise ParameterError(f"{name} is {value!r}; set it to {wanted}")
        # The same seed twice would be a sample of two without a standard error.
        elif not isinstance(value, list | tuple) or not all(map(fits, value)) or len(set(value)) < max(entries, len(value)):
            raise ParameterError(f"{name} is {value!r}; set it to a list of {entries} or more, all different, each {wanted}")


def names(known: Iterable[str], /, *, needed: Iterable[str] = (), **parameters: Any) -> None:
    """Check parameters of the notebook that are lists of names, such as the variants that are trained.

    Parameters
    ----------
    known, needed : the names that mean something, and those that the page cannot do without
    parameters : as for `at_least`

    Raises `ParameterError` as that does.

    >>> names(("learned", "random"), needed=["learned"], variants=["random"])
    Traceback (most recent call last):
    keyfilters_book.page.ParameterError: variants is ['random']; set it to a list of names, each once, with learned, from learned, random
    """
    known, needed = list(known), list(needed)
    wanted = f"a list of names, each once{', with ' if needed else ''}{' and '.join(needed)}, from {', '.join(known)}"
    for name, value in parameters.items():
        fits = isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value)
        if not fits or len(set(value)) < len(value) or not set(needed) <= set(value) <= set(known):
            raise ParameterError(f"{name} is {value!r}; set it to {wanted}")


def power_of_ten(value: float) -> float:
    """The least power of ten at or above a rounding error: its bound.

    The digits of a rounding error depend on the order in which a processor adds; a page states the bound instead.
    It is never below 1e-14, which is what rounding may do to a sum of 49 numbers of size 1: a smaller error, and one
    that happens to be 0, is luck. Raises `ValueError` for a negative or infinite value.

    >>> power_of_ten(3e-13), power_of_ten(1e-13), power_of_ten(0)
    (1e-12, 1e-13, 1e-14)
    """
    if not 0 <= value < math.inf:
        raise ValueError(f"value is {value}; expected the size of an error, at least 0 and finite")
    # Decimal knows the exponent exactly, where a logarithm would round.
    exact = Decimal(repr(max(float(value), 1e-14)))
    exponent = exact.adjusted()
    return float(f"1e{exponent if exact == Decimal(1).scaleb(exponent) else exponent + 1}")


_COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def of_all(count: int, total: int) -> str:
    """How many of all, as a sentence has it: "for all four keys", not "for 4 of 4 keys".

    Raises `ValueError` for a count that is negative or above the total.

    >>> of_all(4, 4), of_all(3, 4), of_all(0, 4)
    ('all four', 'three of the four', 'none of the four')
    >>> of_all(96, 96), of_all(90, 96), of_all(2, 2)
    ('all 96', '90 of the 96', 'both')
    """
    if not 0 <= count <= total:
        raise ValueError(f"count is {count}; expected a number from 0 to {total}")
    some, whole = (_COUNTS[n] if n < len(_COUNTS) else f"{n:,}" for n in (count, total))
    if total < 3 and count in (0, total):
        return {(0, 0): "none", (0, 1): "none", (1, 1): "the one", (0, 2): "neither of the two", (2, 2): "both"}[count, total]
    return f"all {whole}" if count == total else f"{some} of the {whole}"


def results_folder() -> Path | None:
    """The folder that a build gives to the data of this notebook; None outside of a build, where nothing is written."""
    folder = os.environ.get(RESULTS)
    return Path(folder) if folder else None


def _checked(name: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"name is {name!r}; expected lower-case letters, digits and hyphens, such as 'fig-learned-filters'")
    return name


def _shell() -> Any:
    """The running kernel, or None in plain Python: there is nothing to show then."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def _show(bundle: dict[str, Any]) -> None:
    if _shell() is not None:
        from IPython.display import display

        display(bundle, raw=True)


def _write(name: str, content: str | bytes) -> None:
    """Into the folder of the build, where there is one; a reader sees the whole file or the one before."""
    folder = results_folder()
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with written(folder / name, force=True) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def _is_frame(data: Any) -> bool:
    return hasattr(data, "to_csv")


def _csv(frame: pd.DataFrame) -> str:
    """Full precision; the index is written unless it merely counts the rows."""
    import pandas as pd

    return frame.to_csv(index=not isinstance(frame.index, pd.RangeIndex), lineterminator="\n")


def _npz(arrays: Mapping[str, Any]) -> bytes:
    """As `numpy.savez` writes it, but with one fixed time stamp, so that equal arrays give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0)), member.getvalue())
    return buffer.getvalue()


def figure(fig: Figure, name: str, *, data: Any) -> None:
    """Store a figure and the data behind it, show it, and close it.

    Parameters
    ----------
    fig : matplotlib figure
    name : the figure's name, the same as in the metadata of the cell, such as ``"fig-learned-filters"``
    data : what is drawn: a DataFrame (stored as ``<name>.csv``), or an array or a mapping from names to arrays
        (stored as ``<name>.npz``)

    Writes ``<name>.svg``, the same for slides as ``<name>.slide.svg`` if it fits there, and the data file. Raises `ValueError` for a name that
    is no label and for data that are neither.
    """
    import matplotlib
    from matplotlib import pyplot

    name = _checked(name)
    if data is None:
        raise ValueError(f"{name}: data is None; expected a DataFrame, an array or a mapping from names to arrays")
    svg, png = io.BytesIO(), io.BytesIO()
    # The salt fixes the ids of clip paths and markers, which are random otherwise.
    with matplotlib.rc_context({"svg.hashsalt": name}):
        fig.savefig(svg, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
        fig.savefig(png, format="png", bbox_inches="tight", dpi=_PNG_DPI, metadata={"Software": None})
        if results_folder() is not None and (slide := _for_slides(fig)):
            _write(f"{name}.slide.svg", slide)
    pyplot.close(fig)
    if _is_frame(data):
        _write(f"{name}.csv", _csv(data))
    else:
        arrays = data if isinstance(data, Mapping) else {"data": data}
        _write(f"{name}.npz", _npz(arrays))
    _write(f"{name}.svg", svg.getvalue())
    from base64 import b64encode

    _show({"image/png": b64encode(png.getvalue()).decode("ascii"), "text/plain": f"figure {name}"})


def _for_slides(fig: Figure) -> bytes | None:
    """The figure laid out anew on the smaller sheet of a slide, where it is enlarged: so its text is large, and nothing else changes.

    None for a figure that does not fit there, of which matplotlib warns; a deck that names it is refused.
    """
    import warnings

    from matplotlib.text import Text

    width, height = fig.get_size_inches()
    fig.set_size_inches(_ABOVE if width > _WIDE * height else _BESIDE)
    for text in fig.findobj(Text):
        text.set_fontsize(max(text.get_fontsize(), _SLIDE_TEXT))
    svg = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            fig.savefig(svg, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
        except UserWarning:
            return None
    return svg.getvalue()


def _plain(value: Any) -> Any:
    """Numpy's scalars as Python's own, whose text does not name numpy."""
    return value.item() if isinstance(value, np.generic) else value


_SIGNED_ZERO = re.compile(r"[+-]?(0(?:\.0*)?)(?:e[+-]?0+)?")


def _text(value: Any, format_: str | Callable[[Any], str] | None) -> str:
    value = _plain(value)
    if value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in ("NAType", "NaTType"):
        return _MISSING
    if callable(format_):
        return format_(value)
    if format_ is None:
        return str(value)
    text = format_.format(value)
    # A difference that is zero to its printed digits has no sign worth printing.
    zero = _SIGNED_ZERO.fullmatch(text)
    return zero[1] if zero else text


def table(
    frame: pd.DataFrame,
    name: str,
    *,
    caption: str = "",
    formats: Mapping[str, str | Callable[[Any], str]] | None = None,
    headers: Mapping[str, str] | None = None,
    link: Mapping[str, str | Callable[[Any], str | None]] | None = None,
    pairs: Mapping[str, str] | None = None,
    wrap: bool = False,
) -> None:
    """Store a table and show it, numbered and captioned.

    Parameters
    ----------
    frame : DataFrame; a named or non-counting index becomes the first column
    name : the table's name, such as ``"tbl-method-a"``, referred to by the role ``numref``
    caption : one line of MyST Markdown; without it the build takes the one in the metadata of the cell, where captions
        of figures stand too: ``"tables": {"tbl-method-a": "..."}``
    formats : column -> format string such as ``"{:.4f}"``, or a function from the value to its text
    headers : column -> heading in MyST Markdown, such as ``r"$\\sigma_x$"``
    link : column -> target of the link that a cell's text becomes, as a format string of the value
        (``"#deviation-{}"``) or a function from the value to the target, or to None where there is none; cells without
        value stay plain
    pairs : column with numbers of this run -> column with the published ones. They are shown as one, in the place of the
        second: the published number with a tick where both are the same in its format, else both
    wrap : let long cells break into lines; for tables of words

    Writes ``<name>.csv`` in full precision. Raises `ValueError` for a name that is no label, for an empty table,
    and for columns that are not there.
    """
    import pandas as pd

    name = _checked(name)
    formats, headers, link, pairs = dict(formats or {}), dict(headers or {}), dict(link or {}), dict(pairs or {})
    stored = _csv(frame)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    if frame.empty:
        raise ValueError(f"{name}: the table is empty; expected at least one row and one column")
    for column in [*formats, *headers, *link, *pairs, *pairs.values()]:
        if column not in frame.columns:
            raise ValueError(f"{name}: no column {column!r}; the columns are {', '.join(map(str, frame.columns))}")
    texts = {column: [_text(value, formats.get(column)) for value in frame[column]] for column in frame.columns}
    for own, printed in pairs.items():
        here = [_text(value, formats.get(printed)) for value in frame[own]]
        texts[printed] = [_pair(*each) for each in zip(texts[printed], here, strict=True)]
        headers.setdefault(printed, "published / here")
    columns = [column for column in frame.columns if column not in pairs]
    titles = [headers.get(column, str(column).replace("_", " ")) for column in columns]
    numeric = [bool(pd.api.types.is_numeric_dtype(frame[column])) for column in columns]

    def linked(column: Any, row: int) -> str:
        text = texts[column][row].replace("|", r"\|").replace("\n", " ")
        target = link.get(column)
        if target is None or text in (_MISSING, ""):
            return text
        value = _plain(frame[column].iloc[row])
        address = target(value) if callable(target) else target.format(value)
        return f"[{text}]({address})" if address else text

    rows = [[linked(column, row) for column in columns] for row in range(len(frame))]
    lines = [f":::{{table}} {' '.join(caption.split())}".rstrip(), f":name: {name}", *([":class: wrap"] if wrap else []), ""]
    lines += [f"| {' | '.join(titles)} |", f"| {' | '.join('---:' if right else ':---' for right in numeric)} |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += [":::"]
    _write(f"{name}.csv", stored)
    _show(
        {
            "text/markdown": "\n".join(lines),
            "text/html": _html(titles, [texts[column] for column in columns], caption),
            "text/plain": f"table {name}",
        }
    )


def _pair(published: str, here: str) -> str:
    if _MISSING in (published, here):
        return here if published == _MISSING else published
    return f"{published} ✓" if published == here else f"{published} / {here}"


def _html(titles: list[str], columns: list[list[str]], caption: str) -> str:
    """The same table for readers of the notebook, where MyST is not understood."""
    head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in row)}</tr>" for row in zip(*columns, strict=True))
    return f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _bound(value: float, format_: str, bound: str) -> str:
    """The text of `value`, rounded up or down and not to the nearest, so that it bounds the value."""
    if bound not in ("up", "down"):
        raise ValueError(f"bound is {bound!r}; expected 'up' or 'down'")
    text = Decimal(format_.format(value).replace(",", ""))
    step = Decimal(1).scaleb(int(text.as_tuple().exponent))
    exact = Decimal(repr(float(value)))
    if bound == "up" and text < exact:
        text += step
    if bound == "down" and text > exact:
        text -= step
    return format_.format(float(text))


# Nothing that would end the marker, a cell of a table or the sentence itself.
_STATEMENT = re.compile(r"[^\s`\"<>.](?:[^`\"<>\n]*[^\s`\"<>.])?")


def claim(statement: str, *, holds: bool, shown: str) -> None:
    """State what this run found about something that another run may find otherwise.

    A trained network, a sample or a test comes out differently on another processor or with other parameters. Where
    the claim does not hold nothing is raised: the page says so at the sentence that rests on it, which is followed by
    the marker ``<!-- claim: statement -->``, is marked on top, and is listed at the end of the build.

    Parameters
    ----------
    statement : a short sentence without its full stop, as a literal, unique in the notebook
    holds : whether the run agrees; demand a margin, three standard errors where there is chance
    shown : the numbers that decided, with their units

    Adds to ``claims.json``; in a notebook outside of the build it prints a claim that does not hold. Raises
    `ValueError` for a statement that cannot stand in a marker, and where `holds` is no truth value or `shown` is empty.

    Examples
    --------
    >>> import tempfile
    >>> os.environ["KEYFILTERS_RESULTS"] = tempfile.mkdtemp()
    >>> claim("more images help", holds=0.91 > 0.88 + 3 * 0.004, shown="0.91 and 0.88, standard error 0.004")
    >>> del os.environ["KEYFILTERS_RESULTS"]
    """
    if not isinstance(statement, str) or not _STATEMENT.fullmatch(statement) or "--" in statement:
        raise ValueError(
            f"statement is {statement!r}; expected a short sentence in one line, without full stop, quotation marks, "
            "backticks, < > or --"
        )
    if not isinstance(holds, bool | np.bool_):
        raise ValueError(f"{statement}: holds is {holds!r}; expected True or False")
    if not isinstance(shown, str) or not shown.strip():
        raise ValueError(f"{statement}: shown is {shown!r}; expected the numbers that decided, as text")
    made = {"holds": bool(holds), "shown": " ".join(shown.split())}
    folder = results_folder()
    if folder is not None:
        _write(CLAIMS, json.dumps(read_claims(folder) | {statement: made}, indent=1, ensure_ascii=False) + "\n")
    elif not holds:
        print(f"not so in this run: {statement} ({made['shown']})")


def number(
    name: str, value: float | int | str, format_: str | None = None, *, bound: Literal["up", "down"] | None = None
) -> None:
    """Store one number under a name that is computed; a name that is written out goes to :func:`numbers`.

    Parameters
    ----------
    name : used in the text by the role ``glue:text``
    value : a number, or a word that the run decided on
    format_ : format string such as ``"{:.2f}"``; without it the value's own text
    bound : round up for "at most", down for "at least"; without it, to the nearest

    As :func:`numbers`.
    """
    _store({name: (value, format_, bound)})


def numbers(**named: Any) -> None:
    """Store the numbers of a paragraph and make them available to the text of the notebook.

    Each is a value (a number, or a word that the run decided on), or a tuple of a value, a format such as ``".2f"`` and, for
    "at most" and "at least", ``"up"`` or ``"down"``: the text is then rounded so that it bounds the value. The text has
    ``numbers(least_ratio=...)`` as ``{glue:text}`least-ratio```.

    Adds to ``numbers.json`` in one write; in a notebook outside of the build it prints names and numbers. Raises
    `ValueError` for a name that is no label and for a number that is not finite; nothing is stored then.

    Examples
    --------
    >>> import tempfile
    >>> os.environ["KEYFILTERS_RESULTS"] = tempfile.mkdtemp()
    >>> numbers(right=18, low=(45.26, ".1f"), most=(0.0413, ".2f", "up"))
    >>> {name: stored["text"] for name, stored in json.loads((results_folder() / "numbers.json").read_text()).items()}
    {'low': '45.3', 'most': '0.05', 'right': '18'}
    >>> del os.environ["KEYFILTERS_RESULTS"]
    """
    _store({name.replace("_", "-"): each if isinstance(each, tuple) else (each,) for name, each in named.items()})


def _store(named: Mapping[str, tuple]) -> None:
    made = {}
    for name, (value, *rest) in named.items():
        format_, bound = [*rest, None, None][:2]
        name, value = _checked(name), _plain(value)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}; expected a finite number")
        if format_ and "{" not in format_:
            format_ = f"{{:{format_}}}"
        text = _bound(value, format_, bound) if bound and format_ else _text(value, format_)
        made[name] = {"value": value, "text": _MINUS.sub("−", text)}
    folder = results_folder()
    if folder is not None:
        path = folder / "numbers.json"
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        _write(path.name, json.dumps(stored | made, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    if _shell() is None:
        return
    if folder is None:
        print("\n".join(f"{name}: {each['text']}" for name, each in made.items()))
        return
    from myst_nb import glue

    for name, each in made.items():
        glue(name, each["text"], display=False)
