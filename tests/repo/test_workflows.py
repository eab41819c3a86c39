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
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def run(*command, cwd=ROOT):
    return patient.run(command, cwd=cwd, capture_output=True, text=True)


def program(name):
    """A program of the environment that the tests run in."""
    return str(Path(sys.executable).with_name(name))


def load(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["on"] = content.pop(True)  # YAML 1.1 reads the key `on` as a truth value
    return content


def steps(path):
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


def test_the_workflows_are_there():
    assert [path.stem for path in WORKFLOWS] == ["gpu", "links", "long", "pages", "tests"]


# --- other people's checkers -------------------------------------------------


def test_zizmor_finds_nothing():
    done = run(program("zizmor"), "--offline", "--no-progress", "--format", "plain", ".github/workflows")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_the_schema_holds(schema):
    done = run(program("check-jsonschema"), "--builtin-schema", schema, *map(str, WORKFLOWS))
    assert done.returncode == 0, done.stdout + done.stderr


def actionlint(pattern, cwd=ROOT):
    """Leaves out shellcheck and pyflakes, which one machine has and another has not."""
    files = [str(path.relative_to(cwd)) for path in sorted(cwd.glob(pattern))]
    return run(program("actionlint"), "-verbose", "-shellcheck=", "-pyflakes=", *files, cwd=cwd)


def test_actionlint_finds_nothing():
    done = actionlint(".github/workflows/*.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Found 0 errors in {len(WORKFLOWS)} files" in done.stderr


def test_actionlint_would_find_a_mistake(tmp_path):
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    (tmp_path / "wrong.yml").write_text(text.replace("matrix.python }}", "matrix.pyton }}"), encoding="utf-8")
    done = actionlint("*.yml", cwd=tmp_path)
    assert done.returncode == 1 and "pyton" in done.stdout


# --- our own rules -----------------------------------------------------------


@each_workflow
def test_every_action_is_pinned_by_a_full_commit(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if re.match(r"\s*(- )?uses:", line)]
    assert lines
    for line in lines:
        assert re.fullmatch(r"\s*(- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_action_has_one_version():
    text = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: (\S+)@(\S+) # (\S+)", text))
    assert len(pins) == len({action for action, _, _ in pins}), sorted(pins)


@each_workflow
def test_nothing_is_permitted_that_no_job_asks_for(path):
    workflow = load(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        if (path.stem, name) == ("pages", "deploy"):
            assert job["permissions"] == {"pages": "write", "id-token": "write"}
        else:
            assert job["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"] <= 720
    assert workflow["concurrency"]["group"]


@each_workflow
def test_the_checkout_keeps_no_credentials(path):
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_workflow
def test_run_steps_are_commands_of_the_readme(path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:sh|console|bash)\n(.*?)```", readme, flags=re.DOTALL)
    commands = {line.split("#")[0].strip() for block in blocks for line in block.splitlines()}
    runs = [step["run"].strip() for step in steps(path) if "run" in step]
    for line in "\n".join(runs).splitlines():
        assert line in commands, f"{line!r} is no command of the README: {sorted(commands)}"


def test_every_push_and_pull_request_runs_tests_and_book():
    workflow = load(ROOT / ".github" / "workflows" / "tests.yml")
    assert workflow["on"] == {"push": {"branches": ["**"]}, "pull_request": None}
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make book", "make test", "make count"]


def test_the_long_tests_run_by_a_clock():
    workflow = load(ROOT / ".github" / "workflows" / "long.yml")
    assert set(workflow["on"]) == {"workflow_dispatch", "schedule"}
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make book", "make test-all"]


def test_the_gpu_job_never_runs_for_a_pull_request():
    workflow = load(ROOT / ".github" / "workflows" / "gpu.yml")
    assert set(workflow["on"]) == {"workflow_dispatch", "schedule", "push"}
    assert workflow["on"]["push"] == {"tags": ["v*"]}
    (job,) = workflow["jobs"].values()
    assert job["runs-on"] == """${{ fromJSON(vars.GPU_RUNNER || '["self-hosted","linux","x64","gpu"]') }}"""
    runs = [step["run"] for step in job["steps"] if "run" in step]
    store = "make reference ARGS=--machine"
    assert runs == ["make experiments DEVICE=cuda JOBS=4", "make book", store, "make book PROFILE=full", store]


def test_the_gpu_job_hands_over_the_verdict_that_the_pages_read():
    (job,) = load(ROOT / ".github" / "workflows" / "gpu.yml")["jobs"].values()
    (kept,) = (step["with"]["path"].split() for step in job["steps"] if "upload-artifact" in step.get("uses", ""))
    assert str(machine_path(Project(ROOT), GPU).relative_to(ROOT)) in kept


def test_no_other_workflow_runs_on_a_machine_of_ones_own():
    for path in WORKFLOWS:
        for job in load(path)["jobs"].values():
            assert path.stem == "gpu" or job["runs-on"] == "ubuntu-24.04"


@each_workflow
def test_make_takes_the_python_that_was_set_up(path):
    """make looks for the newest Python on the PATH, unless it is told which one."""
    for job in load(path)["jobs"].values():
        if any(step.get("run", "").startswith("make") for step in job["steps"]):
            (version,) = (step["with"]["python-version"] for step in job["steps"] if "python-version" in step.get("with", {}))
            assert job["env"]["PYTHON"] == f"python{version}"


def test_the_shell_does_not_expand_the_pattern_of_the_link_check():
    (job,) = load(ROOT / ".github" / "workflows" / "links.yml")["jobs"].values()
    (arguments,) = (step["with"]["args"] for step in job["steps"] if "lychee" in step.get("uses", ""))
    assert arguments.split()[-1] == "'_build/html/**/*.html'"
