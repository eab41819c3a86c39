"""The command line: what it prints, and one line for every mistake."""

import dataclasses
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import zipfile

import numpy as np
import patient
import pytest

from keyfilters import METHODS, fit, ideal_filter, learned_filters
from keyfilters.cli import main
from keyfilters.filter_files import load_filters


@pytest.fixture
def run(capsys):
    def call(*arguments):
        status = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def write(path, filters):
    filters = np.asarray(filters)
    if path.suffix == ".npy":
        np.save(path, filters)
    elif path.suffix == ".npz":
        np.savez(path, mine=filters)
    else:
        stack = filters if filters.ndim == 3 else filters[None]
        delimiter = "," if path.suffix == ".csv" else " "
        text = ["\n".join(delimiter.join(map(repr, row)) for row in h.tolist()) for h in stack]
        path.write_text("# filters\n" + "\n\n".join(text) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".txt"])
@pytest.mark.parametrize("size", [3, 7])
@pytest.mark.parametrize("many", [False, True])
def test_every_file_type_reads_back(tmp_path, suffix, size, many):
    filters = np.random.default_rng(1).normal(size=(4, size, size))
    path = write(tmp_path / f"mine{suffix}", filters if many else filters[0])
    read = list(load_filters(path).values())
    assert len(read) == (4 if many else 1)
    np.testing.assert_array_equal(read[-1], filters[3 if many else 0])


def test_filters_may_follow_each_other_without_a_gap(tmp_path):
    path = tmp_path / "stack.csv"
    np.savetxt(path, learned_filters().reshape(56, 7), delimiter=",")
    np.testing.assert_allclose(np.stack(list(load_filters(path).values())), learned_filters())


def test_fit_prints_what_the_library_returns(run):
    status, out, _ = run("fit", "--method", "D1", "--key", "4", "--json")
    (record,) = json.loads(out)
    found = fit(4, "D1")
    assert status == 0
    assert (record["sigma_x"], record["sigma_y"], record["gamma"]) == (found.sigma_x, found.sigma_y, None)
    assert record["objective"] == found.objective


def test_fit_without_options_is_the_table(run):
    status, out, _ = run("fit", "--json")
    assert status == 0 and len(json.loads(out)) == 80
    assert "D-joint" in run("fit")[1]


@pytest.mark.parametrize("size", [3, 5, 9, 11])
def test_fit_of_a_file_names_the_right_key_first(run, tmp_path, size):
    path = write(tmp_path / "mine.npy", [ideal_filter(k, 0.6, size=size) for k in range(1, 7)])
    _, out, _ = run("fit", "--filters", path, "--method", "D2", "--json")
    best = {}
    for record in json.loads(out):
        best.setdefault(record["filter"], record["key"])
    assert best == {str(k): k for k in range(1, 7)}


def test_spread(run, tmp_path):
    path = write(tmp_path / "mine.npz", [ideal_filter(2, 0.0), ideal_filter(8, 0.5)])
    status, out, _ = run("spread", path, "--json")
    records = json.loads(out)
    assert status == 0
    assert [r["filter"] for r in records] == ["mine:1", "mine:2"]
    assert (records[0]["mean_x"], records[0]["xx"]) == (0.5, 0.25)
    assert "mean_x" in run("spread", path)[1]


def test_scorecard(run):
    status, out, err = run("scorecard", "--json")
    records = json.loads(out)
    assert status == 0 and err == ""
    assert len(records) == 357
    columns = "quantity key component method published decimals source reproduced difference matching_digits verdict deviation"
    assert list(records[0]) == columns.split()
    assert "357 published numbers" in run("scorecard")[1]


def broken_npz(path):
    write(path, np.eye(3))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content[: len(content) - 30])


