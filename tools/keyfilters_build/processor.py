"""The environment of the kernels, with one kind of arithmetic for all x86 processors.

What a notebook finds is the same whoever builds the book. The numerical libraries are held to what every processor since 2015 has.

Each library has its own kernels for each generation of processors, and they add in another order. A sum then differs in
its last bit, and a network that is trained with such sums becomes another network. Held to the same kernels, two
processors agree. The kernels of AVX2 are taken: laptops and most servers have nothing newer, and limiting the others
costs them little.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from .project import Project

KINDS = {"sse": "x86-64 without AVX2", "avx2": "x86-64 with AVX2", "avx512": "x86-64 with AVX-512"}
"""Kinds of x86 processor that the libraries have kernels of their own for, from the least to the most; in words."""


class Limit(NamedTuple):
    """How one library is told which kernels to use.

    Attributes
    ----------
    variable : the environment variable that the build sets
    value : what it sets it to
    asked : variables by which a person may ask the library for older kernels
    older : the values of these that mean older kernels than AVX2, in lower case
    """

    variable: str
    value: str
    asked: tuple[str, ...]
    older: frozenset[str]


def _older(words: str) -> frozenset[str]:
    return frozenset(words.split())


FLOOR: dict[str, Limit] = {
    "ATen": Limit("ATEN_CPU_CAPABILITY", "avx2", ("ATEN_CPU_CAPABILITY",), _older("default")),
    "oneDNN": Limit("ONEDNN_MAX_CPU_ISA", "AVX2", ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"), _older("sse41 avx")),
    # Conditional numerical reproducibility; it also fixes the order of sums for data that lie otherwise in memory.
    "MKL": Limit("MKL_CBWR", "AVX2", ("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS"), _older("compatible sse2 sse3 ssse3 sse4_1 sse4_2 avx")),
    "OpenBLAS": Limit("OPENBLAS_CORETYPE", "Haswell", ("OPENBLAS_CORETYPE",), _older(
        "katmai coppermine northwood prescott banias core2 penryn dunnington nehalem sandybridge atom athlon opteron "
        "opteron_sse3 barcelona bobcat bulldozer piledriver steamroller nano"
    )),
}  # fmt: skip
"""Each library that computes with kernels of its own, with its limit."""

_NUMPY = "NPY_DISABLE_CPU_FEATURES"
_BEYOND = ("X86_V4", "AVX512_ICL", "AVX512_SPR")
_NEEDED = frozenset({"avx2", "fma"})
_NEWER = frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl"})


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """What the processor can do, in the words of Linux; empty on other systems and for other than x86 processors."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())


def shortfall(flags: Collection[str]) -> str:
    """Why this processor cannot compute as the others do, in one line; empty where it can.

    Examples
    --------
    >>> shortfall({"avx2", "fma", "avx512f"})
    ''
    >>> print(shortfall({"sse4_2"}))
    this processor lacks AVX2: last digits may differ from the reference, and networks that are trained are others
    """
    if _NEEDED <= set(flags):
        return ""
    lacks = "this processor lacks AVX2" if flags else "this is no x86 processor, or the system does not name what it can do"
    return f"{lacks}: last digits may differ from the reference, and networks that are trained are others"


def common_kernels(asked: Mapping[str, str], flags: Collection[str]) -> dict[str, str]:
    """The environment variables that hold the numerical libraries to the kernels of AVX2.

    Parameters
    ----------
    asked : the environment as it is; a library that was asked for older kernels keeps them
    flags : what the processor can do, see `processor_flags`

    Returns
    -------
    dict of str to str
        Empty where the processor lacks AVX2: no library would follow.

    Examples
    --------
    >>> both = common_kernels({"ATEN_CPU_CAPABILITY": "default", "OPENBLAS_CORETYPE": "SkylakeX"}, {"avx2", "fma"})
    >>> both["OPENBLAS_CORETYPE"], "ATEN_CPU_CAPABILITY" in both
    ('Haswell', False)
    """
    if shortfall(flags):
        return {}
    found = {
        limit.variable: limit.value
        for limit in FLOOR.values()
        if not any(asked.get(name, "").lower() in limit.older for name in limit.asked)
    }
    # NumPy takes a list of what not to use; it never is asked for less by ours than by the person's own.
    names = asked.get(_NUMPY, "").replace(",", " ").split()
    return found | {_NUMPY: " ".join(dict.fromkeys([*names, *_BEYOND]))}


