"""Representations that need no learning, and what layers learn without labels: the background of the lecture.

It needs the extra ``representations`` (PyWavelets, curvelets, scikit-learn, scikit-image):
``pip install 'keyfilters[representations]'``; the parts that train networks are in :mod:`keyfilters_book.background`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

_MISSING = "keyfilters_book.representations needs {package}: pip install 'keyfilters[representations]'"


@contextmanager
def _extra() -> Iterator[None]:
    """Around the imports of packages of the extra: where one is missing, an ImportError that names the extra.

    Examples
    --------
    >>> with _extra():
    ...     import a_package_that_is_missing
    Traceback (most recent call last):
    ImportError: keyfilters_book.representations needs a_package_that_is_missing: pip install 'keyfilters[representations]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(_MISSING.format(package=(error.name or "a package").split(".")[0]), name=error.name) from None