MISTAKES = {
    "missing.npy": (None, "is not there"),
    "picture.png": (lambda p: p.write_bytes(b"x"), "unknown type"),
    "even.csv": (lambda p: p.write_text("1,2\n3,4\n"), r"shape (2, 2)"),
    "ragged.csv": (lambda p: p.write_text("1,2,3\n4,5\n"), "line 2 has 2 numbers"),
    "words.txt": (lambda p: p.write_text("a b c\n"), "line 1 is not a row of numbers"),
    "empty.csv": (lambda p: p.write_text(""), "is empty"),
    "binary.csv": (lambda p: p.write_bytes(b"\xff\xfe\x00\x01"), "is not a text file"),
    "nan.csv": (lambda p: p.write_text("1,2,3\n4,nan,6\n7,8,9\n"), "holds NaN or infinity"),
    "zero.npy": (lambda p: np.save(p, np.zeros((7, 7))), "is all zero"),
    "row.npy": (
        lambda p: np.save(p, np.ones(7)),
        "has shape (7,): expected (n, n), (k, n, n) or (k, 1, n, n), n odd and at least 3",
    ),
    "four.npy": (
        lambda p: np.save(p, np.ones((2, 2, 3, 3))),
        "has shape (2, 2, 3, 3): expected (n, n), (k, n, n) or (k, 1, n, n)",
    ),
    "dense.npz": (lambda p: np.savez(p, a=np.ones((2, 2, 3, 3))), "array a has shape (2, 2, 3, 3)"),
    "one.npy": (lambda p: np.save(p, np.ones((1, 1))), "has shape (1, 1): expected a square array of odd size, at least 3"),
    "decimal.csv": (
        lambda p: p.write_text("0,5;0;0\n0;1;0\n0;0;0\n"),
        "line 1 makes it a file with both semicolons and commas",
    ),
    "second.csv": (lambda p: p.write_text("0;0;0\n0;0,5;0\n0;0;0\n"), "line 2 makes it a file with both semicolons and commas"),
    "mixed.txt": (lambda p: p.write_text("0 0 0\n0,1,0\n0 0 0\n"), "line 1 is not a row of numbers"),
    "strings.npy": (lambda p: np.save(p, np.array([["a"] * 3] * 3)), "is not an array of real numbers"),
    "truncated.npy": (lambda p: p.write_bytes(b"\x93NUMPY"), "cannot be read"),
    "nothing.npy": (lambda p: p.write_bytes(b""), "cannot be read"),
    "damaged.npz": (broken_npz, "cannot be read"),
    "objects.npy": (lambda p: np.save(p, np.array([[object()]]), allow_pickle=True), "cannot be read"),
    "none.npz": (lambda p: zipfile.ZipFile(p, "w").close(), "is empty"),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("command", ["spread", "fit"])
def test_a_wrong_file_is_one_line(run, tmp_path, name, command):
    make, message = MISTAKES[name]
    path = tmp_path / name
    if make:
        make(path)
    before = sorted(p.name for p in tmp_path.iterdir())
    arguments = ("spread", path) if command == "spread" else ("fit", "--filters", path)
    status, out, err = run(*arguments)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1 and name in err and message in err
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_pickle_never_runs(tmp_path, run):
    # An object array whose unpickling would write a file.
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "trap"), "w"))

    path = tmp_path / "trap.npy"
    np.save(path, np.array([[Trap()]], dtype=object), allow_pickle=True)
    assert run("spread", path)[0] == 2
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "--key", "9"), "unknown key 9: expected an integer from 1 to 8"),
        (("fit", "--key", "two"), "unknown key 'two'"),
        (("fit", "--key", "-1"), "unknown key '-1'"),
        (("fit", "--method", "E"), "unknown method 'E': expected one of A, B, C1, C2, D1, D2"),
        (("fit", "--method", "E", "--filters", "x.npy"), "unknown method 'E'"),
    ],
)
def test_a_wrong_label_is_one_line(run, arguments, message):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("keyfilters: ") and message in err and err.count("\n") == 1


def test_a_filter_that_does_not_suit_the_key_is_one_line(run, tmp_path):
    path = write(tmp_path / "smooth.npy", ideal_filter(8, 0.6))
    status, out, err = run("fit", "--filters", path, "--key", "5")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "smooth.npy filter 1: filter has no response to x" in err


