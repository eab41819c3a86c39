"""Finding a Chromium and what runs it: what is installed, Debian's package, Playwright's download, or a clear error."""

import browser
import pytest

from keyfilters_build import chromium as source


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


def test_then_installing_is_tried_and_the_error_says_what_to_do(bare, monkeypatch):
    monkeypatch.setattr(source.os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(source.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(source.NoBrowser, match="apt-get install chromium"):
        source.find_chromium()
    assert bare[:2] == ["apt-get update -qq", "apt-get install -y"]
    assert "-m playwright" in bare[2] and len(bare) == 3


def test_only_root_installs_packages(bare, monkeypatch):
    monkeypatch.setattr(source.os, "geteuid", lambda: 1000, raising=False)
    with pytest.raises(source.NoBrowser):
        source.find_chromium()
    assert not any("apt-get" in attempt for attempt in bare)


@pytest.fixture
def without_libatomic(monkeypatch):
    """A root on Debian where Playwright's Node.js starts once its library is installed; records what was attempted."""
    attempts = []
    monkeypatch.setattr(source.os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(source.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(source, "_attempt", lambda *command: attempts.append(command[-1]) or True)
    monkeypatch.setattr(source, "_starts", lambda executable: executable if "libatomic1" in attempts else None)
    return attempts


def test_the_library_that_node_needs_is_installed(without_libatomic):
    assert source.find_node().endswith("node") and without_libatomic == ["-qq", "libatomic1"]


def test_a_node_that_does_not_start_is_said_in_one_line(without_libatomic, monkeypatch):
    monkeypatch.setattr(source, "_attempt", lambda *command: False)
    for find in (source.find_node, source.find_chromium):
        with pytest.raises(source.NoBrowser, match="^Playwright's Node.js does not start; .*apt-get install libatomic1`.$"):
            find()


def test_a_program_that_does_not_start_is_not_taken(tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    broken.chmod(0o755)
    assert source._starts(str(broken)) is None
    assert source._starts(str(tmp_path / "none")) is None and source._starts(None) is None


def test_the_command_line_says_what_is_missing(bare, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(browser, "HTML", tmp_path)
    assert browser.main(["shots", str(tmp_path / "out")]) == 2
    assert "run `make book` first" in capsys.readouterr().err
    monkeypatch.setattr(source.os, "geteuid", lambda: 1000, raising=False)
    assert browser.main(["find"]) == 2
    assert capsys.readouterr().err.startswith("error: no Chromium found")
    assert not (tmp_path / "out").exists()


def test_pages_are_listed_without_what_sphinx_keeps_for_itself(tmp_path):
    for name in ("index.html", "notebooks/a.html", "_static/search.html", "_downloads/x.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert browser.pages_of(tmp_path) == ["index.html", "notebooks/a.html"]
