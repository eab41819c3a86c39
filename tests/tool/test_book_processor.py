"""The libraries are held to one kind of kernels, unless a person asks for older ones or the processor lacks them."""

import json
import os
import subprocess
import sys

import pytest
from tiny_book import edit, executed, tiny_book

from keyfilters_build.processor import KERNEL_LIMITS, PROCESSOR_KINDS, common_kernels, processor, processor_flags, shortfall

AVX2 = {"sse4_2", "avx", "avx2", "fma"}
NAMES = {limit.variable for limit in KERNEL_LIMITS.values()} | {"NPY_DISABLE_CPU_FEATURES"}


@pytest.mark.parametrize("flags", [set(), {"sse4_2"}, {"avx2"}, {"neon"}])
def test_newer_processors_compute_as_those_with_avx2_and_one_without_is_left_alone_and_says_so(flags):
    found = common_kernels({}, AVX2 | {"avx512f"})
    assert found == common_kernels({}, AVX2) and set(found) == NAMES and "X86_V4" in found["NPY_DISABLE_CPU_FEATURES"].split()
    assert common_kernels({}, flags) == {}
    assert shortfall(flags).count("\n") == 0 and "last digits may differ" in shortfall(flags)


@pytest.mark.parametrize("asked, variable, value", [
    ({"ATEN_CPU_CAPABILITY": "default"}, "ATEN_CPU_CAPABILITY", None),
    ({"ATEN_CPU_CAPABILITY": "avx512"}, "ATEN_CPU_CAPABILITY", "avx2"),
    ({"DNNL_MAX_CPU_ISA": "SSE41"}, "ONEDNN_MAX_CPU_ISA", None),
    ({"ONEDNN_MAX_CPU_ISA": "ALL"}, "ONEDNN_MAX_CPU_ISA", "AVX2"),
    ({"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}, "MKL_CBWR", None),
    ({"MKL_ENABLE_INSTRUCTIONS": "AVX2"}, "MKL_CBWR", "AVX2"),
    ({"MKL_CBWR": "COMPATIBLE"}, "MKL_CBWR", None),
    ({"OPENBLAS_CORETYPE": "Nehalem"}, "OPENBLAS_CORETYPE", None),
    ({"OPENBLAS_CORETYPE": "Zen"}, "OPENBLAS_CORETYPE", "Haswell"),
])  # fmt: skip
def test_older_kernels_may_be_asked_for_and_newer_may_not(asked, variable, value):
    found = common_kernels(asked, AVX2)
    assert found.get(variable) == value
    assert set(found) >= NAMES - {variable}


def test_numpy_takes_the_list_without_a_word_and_what_it_is_asked_to_leave_out_stays_out():
    found = common_kernels({"NPY_DISABLE_CPU_FEATURES": "X86_V3, FMA3"}, AVX2)
    assert found["NPY_DISABLE_CPU_FEATURES"].split()[:2] == ["X86_V3", "FMA3"]
    code = "import numpy; numpy.ones((3, 3)) @ numpy.ones(3)"
    environment = {"NPY_DISABLE_CPU_FEATURES": common_kernels({}, AVX2)["NPY_DISABLE_CPU_FEATURES"], "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_flags_are_read_from_the_system(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu avx2 fma\n\nflags: other\n")
    assert processor_flags(tmp_path / "cpuinfo") == {"fpu", "avx2", "fma"}
    assert processor_flags(tmp_path / "none") == frozenset()


@pytest.mark.parametrize("asked, expected", [(None, "avx2"), ("default", "default")])
def test_a_notebook_is_executed_with_them(tmp_path, monkeypatch, asked, expected):
    monkeypatch.setattr("keyfilters_build.execute.processor_flags", lambda: frozenset(AVX2))
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    if asked:
        monkeypatch.setenv("ATEN_CPU_CAPABILITY", asked)
    project = tiny_book(tmp_path, "one")
    number = "import os\npage.number('kernels', os.environ.get('ATEN_CPU_CAPABILITY', 'any'))"
    edit(project, "one", 5, lambda source: f"{source}\n{number}")
    runs, failures = executed(project)
    assert not failures
    assert json.loads((runs["one"].results / "numbers.json").read_text())["kernels"]["text"] == expected


# --- what is recorded of it ---------------------------------------------------------------

LIMITS = {
    "sse": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
            "OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2",
             "OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V4"},
    "avx512": {},
}  # fmt: skip
FLAGS = {"sse": {"sse4_2"}, "avx2": {"avx2", "fma"}, "avx512": {"avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"}}


@pytest.fixture
def x86(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.mark.parametrize("machine", FLAGS)
@pytest.mark.parametrize("limit", LIMITS)
def test_a_run_computes_as_the_lesser_of_machine_and_limits(x86, machine, limit):
    expected = min(machine, limit, key=list(PROCESSOR_KINDS).index)
    assert processor(LIMITS[limit], FLAGS[machine]) == {"machine": machine, "kind": expected}


@pytest.mark.parametrize("machine", FLAGS)
def test_the_build_lets_every_machine_compute_as_one_with_avx2(x86, machine):
    for asked, kind in ({}, "sse" if machine == "sse" else "avx2"), (LIMITS["sse"], "sse"):
        assert processor(asked | common_kernels(asked, FLAGS[machine]), FLAGS[machine])["kind"] == kind


def test_one_library_without_a_limit_is_enough_to_compute_as_the_machine(x86, monkeypatch):
    for left_out in LIMITS["sse"]:
        some = {name: value for name, value in LIMITS["sse"].items() if name != left_out}
        assert processor(some, FLAGS["avx512"])["kind"] == "avx512", left_out
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert processor({}, set()) == {"machine": "arm64", "kind": "arm64"}


@pytest.mark.parametrize("limit", ["sse", "avx2"])
def test_the_libraries_agree_with_what_is_recorded(limit):
    """What PyTorch and NumPy say of themselves under the limits is what the record says."""
    code = (
        "import json, numpy, torch; from keyfilters_build.processor import processor\n"
        "found = numpy.show_config(mode='dicts')['SIMD Extensions'].get('found', [])\n"
        "print(json.dumps([processor(), torch.backends.cpu.get_cpu_capability(), found]))"
    )
    # A limit on what the processor lacks is a warning of NumPy's.
    command = [sys.executable, "-W", "ignore", "-c", code]
    run = subprocess.run(command, env={**os.environ, **LIMITS[limit]}, capture_output=True, text=True, check=True)
    recorded, torch_says, numpy_found = json.loads(run.stdout)
    if recorded["machine"] not in PROCESSOR_KINDS:
        pytest.skip("not an x86-64 processor")
    assert {"DEFAULT": "sse", "AVX2": "avx2"}[torch_says] == recorded["kind"]
    assert ("X86_V3" in numpy_found) == (recorded["kind"] == "avx2") and "X86_V4" not in numpy_found
