"""Where the files of the book lie, and the error for a mistake of the person who builds it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyfilters.output import written


class BookError(Exception):
    """A mistake that the reader of the message can mend; shown in one line, exit code 2."""


class GateError(Exception):
    """Something that was built does not pass; exit code 1."""


@dataclass(frozen=True)
class Project:
    """The paths of one book, all below `root`.

    Everything generated lies in `_build`, `book/notebooks` and `book/_generated`.
    """

    root: Path

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def manifest(self) -> Path:
        return self.notebooks / "manifest.yml"

    @property
    def package(self) -> Path:
        """The library."""
        return self.root / "src" / "keyfilters"

    @property
    def packages(self) -> tuple[Path, ...]:
        """The library, and the package of the chapters where there is one: what notebooks import."""
        return tuple(
            path for path in (self.package, self.root / "src" / "keyfilters_book") if path == self.package or path.is_dir()
        )

    @property
    def lock(self) -> Path:
        return self.root / "requirements.lock"

    @property
    def config(self) -> Path:
        return self.root / "_config.yml"

    @property
    def settings(self) -> dict[str, Any]:
        """What `_config.yml` says."""
        return read_yaml(self.config, self.short(self.config))

    @property
    def repository(self) -> str:
        """The address of the repository, from the one place that has it."""
        return self.settings["repository"]["url"].rstrip("/")

    @property
    def book(self) -> Path:
        return self.root / "book"

    @property
    def reference(self) -> Path:
        """What a reference run found, and how other machines compare with it; in git."""
        return self.root / "reference"

    @property
    def staged(self) -> Path:
        return self.book / "notebooks"

    @property
    def written(self) -> Path:
        """The notebooks as they are written, with the outputs of their runs."""
        return self.build / "written"

    @property
    def generated(self) -> Path:
        return self.book / "_generated"

    @property
    def build(self) -> Path:
        return self.root / "_build"

    @property
    def cache(self) -> Path:
        return self.build / "cache"

    @property
    def html(self) -> Path:
        return self.build / "html"

    def results(self, profile: str, slug: str, *, timed: bool = False) -> Path:
        """The data behind the figures and tables of one notebook.

        Results of `timed` notebooks differ from run to run, so they lie apart from those that must not.
        """
        return self.build / ("timings" if timed else "results") / profile / slug

    def short(self, path: Path) -> str:
        """`path` as it reads from the root of the project, for messages and pages."""
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return path.name


def checked(content: Any, schema: dict[str, Any], name: str, mend: str = "") -> Any:
    """`content`, which was read from the file `name`, if it is as its JSON schema says.

    Raises `BookError` in one line otherwise, which names the place in the file; `mend` is what to do about it.

    >>> checked({"minutes": "90"}, {"properties": {"minutes": {"type": "integer"}}}, "course.yml")
    Traceback (most recent call last):
    keyfilters_build.project.BookError: course.yml: $.minutes: '90' is not of type 'integer'
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(schema).iter_errors(content))
    if error is not None:
        raise BookError(f"{name}: {error.json_path}: {' '.join(error.message.split())}{mend and f'; {mend}'}")
    return content


def read_yaml(path: Path, name: str) -> Any:
    """The content of a YAML file that is called `name`; `BookError` in one line where it cannot be read."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BookError(f"{name}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BookError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from None


def read_json(path: Path, schema: dict[str, Any], name: str, mend: str) -> Any:
    """The content of a JSON file, which is as its schema says; see `checked`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BookError(f"{name}: not valid JSON: {error}; {mend}") from None
    return checked(content, schema, name, mend)


def fields(*optional: str, **kinds: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object with these fields and no others."""
    required = [name for name in kinds if name not in optional]
    return {"type": "object", "properties": kinds, "required": required, "additionalProperties": False}


def digest_files(paths: Iterable[Path], *bases: Path) -> str:
    """SHA-256 over the names (relative to the one of `bases` that holds them) and contents of `paths`, in the order of their names."""
    digest = hashlib.sha256()
    named = ((path.relative_to(next(base for base in bases if path.is_relative_to(base))), path) for path in paths)
    for name, path in sorted(named):
        content = path.read_bytes()
        digest.update(f"{name.as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def digest_code() -> str:
    """SHA-256 over the library, the package of the chapters and this tool, wherever they are imported from."""
    import keyfilters
    import keyfilters_book

    folders = [Path(file).parent for file in (keyfilters.__file__, keyfilters_book.__file__, __file__)]
    return "".join(digest_files(folder.rglob("*.py"), folder) for folder in folders)


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write `content` under a temporary name beside `path` and rename it: a reader sees all of it or nothing new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path, force=True) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def replace_tree(source: Path, target: Path) -> None:
    """Make `target` a copy of the directory `source`, with its times: what did not change is not read again."""
    remove_tree(target)
    shutil.copytree(source, target)


def remove_tree(path: Path) -> None:
    """Remove a directory and all in it; nothing happens when it is not there."""
    shutil.rmtree(path, ignore_errors=True)
