"""The set-up of `.venv` by make, with a stand-in for Python that records what it is asked to do."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import patient
import pytest

ROOT = Path(__file__).resolve().parents[2]

# Answers like Python to the questions of the Makefile; `-m venv DIR` puts a copy of itself into DIR/bin.
STAND_IN = """#!/bin/sh
echo "$0 $*" >> "$LOG"
env | grep -E '^(PYTHON|IPYTHON|JUPYTER|MPL|MATPLOTLIB|DOCUTILS)' >> "$LOG.settings"
case "$*" in
  *version_info*) exit "${OLD:-0}" ;;
  *ensurepip*) exit "${NO_VENV:-0}" ;;
  --version) echo "Python 3.12.0" ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && [ -z "$KILL_AT_VENV" ] || kill -9 "$PPID" ;;
  *"pip install"*) [ -z "$FAIL_AT_INSTALL" ] || exit 1 ;;
esac
exit 0
"""


@pytest.fixture
def place(tmp_path):
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    stand_in = tmp_path / "python3.99"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    return tmp_path


def make(place, *arguments, python="./python3.99", **environment):
    """Without what a `make test` with variables of its own hands on to its tests."""
    variables = "ARGS", "DEVICE", "JOBS", "ONLY", "PORT", "PROFILE", "STRICT", "WORKERS"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON", *variables))}
    clean |= {"LOG": str(place / "log"), **environment}
    return patient.run(
        ["make", *arguments, f"PYTHON={python}"], cwd=place, env=clean, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def calls(place):
    log = place / "log"
    return log.read_text().splitlines() if log.exists() else []


def set_up(place, **environment):
    """Whether the set-up went well; it is said by the exit status and by the stamp alike."""
    done = make(place, "setup", **environment)
    assert (done.returncode == 0) == (place / ".venv" / ".ready").exists()
    return done.returncode == 0


def test_make_alone_prints_help_and_does_nothing(place):
    done = make(place)
    assert done.returncode == 0
    for target in ("book", "test", "test-all", "bench", "serve", "clean", "lock"):
        assert f"\n  {target} " in done.stdout
    assert not (place / ".venv").exists()


def test_set_up_installs_with_hashes_what_is_pinned_and_happens_once(place):
    assert set_up(place) and not (place / ".venv" / ".incomplete").exists()
    installs = [call for call in calls(place) if "pip install" in call]
    pinned = ("--require-hashes", "--no-deps --no-build-isolation --editable")
    assert installs and all(any(words in call for words in pinned) and "://" not in call for call in installs)
    before = len(calls(place))
    assert set_up(place) and len(calls(place)) == before
    first, *hashes = (place / ".venv" / "uv.lock").read_text().splitlines()
    assert first.startswith("uv==") and len(hashes) > 1 and all(line.lstrip().startswith("--hash=sha256:") for line in hashes)


def test_no_setting_for_other_python_programs_is_handed_on(place):
    """A path of modules or warnings as errors reach neither the set-up nor the build, nor, through it, a notebook."""
    names = (
        "PYTHONPATH PYTHONWARNINGS PYTHONOPTIMIZE PYTHONSTARTUP PYTHONIOENCODING JUPYTER_PATH JUPYTER_CONFIG_DIR IPYTHONDIR "
        "MPLBACKEND MPLCONFIGDIR MATPLOTLIBRC DOCUTILSCONFIG"
    ).split()
    assert make(place, "book", **dict.fromkeys(names, "of somebody")).returncode == 0
    assert any("-m keyfilters_build build" in call for call in calls(place))
    assert set((place / "log.settings").read_text().split()) == {"PYTHONUTF8=1"}


def test_long_tests_are_left_out_unless_all_are_asked_for(place):
    """Each builds the book first; only the processes that share the tests and the choice of tests differ."""
    for target, choice in (("test", "-m not slow"), ("test-all", ""), ("unit", "-m not book and not browser and not slow")):
        (place / "log").unlink(missing_ok=True)
        done = make(place, target, "ARGS=--one", "WORKERS=3")
        assert done.returncode == 0, done.stderr
        asked = [call.split(" ", 1)[1] for call in calls(place) if "-m keyfilters_build build" in call or "-m pytest" in call]
        shared = " ".join(f"-m pytest -n 3 --maxprocesses 8 --dist worksteal {choice} --one".split())
        assert asked == ([] if target == "unit" else ["-m keyfilters_build build --profile quick"]) + [shared]


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_new_lock_installs_again_into_the_same_environment(place, name):
    assert set_up(place)
    (place / ".venv" / "mine").touch()
    later = (place / ".venv" / ".ready").stat().st_mtime + 5
    os.utime(place / name, (later, later))
    before = len(calls(place))
    assert set_up(place) and len(calls(place)) > before and (place / ".venv" / "mine").exists()


def test_a_failed_or_killed_set_up_leaves_no_stamp_and_the_next_starts_from_an_empty_environment(place):
    for fault in ("FAIL_AT_INSTALL", "KILL_AT_VENV"):
        assert not set_up(place, **{fault: "1"})
        (place / ".venv" / "half").touch()
        assert set_up(place) and not (place / ".venv" / "half").exists()
        shutil.rmtree(place / ".venv")


@pytest.mark.parametrize(
    ("environment", "python", "message"),
    [
        ({}, "nonesuch", "no Python 3.11 or newer among: nonesuch"),
        ({"OLD": "1"}, "./python3.99", "no Python 3.11 or newer among: ./python3.99"),
        ({"NO_VENV": "1"}, "./python3.99", "lacks the modules venv and ensurepip"),
    ],
)
def test_without_a_python_that_will_do_there_is_one_line(place, environment, python, message):
    done = make(place, "setup", python=python, **environment)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1 and said[0].startswith("error: ") and message in said[0]
    assert not (place / ".venv").exists()


def test_a_copied_environment_is_made_anew(place):
    assert set_up(place)
    (place / ".venv" / ".home").write_text("/somewhere/else\n")
    (place / ".venv" / "old").touch()
    assert set_up(place) and not (place / ".venv" / "old").exists()
    before = len(calls(place))
    assert set_up(place) and len(calls(place)) == before


def test_serve_says_what_is_wrong_with_the_port(tmp_path):
    serve = [sys.executable, str(ROOT / "tools" / "serve.py"), str(tmp_path)]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for argument, message in ((port, "make serve PORT="), ("abc", "expected a number")):
            done = patient.run([*serve, argument], capture_output=True, text=True)
            assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1


def test_the_device_is_handed_to_the_experiments_and_for_anything_else_refused(place):
    """It would be passed over without a word."""
    assert make(place, "experiments", "DEVICE=cuda", "JOBS=4").returncode == 0
    assert calls(place)[-1].endswith("-m keyfilters_build.experiments --device cuda --jobs 4")
    for goal in ("book", "test", "help"):
        done = make(place, goal, "DEVICE=cuda")
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert "DEVICE=cuda is for make experiments, and for that alone" in done.stderr
    assert make(place, "help", DEVICE="cuda").returncode == 0


def test_without_git_the_checks_of_code_are_left_out_in_one_line(place):
    done = make(place, "check", GIT_CEILING_DIRECTORIES=str(place.parent))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "No clone of git: ruff, mypy, import-linter and nbstripout are left out."
