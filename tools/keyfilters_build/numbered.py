"""Sphinx extension: a page that others refer to by number is loaded once, not anew for each reference.

Sphinx unpickles the whole page of a figure, table or section to find out of which kind it is; with hundreds of references
to a few large pages this is a large part of a build.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain
from sphinx.environment import BuildEnvironment


class _Read:
    """An environment whose pages are loaded once; they may be looked at and not changed."""

    def __init__(self, environment: BuildEnvironment) -> None:
        self._environment = environment
        self._pages: dict[str, nodes.document] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._environment, name)

    def get_doctree(self, docname: str) -> nodes.document:
        if docname not in self._pages:
            self._pages[docname] = self._environment.get_doctree(docname)
        return self._pages[docname]


class NumberedDomain(StandardDomain):
    """Sphinx's own domain of labels and numbers, which looks at pages instead of loading them."""

    def _resolve_numref_xref(self, env: BuildEnvironment, *rest: Any) -> Any:
        if not hasattr(self, "_read"):
            self._read = _Read(env)
        return super()._resolve_numref_xref(self._read, *rest)


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point for Sphinx."""
    app.add_domain(NumberedDomain, override=True)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
