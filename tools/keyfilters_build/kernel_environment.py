"""The environment of the kernels: what a notebook finds there whoever builds the book."""

from __future__ import annotations

import os
import platform

from .processor import FLOOR, common_kernels, processor_flags
from .project import Project

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