@pytest.mark.parametrize("arguments", [[], ["fit", "--metod", "A"], ["spread"], ["paint"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("keyfilters") and said.count("\n") == 1 and "--help" in said


@pytest.mark.parametrize("command", ["fit", "spread", "scorecard"])
def test_help_has_examples_that_run(command, capsys, tmp_path, monkeypatch):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    examples = [line.split("  ")[1] for line in text.splitlines() if line.startswith("  keyfilters ")]
    assert len(examples) >= 2
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.npy", learned_filters()[:2])
    write(tmp_path / "mine.csv", learned_filters()[:2])
    for example in examples:
        assert main(example.split(">")[0].split()[1:]) == 0, example


def test_a_closed_pipe_is_no_error(tmp_path):
    code = "import sys; from keyfilters.cli import main; sys.exit(main(['scorecard', '--json']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0
    process.stderr.close()


def test_import_is_light():
    code = (
        "import sys, keyfilters; keyfilters.ideal_filter(1, 0.5); keyfilters.fit(1, 'D2');"
        "bad = [m for m in ('torch', 'matplotlib', 'pandas', 'papermill', 'timm') if m in sys.modules];"
        "sys.exit(' '.join(bad))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.strip() == ""


def test_json_has_no_nan(run):
    out = run("fit", "--method", "A", "--json")[1]
    assert "NaN" not in out
    json.load(io.StringIO(out), parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_depthwise_weights_are_filters(run, tmp_path, suffix):
    weights = np.random.default_rng(2).normal(size=(32, 1, 7, 7))
    path = write(tmp_path / f"conv{suffix}", weights)
    np.testing.assert_array_equal(np.stack(list(load_filters(path).values())), weights[:, 0])
    status, out, _ = run("spread", path, "--json")
    assert status == 0 and len(json.loads(out)) == 32


def test_semicolons_separate_as_well(tmp_path):
    path = tmp_path / "semicolons.csv"
    path.write_text("# a, b; c\n0;0;0\n0;1.5;0;\n0;0;0\n")
    assert load_filters(path)["1"].tolist() == [[0, 0, 0], [0, 1.5, 0], [0, 0, 0]]


def test_python_runs_the_package_as_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["keyfilters", "fit", "--key", "9"])
    # Another test may have imported it, which `runpy` warns of.
    monkeypatch.delitem(sys.modules, "keyfilters.__main__", raising=False)
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("keyfilters", run_name="__main__")
    assert stop.value.code == 2 and "unknown key 9" in capsys.readouterr().err


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_an_interrupted_command_is_one_line(monkeypatch, run):
    monkeypatch.setattr("keyfilters.cli._fits", interrupt)
    assert run("fit") == (130, "", "keyfilters: interrupted\n")


def test_an_import_may_be_interrupted(monkeypatch, run):
    monkeypatch.setattr("keyfilters.cli.import_module", interrupt)
    assert run("inspect", "efficientnet_lite0") == (130, "", "keyfilters: interrupted\n")


def test_an_interrupted_training_says_how_to_go_on(monkeypatch, run):
    monkeypatch.setattr("keyfilters.cli._run_network_command", interrupt)
    arguments = ("train", "--recipe", "fashion-mnist-small", "-o", "my run")
    said = "keyfilters: interrupted; keyfilters train --resume -o 'my run' goes on from the last checkpoint\n"
    assert run(*arguments) == (130, "", said)
    # What is stored by its last part only has to be said again.
    more = (*arguments, "--weights", "my files/a.pth", "--set", "data=pictures")
    said = "keyfilters train --resume -o 'my run' --data pictures --weights 'my files/a.pth' goes on"
    assert said in run(*more)[2]
    assert run(*arguments, "--dry-run") == (130, "", "keyfilters: interrupted\n")
    monkeypatch.setenv("RANK", "1")
    assert run(*arguments) == (130, "", "")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_signal_ends_the_command_without_a_traceback():
    code = (
        "import sys, time; import keyfilters.cli as cli;"
        "cli._fits = lambda _: (print('ready', flush=True), time.sleep(60)); sys.exit(cli.main(['fit']))"
    )
    # A shell leaves interrupts ignored in what it runs in the background, and children inherit that.
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {code}"
    with patient.patience():
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert said == "keyfilters: interrupted\n" and process.returncode == 130


def test_a_message_names_the_argument_and_the_command_the_option(run, tmp_path):
    pytest.importorskip("torch")
    from torch import nn

    from keyfilters.networks import inspect_model
    from keyfilters.networks.zoo.checkpoints import write_weights

    found = inspect_model(nn.Conv2d(4, 4, 3, groups=4), nulls="none")
    for write_again, name in ((found.write, "r.html"), (lambda p: write_weights({}, p), "w.safetensors")):
        (tmp_path / name).write_text("mine")
        with pytest.raises(ValueError) as raised:
            write_again(tmp_path / name)
        assert str(raised.value).endswith(f"{name}: exists already; choose another name, or pass force=True to overwrite it")
        assert (tmp_path / name).read_text() == "mine"
    status, out, err = run("inspect", "efficientnet_lite0", "--html", str(tmp_path / "r.html"))
    assert (status, out) == (2, "") and err.endswith("exists already; choose another name, or add --force to overwrite it\n")


def test_the_helps_name_what_is_accepted(capsys):
    def help_of(command):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        return " ".join(capsys.readouterr().out.split())

    for command in ("inspect", "replace", "train", "evaluate", "extract"):
        assert "A to D2, A-joint to D-joint, or learned" in help_of(command)
    assert "imagenet:FOLDER" in help_of("evaluate")
    assert "(k, 1, n, n)" in help_of("spread") and "(k, 1, n, n)" in help_of("fit")


def test_an_option_that_is_given_twice_is_used_or_refused(run, capsys):
    _, out, _ = run("fit", "--method", "D1", "--method", "A", "--key", "4", "--key", "2", "--json")
    assert [(r["method"], r["key"]) for r in json.loads(out)] == [("D1", 4), ("D1", 2), ("A", 4), ("A", 2)]
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--filters", "a.npy", "--filters", "b.npy"])
    assert stop.value.code == 2
    assert "--filters is given twice" in capsys.readouterr().err


def test_fit_shows_intervals(run):
    _, out, _ = run("fit", "--method", "D1", "--key", "7", "--level", "0.5", "--json")
    (record,) = json.loads(out)
    ends = fit(7, "D1").interval(0.5)
    for name in ("sigma_x", "sigma_y", "gamma"):
        assert (record[f"{name}_low"], record[f"{name}_high"]) == tuple(ends[name])
    assert record["explained"] == fit(7, "D1").explained
    assert "x from to" in run("fit", "--method", "D1", "--key", "7")[1]
    assert "from to" not in run("fit", "--method", "D1", "--key", "7", "--no-intervals")[1]


def test_a_method_without_intervals_has_dashes_in_their_place(run, monkeypatch):
    """A row that somebody adds to the table of methods, as CONTRIBUTING.md says."""
    monkeypatch.setitem(METHODS, "E", dataclasses.replace(METHODS["A"], name="E"))
    status, out, _ = run("fit", "--method", "E", "--method", "A", "--key", "5", "--json")
    own, other = json.loads(out)
    assert status == 0 and own["sigma_x"] == other["sigma_x"] == fit(5, "A").sigma_x
    assert own["sigma_x_low"] is None and other["sigma_x_low"] < other["sigma_x"]
    assert run("fit", "--method", "E", "--key", "5")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--level", "2"), "level is 2"),
        (("--level", "wide"), "--level is 'wide'"),
        (("--level", "0.9", "--no-intervals"), "--level is given with"),
    ],
)
def test_a_wrong_level_is_one_line(run, arguments, message):
    status, out, err = run("fit", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1) and message in err


def test_a_key_that_does_not_apply_is_said(run, tmp_path):
    path = write(tmp_path / "smooth.npy", ideal_filter(8, 0.6))
    _, out, _ = run("fit", "--filters", path, "--method", "D2", "--json")
    records = json.loads(out)
    assert [r["key"] for r in records[:2]] == [8, 7] or records[0]["key"] == 8
    assert {r["key"]: r["note"] for r in records if r["note"]}[5].startswith("filter has no response to x")
    assert "filter 1, key 5: filter has no response to x" in run("fit", "--filters", path, "--method", "D2")[1]
