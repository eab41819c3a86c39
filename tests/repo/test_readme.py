"""The README: what it shows is what the build makes, and its commands work. (Its examples run as doctests.)"""

import base64
import contextlib
import io
import re
import shlex
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import patient
import pytest
from PIL import Image

from keyfilters import learned_filters
from keyfilters.cli import main
from keyfilters.published import scorecard
from keyfilters_book.chapters.scorecard_parts import counted_once
from keyfilters_build.prerequisites import provide
from keyfilters_build.project import BookError, Project, write_atomic
from keyfilters_build.readme import BEGIN, END, PICTURE, refresh, scorecard_counts, with_counts

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOME = pd.DataFrame(
    {
        "quantity": "sigma",
        "method": "C1",
        "key": ["1", "1", "2"],
        "component": ["x", "y", "x"],
        "published": [0.1, 0.2, 0.3],
        "verdict": ["equal", "equal", "deviates"],
    }
)


def commands():
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_counts_are_those_of_the_scorecard_and_take_the_place_of_older_ones():
    shown = README.partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == scorecard_counts(counted_once(scorecard())).strip(), "run `make book`, which brings README.md up to date"
    once = with_counts(f"before\n{BEGIN}\nold\n{END}\nafter\n", SOME)
    assert "old" not in once and once.startswith("before\n") and once.endswith("\nafter\n")
    assert "**3** published" in once and "**2** equal" in once and "**1** deviate" in once
    assert with_counts(once, SOME) == once


def test_what_was_published_twice_counts_once():
    """Each row that is left out stands beside one with the same published number, and none of the others does."""
    card = scorecard()
    kept = counted_once(card)
    left_out, columns = card.drop(kept.index), ["quantity", "method", "published"]
    assert not left_out.empty and set(left_out[columns].itertuples(index=False)) <= set(kept[columns].itertuples(index=False))
    assert "yx" not in set(kept.component)
    # Two axes with scales of their own count twice, one scale for both counts once.
    assert [len(counted_once(SOME.assign(published=values))) for values in ([1, 2, 3], [1, 1, 3])] == [3, 2]


