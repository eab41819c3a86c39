"""The page "Use it on your own network": what stands on it runs as it stands."""

import re
import shlex
import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image

from keyfilters import cli
from keyfilters.networks.zoo.checkpoints import write_weights
from keyfilters_build.api_pages import MISTAKES, messages

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "book" / "own_network.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)


def test_every_page_installs_the_library_by_the_same_line():
    [line] = re.findall(r"^pip install .*$", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "book").rglob("*.md") if "notebooks" not in path.parts]
    lines = [found for page in pages for found in re.findall(r"pip install \"keyfilters[^\n`]*", page)]
    assert len(lines) >= 2 and set(lines) == {line}
    assert line in TEXT and line in (ROOT / "book" / "api" / "index.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with `mine.pth`, a checkpoint as a training script stores it, and images of two classes."""
    import timm

    folder = tmp_path_factory.mktemp("own")
    torch.manual_seed(0)
    network = timm.create_model("convnextv2_atto", num_classes=2)
    torch.save({"epoch": 3, "state_dict": network.state_dict()}, folder / "mine.pth")
    for number, name in enumerate(("cat", "dog")):
        (folder / "IMAGES" / "val" / name).mkdir(parents=True)
        for shade in (40, 90):
            Image.new("RGB", (64, 64), (shade + 100 * number, 80, 80)).save(folder / "IMAGES" / "val" / name / f"{shade}.png")
    return folder


def test_from_a_checkpoint_to_a_report_in_five_lines_and_on(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    first, *others = blocks("python")
    lines = [line for line in first.splitlines() if line]
    assert len(lines) <= 5 and not [line for line in lines if ";" in line or line.startswith((" ", "#"))]
    space = {}
    exec(first, space)
    report = (place / "report.html").read_text(encoding="utf-8")
    assert "Depthwise filters of my network" in report and "12 depthwise layers" in report
    said = capsys.readouterr().out
    tables = [text.splitlines() for text in re.findall(r"^ +layer .*\n(?: *stages.*\n)+", said, flags=re.MULTILINE)]
    assert [len(table) for table in tables] == [13, 13]
    for table, columns in zip(tables, (["explained", "median"], ["explained", "change"]), strict=True):
        assert table[0].split() == ["layer", "size", "n", *columns, *(f"k{k}" for k in range(1, 9))]
        rows = [dict(zip(table[0].split(), row.split(), strict=True)) for row in table[1:]]
        assert rows[-1]["layer"] == "stages.3.blocks.1.conv_dw" and 0 < float(rows[-1]["explained"]) < 1
        assert all(sum(int(row[f"k{k}"]) for k in range(1, 9)) == int(row["n"]) for row in rows)
    assert "1840 of 1840 channels replaced in 12 layers" in said
    assert "..." not in said and max(map(len, said.splitlines())) <= 80
    # The other blocks follow from the first.
    for block in others:
        exec(block, space)
    said = capsys.readouterr().out
    assert "'agreement'" in said and "32 of 32 channels replaced in 1 layers" in said
    images = space["images"]
    with torch.no_grad():
        assert torch.allclose(space["plain"](images), space["ideal"].model.eval()(images), atol=1e-4)
    assert list(space["plain"].state_dict()) == list(space["network"].state_dict())
    trained = [name for name, p in space["learnable"].named_parameters() if p.requires_grad]
    assert any(name.endswith("raw_x") for name in trained) and space["optimiser"]
    assert (place / "own.html").is_file() and (place / "ideal.safetensors").is_file()


def test_the_commands_run(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    for name in ("report.html", "ideal.safetensors"):
        (place / name).unlink(missing_ok=True)
    lines = blocks("sh")[0].replace("\\\n", "").strip().splitlines()
    assert len(lines) <= 5
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "keyfilters"
        assert cli.main(arguments) == 0, capsys.readouterr().err
    assert (place / "report.html").is_file() and (place / "ideal.safetensors").is_file()


def test_files_are_inspected(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    import numpy as np
    import timm

    state = torch.load("mine.pth", weights_only=True)["state_dict"]
    write_weights(state, "mine.safetensors", force=True)
    np.savez("mine.npz", **{name: value.numpy() for name, value in state.items()})
    network = timm.create_model("convnextv2_atto", num_classes=2).eval()
    network.load_state_dict(state)
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(network, (torch.zeros(1, 3, 64, 64),), "mine.onnx", dynamo=False)
    answers = []
    for line in blocks("sh")[1].strip().splitlines():
        assert cli.main(shlex.split(line)[1:]) == 0, capsys.readouterr().err
        answers.append(" ".join(capsys.readouterr().out.split()))
    explained = [
        text.split(" % of the 1840 filters in 12 layers of mine.")[0]
        for text in (answers[0], answers[1], answers[3], answers[4])
    ]
    assert explained[0].startswith("The 8 keys explain ") and len(set(explained)) == 1
    assert (place / "file.html").is_file()
    assert (place / "both.csv").read_text(encoding="utf-8").count("\n") == 25


def test_mistakes_give_one_line_each_and_name_the_input():
    found = messages()
    assert set(found) == set(MISTAKES) and all("\n" not in text and len(text) < 250 for text in found.values())
    for call, message in found.items():
        given = re.findall(r'"([^"]+)"', call)
        assert not given or any(word in message for word in given), (call, message)


def test_the_page_is_linked_from_where_readers_look():
    assert "{doc}`own_network`" in (ROOT / "book" / "how_to_read.md").read_text(encoding="utf-8")
    assert "Use it on your own network" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.book
def test_the_page_shows_a_sample_of_the_report(book_html):
    page = (book_html / "own_network.html").read_text(encoding="utf-8")
    assert 'href="sample-report.html"' in page and "fig-lite0-nulls.svg" in page
    sample = (book_html / "sample-report.html").read_text(encoding="utf-8")
    assert "Depthwise filters of efficientnet_lite0" in sample and "16 depthwise layers" in sample
