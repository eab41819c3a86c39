"""CITATION.cff, the bibliography and the licences."""

import re
import sys
import tomllib
from collections import Counter
from pathlib import Path

import patient
import pytest
import yaml
from pybtex.database import parse_file

import keyfilters
from keyfilters_build.bibliography import authors, label

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bibliography():
    return parse_file(str(ROOT / "book" / "references.bib")).entries


def test_the_citation_file_is_valid_cff_1_2():
    checker = Path(sys.executable).with_name("check-jsonschema")
    command = [str(checker), "--builtin-schema", "vendor.citation-file-format", "CITATION.cff"]
    done = patient.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_citation_file_has_the_version_of_the_package(citation):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert str(citation["version"]) == project["version"] == keyfilters.__version__
    assert citation["repository-code"] == project["urls"]["Repository"]
    assert " AND ".join(citation["license"]) == project["license"]


def test_the_preferred_citation_is_the_article_of_the_bibliography(citation, bibliography):
    ours, theirs = citation["preferred-citation"], bibliography["lindeberg2026eight"]
    assert ours["doi"] == theirs.fields["doi"]
    assert (ours["journal"], str(ours["volume"]), str(ours["issue"])) == tuple(
        theirs.fields[name] for name in ("journal", "volume", "number")
    )
    assert [author["family-names"] for author in ours["authors"]] == [
        person.last_names[0] for person in theirs.persons["author"]
    ]
    plain = lambda title: re.sub(r"\W+", " ", title).lower().strip()  # noqa: E731
    assert plain(ours["title"]) == plain(theirs.fields["title"])


def test_keys_are_author_year_word(bibliography):
    for key, entry in bibliography.items():
        author, year = re.fullmatch(r"([a-z]+)(\d{4})[a-z0-9]+", key).groups()
        first = (entry.persons.get("author") or entry.persons["editor"])[0]
        assert re.sub(r"[^a-z]", "", "".join(first.last_names).lower()).startswith(author), key
        assert re.fullmatch(year + "[a-z]?", entry.fields["year"]), key


def test_no_two_works_are_cited_alike(bibliography):
    cited = Counter(label(entry) for entry in bibliography.values())
    alike = {}
    for entry in bibliography.values():
        alike.setdefault((authors(entry), entry.fields["year"][:4]), []).append(entry.fields["year"][4:])
    assert max(cited.values()) == 1, cited.most_common(3)
    # A letter stands only where it tells two works apart.
    for work, letters in alike.items():
        assert sorted(letters) == ([""] if len(letters) == 1 else list("abcdefgh"[: len(letters)])), work


def test_references_are_complete(bibliography):
    for key, entry in bibliography.items():
        place = {"article": "journal", "inproceedings": "booktitle", "book": "publisher", "misc": "title"}[entry.type]
        assert entry.fields[place], key
        if "doi" in entry.fields:
            assert re.fullmatch(r"10\.\d{4,9}/\S+", entry.fields["doi"]), key


def test_every_citation_in_the_book_is_in_the_bibliography(bibliography):
    pages = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    for page in pages:
        for group in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", page.read_text(encoding="utf-8")):
            for key in group.split(","):
                assert key.strip() in bibliography, f"{page.name} cites {key.strip()}"


def test_the_licence_of_the_text_names_files_that_exist():
    text = (ROOT / "LICENSE-CC-BY-4.0.md").read_text(encoding="utf-8")
    assert "CC-BY-4.0" in text and "https://creativecommons.org/licenses/by/4.0/legalcode" in text
    for path in re.findall(r"`([\w./*-]+/[\w./*-]+)`", text):
        if not path.startswith("_build/"):
            assert list(ROOT.glob(path.rstrip("/"))), path


def test_the_filters_are_attributed_wherever_licences_are_named():
    for name in ("LICENSE-CC-BY-4.0.md", "README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for person in ("Babaiee", "Kiasari", "Rus", "Grosu", "Lindeberg"):
            assert person in text, f"{person} in {name}"
