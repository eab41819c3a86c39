"""The workflows under .github/workflows are valid, safe, and call the README's own commands."""

import re
import sys
from pathlib import Path

import patient
import pytest
import yaml

from keyfilters_build.project import Project
from keyfilters_build.reproduction import GPU, machine_path

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

pytestmark = pytest.mark.filterwarnings("error")


def run(*command, cwd=ROOT):
    return patient.run(command, cwd=cwd, capture_output=True, text=True)


def program(name):
    """A program of the environment that the tests run in."""
    return str(Path(sys.executable).with_name(name))


def loaded(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["on"] = content.pop(True)  # YAML 1.1 reads the key `on` as a truth value
    return content


LOADED = {path.stem: loaded(path) for path in WORKFLOWS}
JOBS = {(stem, name): job for stem, workflow in LOADED.items() for name, job in workflow["jobs"].items()}


def one_job(stem):
    """The one job of a workflow, and the commands that it runs."""
    [job] = LOADED[stem]["jobs"].values()
    return job, [step["run"] for step in job["steps"] if "run" in step]


def used(job, action):
    """What the steps give to an action."""
    return [step.get("with", {}) for step in job["steps"] if action in step.get("uses", "")]


def test_the_workflows_are_there():
    assert list(LOADED) == ["gpu", "links", "long", "pages", "tests"]


# --- other people's checkers -------------------------------------------------


@pytest.mark.parametrize("command", [
    ["zizmor", "--offline", "--no-progress", "--format", "plain", ".github/workflows"],
    ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS)],
    ["check-jsonschema", "--builtin-schema", "custom.github-workflows-require-timeout", *map(str, WORKFLOWS)],
])  # fmt: skip
def test_others_find_nothing(command):
    done = run(program(command[0]), *command[1:])
    assert done.returncode == 0, done.stdout + done.stderr


def actionlint(pattern, cwd=ROOT):
    """Leaves out shellcheck and pyflakes, which one machine has and another has not."""
    files = [str(path.relative_to(cwd)) for path in sorted(cwd.glob(pattern))]
    return run(program("actionlint"), "-verbose", "-shellcheck=", "-pyflakes=", *files, cwd=cwd)


def test_actionlint_finds_nothing_and_would_find_a_mistake(tmp_path):
    done = actionlint(".github/workflows/*.yml")
    assert done.returncode == 0 and f"Found 0 errors in {len(WORKFLOWS)} files" in done.stderr, done.stdout + done.stderr
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    (tmp_path / "wrong.yml").write_text(text.replace("matrix.python }}", "matrix.pyton }}"), encoding="utf-8")
    done = actionlint("*.yml", cwd=tmp_path)
    assert done.returncode == 1 and "pyton" in done.stdout


# --- our own rules -----------------------------------------------------------


def test_every_action_is_pinned_by_a_full_commit_and_has_one_version():
    lines = [line.strip().removeprefix("- ") for path in WORKFLOWS for line in path.read_text(encoding="utf-8").splitlines()]
    pins = {line for line in lines if line.startswith("uses:")}
    found = [re.fullmatch(r"uses: ([\w.-]+/[\w./-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in sorted(pins)]
    assert found and None not in found, pins
    assert len(pins) == len({match[1] for match in found}), pins


@pytest.mark.parametrize("place", JOBS, ids="-".join)
def test_nothing_is_permitted_that_no_job_asks_for(place):
    job, workflow = JOBS[place], LOADED[place[0]]
    assert workflow["permissions"] == {} and workflow["concurrency"]["group"] and job["timeout-minutes"] <= 720
    deploys = place == ("pages", "deploy")
    assert job["permissions"] == ({"pages": "write", "id-token": "write"} if deploys else {"contents": "read"})
    assert all(given["persist-credentials"] is False for given in used(job, "actions/checkout@"))
    # No other workflow runs on a machine of one's own.
    assert place[0] == "gpu" or job["runs-on"] == "ubuntu-24.04"
    # make looks for the newest Python on the PATH, unless it is told which one.
    if any(step.get("run", "").startswith("make") for step in job["steps"]):
        (python,) = (given["python-version"] for given in used(job, "setup-python"))
        assert job["env"]["PYTHON"] == f"python{python}"


def test_run_steps_are_commands_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:sh|console|bash)\n(.*?)```", readme, flags=re.DOTALL)
    commands = {line.split("#")[0].strip() for block in blocks for line in block.splitlines()}
    lines = {line for job in JOBS.values() for step in job["steps"] for line in step.get("run", "").strip().splitlines()}
    assert lines and not lines - commands


STORE = "make reference ARGS=--machine"


@pytest.mark.parametrize(("stem", "when", "commands"), [
    ("tests", {"push": {"branches": ["**"]}, "pull_request": None}, ["make book", "make test", "make count"]),
    ("long", {"workflow_dispatch", "schedule"}, ["make book", "make test-all"]),
    # Never for a pull request.
    ("gpu", {"workflow_dispatch", "schedule", "push"},
     ["make experiments DEVICE=cuda JOBS=4", "make book", STORE, "make book PROFILE=full", STORE]),
])  # fmt: skip
def test_a_workflow_runs_its_commands_when_it_should(stem, when, commands):
    assert LOADED[stem]["on"] == when if isinstance(when, dict) else set(LOADED[stem]["on"]) == when
    assert one_job(stem)[1] == commands


def test_the_gpu_job_runs_on_its_machine_and_hands_over_the_verdict_that_the_pages_read():
    job, _ = one_job("gpu")
    assert LOADED["gpu"]["on"]["push"] == {"tags": ["v*"]}
    assert job["runs-on"] == """${{ fromJSON(vars.GPU_RUNNER || '["self-hosted","linux","x64","gpu"]') }}"""
    (given,) = used(job, "upload-artifact")
    assert str(machine_path(Project(ROOT), GPU).relative_to(ROOT)) in given["path"].split()


def test_the_shell_does_not_expand_the_pattern_of_the_link_check():
    (given,) = used(one_job("links")[0], "lychee")
    assert given["args"].split()[-1] == "'_build/html/**/*.html'"
