"""The environment of child processes: their variables, and the CPUs that they are bound to."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from export import telemetry


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a child: the same number of threads for all libraries, no telemetry, no hub.

    A library that asks torch for a GPU when it is imported would start CUDA, which a fork does not have; with the
    variable for forked processes, torch asks the driver's management library instead.

    malloc uses huge pages. With small pages, their place in memory changes the time of a pass by up to 1.5 %, and the
    process that is loaded first gets the most scattered ones: `benchmarks.aa` measured 0.995 instead of 1.
    """
    pools = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONUNBUFFERED": "1"}
    forked = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    tunables = {"GLIBC_TUNABLES": with_huge_pages(os.environ.get("GLIBC_TUNABLES", ""))}
    return {**os.environ, **pools, **quiet, **forked, **telemetry.OFF, **tunables}


def with_huge_pages(tunables: str) -> str:
    """Add transparent huge pages for malloc to glibc's tunables, unless these already set them.

    tunables: the value of GLIBC_TUNABLES.

    It takes effect with glibc 2.35 and later if the kernel gives huge pages on request (proc(5), transparent_hugepage
    "madvise"). Other C libraries and kernels ignore it.

    >>> with_huge_pages(""), with_huge_pages("glibc.malloc.hugetlb=0")
    ('glibc.malloc.hugetlb=1', 'glibc.malloc.hugetlb=0')
    >>> with_huge_pages("glibc.malloc.perturb=3")
    'glibc.malloc.perturb=3:glibc.malloc.hugetlb=1'
    """
    if "glibc.malloc.hugetlb" in tunables:
        return tunables
    return ":".join(filter(None, (tunables, "glibc.malloc.hugetlb=1")))


@contextmanager
def pinned(cpus: Collection[int] | None) -> Iterator[None]:
    """Bind processes that this thread starts while the context is open, and their descendants, to these CPUs.

    cpus: the CPUs; None changes nothing.

    A process started in this way is bound before any of its libraries counts the CPUs or creates a thread.
    """
    if cpus is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
