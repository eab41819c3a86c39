"""What `.ci/run` does: on a bare machine where one can be made, else on this one, and it says which."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / ".ci"


@pytest.fixture
def checkout(tmp_path):
    """A folder with `.ci`, a `make` that notes what it is asked for, and somebody who is not root."""
    shutil.copytree(CI, tmp_path / ".ci")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, line in (("make", 'echo "made: $* CI=$CI"; [ "$*" != "$FAIL" ]'), ("id", "echo 1000")):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    return tmp_path


def run(checkout, place="", **environment):
    own = {name: value for name, value in os.environ.items() if name != "CI"} | {"FAIL": "", **environment}
    own["PATH"] = f"{checkout / 'programs'}{os.pathsep}{own['PATH']}"
    return subprocess.run(
        [checkout / place / ".ci" / "run"], cwd="/", env=own, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def test_without_a_bare_machine_the_two_commands_run_here(checkout):
    done = run(checkout)
    assert done.returncode == 0 and done.stderr == "bare-machine: needs root\n"
    assert done.stdout.splitlines() == [
        "On this machine as it is: make book, then make test. The line above says why not on a bare machine.",
        "made: book CI=true",
        "made: test CI=true",
        "made: count CI=true",
        "The book was built and the tests passed.",
    ]


@pytest.mark.parametrize("place", ["", "unpacked"])
def test_an_archive_is_tested_here(checkout, place):
    """It has nothing committed that a bare machine could take, not even where it lies within a repository."""
    (checkout / "programs" / "id").write_text("#!/bin/sh\necho 0\n")
    (checkout / "programs" / "apt-get").symlink_to("/bin/true")
    if place:
        subprocess.run(["git", "init", "--quiet", checkout], check=True)
        shutil.move(checkout / ".ci", checkout / place / ".ci")
    done = run(checkout, place)
    assert (done.returncode, done.stderr) == (0, "bare-machine: needs a clone of the repository, and git\n")
    assert done.stdout.startswith("On this machine as it is: ")


def test_a_failure_is_the_end_of_it(checkout):
    for goal in ("book", "test"):
        done = run(checkout, FAIL=goal)
        assert done.returncode == 1 and done.stdout.splitlines()[-1] == f"made: {goal} CI=true"


@pytest.mark.parametrize("where, said, commands", [(0, "On a bare machine", ["--prepare", "sh -c make book && make test && make count"]),
                                                   (1, "On this machine as it is", ["--prepare"])])  # fmt: skip
def test_a_bare_machine_is_taken_where_there_is_one(checkout, where, said, commands):
    """With a stand-in for it."""
    (checkout / ".ci" / "bare-machine").write_text(
        f'#!/bin/sh\necho "$*" >> "{checkout}/asked"\n[ "$1" != --prepare ] || exit {where}\nexit "${{INSIDE:-0}}"\n'
    )
    done = run(checkout)
    assert done.returncode == 0 and done.stdout.startswith(said)
    assert (checkout / "asked").read_text().splitlines() == commands
    if not where:
        failed = run(checkout, INSIDE="3")
        assert failed.returncode == 3 and "passed" not in failed.stdout


@pytest.mark.parametrize("arguments, said", [
    ([], "expected a command"), (["--own", "true"], "unknown option --own"), (["--out", str(CI), "true"], "is there already"),
])  # fmt: skip
def test_a_mistake_is_one_line(arguments, said):
    done = subprocess.run([CI / "bare-machine", *arguments], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("bare-machine: ") and said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_command_on_a_bare_machine(tmp_path):
    """What lies about here is not seen there, and nothing stays of it here."""
    if subprocess.run([CI / "bare-machine", "--prepare"], stdin=subprocess.DEVNULL).returncode:
        pytest.skip("no bare machine can be made here")
    store = Path(os.environ.get("BARE_MACHINES", "/var/tmp/keyfilters-bare-machines"))
    before = set(store.iterdir())
    look = (
        'echo "$HOME $LANG $SECRET"; ls -A .venv ~/.cache; git status --porcelain; mkdir _build; echo made > _build/it; exit 7'
    )
    command, environment = (
        [CI / "bare-machine", "--out", tmp_path / "out", "sh", "-c", look],
        {**os.environ, "SECRET": "of this machine"},
    )
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 7 and done.stdout == "/root C.UTF-8 \n"
    assert (tmp_path / "out" / "it").read_text() == "made\n" and set(store.iterdir()) == before