@pytest.mark.parametrize("text", ["none", f"{BEGIN} only", f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_missing_or_doubled_markers_are_an_error(text):
    with pytest.raises(BookError, match="README.md"):
        with_counts(text, SOME)


def test_refreshing_twice_changes_nothing_more(tmp_path):
    project = Project(tmp_path)
    notebook, figure, copy = PICTURE
    (tmp_path / "README.md").write_text(f"# Title\n{BEGIN}\n{END}\n", encoding="utf-8")
    write_atomic(project.results("quick", notebook) / figure, "<svg/>")
    assert refresh(project, "quick", SOME) == ["README.md", f"book/_static/{copy}"]
    assert (tmp_path / "book" / "_static" / copy).read_text(encoding="utf-8") == "<svg/>"
    assert refresh(project, "quick", SOME) == []


def drawing(svg):
    """An SVG as (its text without numbers and images, its numbers, its images as arrays)."""
    embedded = re.compile(r'"data:image/png;base64,\s*([^"]+)"')
    images = [np.asarray(Image.open(io.BytesIO(base64.b64decode(found)))) for found in embedded.findall(svg)]
    rest = embedded.sub('""', svg)
    number = re.compile(r"(?<![\w#.])-?\d+\.?\d*(?:e-?\d+)?(?![\w.])")
    return number.sub("0", rest), np.array([float(found) for found in number.findall(rest)]), images


@pytest.mark.book
def test_the_picture_is_the_figure_of_the_build(book_html):
    """Another machine may round the last digits in another way; nothing more may differ."""
    notebook, figure, copy = PICTURE
    drawn = [Project(ROOT).results(profile, notebook) / figure for profile in ("quick", "full")]
    built = max(filter(Path.exists, drawn), key=lambda path: path.stat().st_mtime)
    (text, numbers, images), (our_text, our_numbers, our_images) = (
        drawing(path.read_text(encoding="utf-8")) for path in (built, ROOT / "book" / "_static" / copy)
    )
    mend = f"book/_static/{copy} is not what the build made: run `make book` and commit it"
    assert our_text == text and len(our_images) == len(images), mend
    assert np.allclose(our_numbers, numbers, rtol=0, atol=2e-3), mend
    for ours, theirs in zip(our_images, images, strict=True):
        assert ours.shape == theirs.shape and np.abs(ours.astype(int) - theirs.astype(int)).max() <= 2, mend


def test_make_commands_are_targets():
    done = patient.run(["make", "help"], cwd=ROOT, capture_output=True, text=True)
    targets = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    named = {shlex.split(command)[1] for command in commands() if command.startswith("make ")}
    assert named and named <= targets


def on_networks(command):
    return command.split()[1] in ("inspect", "replace", "evaluate", "train", "extract")


def works(command, folder):
    program = Path(sys.executable).with_name("keyfilters")
    done = patient.run([str(program), *shlex.split(command)[1:]], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("keyfilters ") and not on_networks(c)])
def test_command_lines_work(command, tmp_path):
    np.save(tmp_path / "mine.npy", learned_filters()[0])
    works(command, tmp_path)


def in_this_process(command, folder):
    """The same, without a process that imports all libraries again."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(shlex.split(command)[1:])
    assert status == 0 and out.getvalue() and not err.getvalue(), err.getvalue()


@pytest.mark.parametrize("work", [in_this_process, pytest.param(works, marks=pytest.mark.slow)])
def test_command_lines_on_networks_work(work, once, tmp_path):
    """One after the other, as they stand there: what one writes another reads."""
    once("fashion-mnist", lambda: provide(["networks", "fashion-mnist"]))
    import timm
    import torch

    torch.save(timm.create_model("convnextv2_tiny").state_dict(), tmp_path / "mine.pth")
    for name in ("n01440764", "n01443537"):
        folder = tmp_path / "IMAGENET" / "val" / name
        folder.mkdir(parents=True)
        Image.fromarray(np.full((40, 40, 3), len(name), np.uint8)).save(folder / "one.jpg")
    named = [command for command in commands() if command.startswith("keyfilters ") and on_networks(command)]
    assert len(named) == 6
    for command in named:
        # All epochs would take minutes; a dry run goes through every phase.
        work(f"{command} --dry-run" if " train " in command else command, tmp_path)
    assert {"report.html", "ideal.safetensors", "keys.npy"} <= {path.name for path in tmp_path.iterdir()}


def test_paths_that_the_readme_names_exist():
    named = re.findall(r"(?:`|\]\()([\w.-]*/[\w./-]*|[A-Z][\w.-]+\.(?:cff|md))[`)]", README)
    assert {"src/keyfilters/", "CITATION.cff", "LICENSE-CC-BY-4.0.md", "book/_static/eight-filters.svg"} <= set(named)
    made = re.compile(r"_build/|results/|\.venv/bin$|html/$")
    assert [path for path in named if not made.match(path) and not (ROOT / path).exists()] == []


def test_every_page_installs_the_library_from_the_same_place():
    """The README, the book and the teaching kit, with extras that there are."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    found = {}
    for path in (ROOT / "README.md", *sorted((ROOT / "book").glob("*.md")), *sorted((ROOT / "book" / "api").glob("*.md"))):
        for _, spec in re.findall(r"pip install (['\"])(keyfilters.*?)\1", path.read_text(encoding="utf-8")):
            found.setdefault(spec, []).append(path.name)
    assert sum(map(len, found.values())) >= 3
    for spec, pages in found.items():
        name, _, place = spec.partition(" @ ")
        extra = re.fullmatch(r"keyfilters\[(\w+)\]", name)
        assert extra and extra[1] in extras, f"{pages}: {spec}"
        # An extra of a library that is installed needs no place.
        assert place in ("", f"git+{Project(ROOT).repository}"), f"{pages}: {spec}"
    assert len([spec for spec in found if " @ " in spec]) == 1, f"{found}"