def _machine(flags: Collection[str]) -> str:
    architecture = platform.machine()
    if architecture.lower() not in ("x86_64", "amd64") or not flags:
        return architecture or "unknown"
    return "avx512" if set(flags) >= _NEWER else "avx2" if set(flags) >= _NEEDED else "sse"


def processor(environment: Mapping[str, str] | None = None, flags: Collection[str] | None = None) -> dict[str, str]:
    """The kind of processor that a machine has, and the kind that the libraries compute as.

    Parameters
    ----------
    environment : the variables of the process that computes; default: those of this one
    flags : what the processor can do; default: `processor_flags()`

    Returns
    -------
    dict of str to str
        ``machine`` and ``kind``, each one of `KINDS`, or the name of an architecture that is not x86-64. Variables limit
        the libraries one by one; ``kind`` is the most that one of them may use, and at most what the machine has.

    Examples
    --------
    >>> sorted(processor())
    ['kind', 'machine']
    """
    asked = os.environ if environment is None else environment
    machine = _machine(processor_flags() if flags is None else flags)
    if machine not in KINDS:
        return {"machine": machine, "kind": machine}

    def limit(library: Limit) -> str:
        if any(asked.get(name, "").lower() in library.older for name in library.asked):
            return "sse"
        return "avx2" if asked.get(library.variable, "").lower() == library.value.lower() else machine

    off = asked.get(_NUMPY, "").replace(",", " ").split()
    numpy = "sse" if "X86_V3" in off else "avx2" if "X86_V4" in off else machine
    order = list(KINDS).index
    used = [min(machine, kind, key=order) for kind in (*map(limit, FLOOR.values()), numpy)]
    return {"machine": machine, "kind": max(used, key=order)}


def kind_text(kind: str) -> str:
    """A kind of machine in words.

    Examples
    --------
    >>> kind_text("avx2"), kind_text("gpu"), kind_text("arm64")
    ('x86-64 with AVX2', 'a machine with a GPU', 'arm64')
    """
    return {**KINDS, "gpu": "a machine with a GPU"}.get(kind, kind)


# One thread: sums in a fixed order, and notebooks running at once do not compete for the cores.
_FIXED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
    # Settings of whoever builds: figures would look otherwise, or need a screen, and without asserts nothing is checked.
    "MATPLOTLIBRC": "",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONOPTIMIZE": "",
    # Libraries of networks look for progress bars as widgets, which the pages do without.
    "PYTHONWARNINGS": "ignore:IProgress not found",
}
# No digit depends on these: freed memory stays with the kernel. Given back after every layer of a network and asked for
# anew by the next, it costs a fifth of the time.
_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}


def kernel_environment(project: Project) -> dict[str, str]:
    """The environment variables that the build sets for its kernels."""
    build = project.build.resolve()
    folders = {"MPLCONFIGDIR": str(build / "matplotlib"), "IPYTHONDIR": str(build / "ipython")}
    return {**_FIXED, **_MEMORY, **common_kernels(os.environ, processor_flags()), **folders}


def computes_as() -> dict[str, str]:
    """Python, the kind of machine, and every environment variable that decides how the numerical libraries compute.

    Two runs of a notebook with equal answers compute alike.
    """
    asked = {name for limit in FLOOR.values() for name in limit.asked}
    found = {name: os.environ[name] for name in sorted(asked) if name in os.environ}
    found |= _FIXED | common_kernels(os.environ, processor_flags())
    return {"python": platform.python_version(), "machine": platform.machine(), **found}
