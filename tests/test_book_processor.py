"""The libraries are held to one kind of kernels, unless a person asks for older ones or the processor lacks them."""

import json
import subprocess
import sys

import pytest
from nbformat import v4
from tiny_book import tiny_book, tiny_notebook, write_notebook

from keyfilters.book.execute import execute_all
from keyfilters.book.manifest import load_manifest
from keyfilters.book.processor import FLOOR, common_kernels, processor_flags, shortfall

AVX2 = {"sse4_2", "avx", "avx2", "fma"}
NAMES = {limit.variable for limit in FLOOR.values()} | {"NPY_DISABLE_CPU_FEATURES"}


def test_newer_processors_compute_as_those_with_avx2():
    found = common_kernels({}, AVX2 | {"avx512f"})
    assert found == common_kernels({}, AVX2)
    assert set(found) == NAMES and "X86_V4" in found["NPY_DISABLE_CPU_FEATURES"].split()


@pytest.mark.parametrize("flags", [set(), {"sse4_2"}, {"avx2"}, {"neon"}])
def test_a_processor_without_avx2_is_left_alone_and_says_so(flags):
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


def test_what_numpy_is_asked_to_leave_out_stays_out():
    found = common_kernels({"NPY_DISABLE_CPU_FEATURES": "X86_V3, FMA3"}, AVX2)
    assert found["NPY_DISABLE_CPU_FEATURES"].split()[:2] == ["X86_V3", "FMA3"]


def test_numpy_takes_the_list_without_a_word():
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
    monkeypatch.setattr("keyfilters.book.execute.processor_flags", lambda: frozenset(AVX2))
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    if asked:
        monkeypatch.setenv("ATEN_CPU_CAPABILITY", asked)
    project = tiny_book(tmp_path, "one")
    notebook = tiny_notebook("one")
    notebook.cells.append(v4.new_code_cell("import os\npage.number('kernels', os.environ.get('ATEN_CPU_CAPABILITY', 'any'))"))
    write_notebook(project, "one", notebook)
    (run,), failures = execute_all(project, load_manifest(project), "quick")
    assert not failures
    assert json.loads((run.results / "numbers.json").read_text())["kernels"]["text"] == expected
