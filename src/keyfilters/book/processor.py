"""One kind of arithmetic for all x86 processors: the numerical libraries are held to what every one since 2015 has.

Each library has its own kernels for each generation of processors, and they add in another order. A sum then differs in
its last bit, and a network that is trained with such sums becomes another network. Held to the same kernels, two
processors agree. The kernels of AVX2 are taken: laptops and most servers have nothing newer, and limiting the others
costs them little.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["FLOOR", "common_kernels", "processor_flags", "shortfall"]


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
