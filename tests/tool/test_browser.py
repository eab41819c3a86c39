"""Finding a Chromium and what runs it: what is installed, Debian's package, Playwright's download, or a clear error."""

import browser
import pytest

from keyfilters_build import chromium as source
from keyfilters_build.project import write_atomic


@pytest.fixture
def as_user(monkeypatch):
    """Somebody with this number, root or not, on Debian."""

    def become(number):
        monkeypatch.setattr(source.os, "geteuid", lambda: number, raising=False)
        monkeypatch.setattr(source.shutil, "which", lambda name: f"/usr/bin/{name}")

    return become


@pytest.fixture
def bare(monkeypatch):
    """A machine without a browser on which nothing can be installed; records what was attempted."""
    attempts = []
    monkeypatch.setattr(source, "_installed", lambda: None)
    monkeypatch.setattr(source, "_starts", lambda executable: None)
    monkeypatch.setattr(source, "find_node", lambda: "/somewhere/node")
    monkeypatch.setattr(source, "_attempt", lambda *command: attempts.append(" ".join(command[:3])) or False)
    return attempts


def test_what_is_installed_comes_first(bare, monkeypatch):
    monkeypatch.setattr(source, "_installed", lambda: "/usr/bin/some-chromium")
    assert source.find_chromium() == "/usr/bin/some-chromium" and not bare


def test_then_installing_is_tried_by_root_and_the_error_says_what_to_do(bare, as_user):
    for number, packages in ((0, ["apt-get update -qq", "apt-get install -y"]), (1000, [])):
        as_user(number)
        with pytest.raises(source.NoBrowser, match="apt-get install chromium"):
            source.find_chromium()
        assert bare[:-1] == packages and "-m playwright" in bare[-1]
        bare.clear()


def test_the_library_that_node_needs_is_installed_or_said_in_one_line(as_user, monkeypatch):
    """By root on Debian, where Playwright's Node.js starts once its library is there."""
    attempts = []
    as_user(0)
    monkeypatch.setattr(source, "_attempt", lambda *command: attempts.append(command[-1]) or True)
    monkeypatch.setattr(source, "_starts", lambda executable: executable if "libatomic1" in attempts else None)
    assert source.find_node().endswith("node") and attempts == ["-qq", "libatomic1"]
    attempts.clear()
    monkeypatch.setattr(source, "_attempt", lambda *command: False)
    for find in (source.find_node, source.find_chromium):
        with pytest.raises(source.NoBrowser, match="^Playwright's Node.js does not start; .*apt-get install libatomic1`.$"):
            find()


def test_a_program_that_does_not_start_is_not_taken(tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    broken.chmod(0o755)
    assert [source._starts(path) for path in (str(broken), str(tmp_path / "none"), None)] == [None] * 3


def test_the_command_line_says_what_is_missing(bare, as_user, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(browser, "HTML", tmp_path)
    as_user(1000)
    for words, said in ((["shots", str(tmp_path / "out")], "run `make book` first"), (["find"], "error: no Chromium found")):
        assert browser.main(words) == 2 and said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_pages_are_listed_without_what_sphinx_keeps_for_itself(tmp_path):
    for name in ("index.html", "notebooks/a.html", "_static/search.html", "_downloads/x.html"):
        write_atomic(tmp_path / name, "")
    assert browser.pages_of(tmp_path) == ["index.html", "notebooks/a.html"]
