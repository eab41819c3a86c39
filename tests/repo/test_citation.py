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


def test_the_citation_file_says_what_the_package_says(citation):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = str(citation["version"]), citation["repository-code"], " AND ".join(citation["license"])
    assert own == (project["version"], project["urls"]["Repository"], project["license"])
    assert project["version"] == keyfilters.__version__


def plain(title):
    return re.sub(r"\W+", " ", title).lower().strip()


def test_the_preferred_citation_is_the_article_of_the_bibliography(citation, bibliography):
    ours, theirs = citation["preferred-citation"], bibliography["lindeberg2026eight"]
    fields = {"doi": "doi", "journal": "journal", "volume": "volume", "issue": "number"}
    assert [str(ours[name]) for name in fields] == [theirs.fields[name] for name in fields.values()]
    names = [person.last_names[0] for person in theirs.persons["author"]]
    assert [author["family-names"] for author in ours["authors"]] == names
    assert plain(ours["title"]) == plain(theirs.fields["title"])


def test_references_are_complete_and_their_keys_are_author_year_word(bibliography):
    for key, entry in bibliography.items():
        author, year = re.fullmatch(r"([a-z]+)(\d{4})[a-z0-9]+", key).groups()
        first = (entry.persons.get("author") or entry.persons["editor"])[0]
        assert re.sub(r"[^a-z]", "", "".join(first.last_names).lower()).startswith(author), key
        assert re.fullmatch(year + "[a-z]?", entry.fields["year"]), key
        place = {"article": "journal", "inproceedings": "booktitle", "book": "publisher", "misc": "title"}[entry.type]
        assert entry.fields[place] and re.fullmatch(r"10\.\d{4,9}/\S+", entry.fields.get("doi", "10.1234/x")), key


def test_no_two_works_are_cited_alike(bibliography):
    cited = Counter(label(entry) for entry in bibliography.values())
    alike = {}
    for entry in bibliography.values():
        alike.setdefault((authors(entry), entry.fields["year"][:4]), []).append(entry.fields["year"][4:])
    assert max(cited.values()) == 1, cited.most_common(3)
    # A letter stands only where it tells two works apart.
    for work, letters in alike.items():
        assert sorted(letters) == ([""] if len(letters) == 1 else list("abcdefgh"[: len(letters)])), work


def test_every_citation_in_the_book_is_in_the_bibliography(bibliography):
    for page in [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]:
        groups = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", page.read_text(encoding="utf-8"))
        assert {key.strip() for group in groups for key in group.split(",")} <= set(bibliography), page.name


def test_the_licence_of_the_text_names_files_that_exist():
    text = (ROOT / "LICENSE-CC-BY-4.0.md").read_text(encoding="utf-8")
    assert "CC-BY-4.0" in text and "https://creativecommons.org/licenses/by/4.0/legalcode" in text
    named = [path.rstrip("/") for path in re.findall(r"`([\w./*-]+/[\w./*-]+)`", text)]
    assert [path for path in named if not path.startswith("_build/") and not list(ROOT.glob(path))] == []


def test_the_filters_are_attributed_wherever_licences_are_named():
    for name in ("LICENSE-CC-BY-4.0.md", "README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert [p for p in ("Babaiee", "Kiasari", "Rus", "Grosu", "Lindeberg") if p not in text] == [], name
