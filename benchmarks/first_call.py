"""Count how often torch's first call of a function in a process is wrong, with and without a warm-up.

Each forked process makes a matrix product, which starts torch's other threads, then calls one function twice on the
same numbers. The second call is right, so the first one is wrong if the two differ in a bit. All processes run under
load; those with and without the warm-up alternate. Only processors for which oneMKL changes the type that it detected
can be affected. On others, such as AMD's, the type stays 0. There the benchmark makes oneMKL believe that the processor
is Intel's, if a C compiler is installed.

Finally, a runtime that is wrong only in its first process is compared, and must be called unsteady.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.load import busy
from benchmarks.progress import PROGRESS, one_by_one
from benchmarks.proportions import interval
from benchmarks.record import Aim, arguments, finish
from compare import machine
from compare.numerics.first_calls import warm_up

CASES = tuple(
    product(
        ("exp", "tanh", "log", "sqrt", "sin", "cos", "erf"),
        ((1, 3, 128, 128), (1, 6, 128, 128)),
        ("float32", "float64"),
    )
)
THREADS = machine.cores()

#: The number of forks of each case, without and with the warm-up.
FORKS, QUICK_FORKS = (60, 75), (2, 3)

#: The number of processes that load the CPU during the forks.
LOAD = 1

#: Replaces oneMKL's test for Intel processors. A process uses the first definition of the function, from LD_PRELOAD.
INTEL = "int mkl_serv_intel_cpu_true(void) { return 1; }\n"

#: The environment variable that marks a process with that replacement.
AS_INTEL = "FIRST_CALL_AS_INTEL"


@dataclass
class Count:
    """The number of wrong first calls of a case. error: their largest error, relative to the second call."""

    function: str
    shape: tuple[int, ...]
    precision: str
    warm: bool
    forks: int = 0
    wrong: int = 0
    error: float = 0.0


def main() -> None:
    options = arguments(__doc__)
    detected, used = processor_type()
    as_intel = os.environ.pop(AS_INTEL, None) is not None
    if as_intel:
        os.environ.pop("LD_PRELOAD")  # only this process and its forks use it
    elif detected == used and (compiler := shutil.which("cc")):
        sys.exit(run_as_intel(compiler))
    print(f"oneMKL detects processor type {detected} and uses {used}{', told that it is Intel' * as_intel}")
    torch.set_num_threads(THREADS)
    with busy(LOAD):
        counts = counted(*(QUICK_FORKS if options.quick else FORKS))
    cold, warm = ([count for count in counts if count.warm is kind] for kind in (False, True))
    for before, after in zip(cold, warm, strict=True):
        print(
            f"{before.function:>5} {before.precision} {before.shape}: {before.wrong} of {before.forks} wrong, by up to "
            f"{before.error:.1e}; after the warm-up {after.wrong} of {after.forks}"
        )
    sums = {"without warm-up": summed(cold), "with warm-up": summed(warm)}
    for name, found in sums.items():
        low, high = found["interval"]
        print(f"{name}: {found['wrong']} of {found['forks']} first calls are wrong [{low:.2%}, {high:.2%}]")
    PROGRESS.stage("a runtime that is off in its first process")
    verdict = planted()
    print(f"a runtime that is off in its first process: {verdict}")
    figures = {
        "onemkl": {"detected": detected, "used": used, "told that the processor is Intel": as_intel},
        "threads": THREADS,
        "busy processes": LOAD,
        **sums,
        "counts": [asdict(count) for count in counts],
        "planted": verdict,
    }
    forks, wrong = sums["with warm-up"]["forks"], sums["with warm-up"]["wrong"]
    least = 1 if options.quick else 2000
    aims = [
        Aim("forks with the warm-up", f">= {least}", str(forks), forks >= least),
        Aim("wrong first calls after it", "0", str(wrong), wrong == 0),
        Aim("a planted unsteady runtime", "unsteady", verdict.partition(":")[0], verdict.startswith("unsteady: ")),
    ]
    finish("first_call", figures, aims, quick=options.quick)


def processor_type() -> tuple[int | None, int | None]:
    """Return the processor type that oneMKL detects and the type that it uses; None for both without oneMKL."""
    asks = (
        "import ctypes, pathlib, torch; library = pathlib.Path(torch.__file__).parent / 'lib' / 'libtorch_cpu.so';"
        "mkl = ctypes.CDLL(str(library)); print(mkl.mkl_serv_vml_cpu_detect(), mkl.mkl_vml_serv_cpu_detect())"
    )
    answer = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True)
    if answer.returncode:
        return None, None
    detected, used = map(int, answer.stdout.split())
    return detected, used


def run_as_intel(compiler: str) -> int:
    """Run this benchmark in a process where oneMKL uses the kernels of Intel processors. Return its exit code."""
    with tempfile.TemporaryDirectory() as scratch:
        source, library = Path(scratch) / "intel.c", Path(scratch) / "intel.so"
        source.write_text(INTEL)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        again = [sys.executable, "-m", "benchmarks.first_call", *sys.argv[1:]]
        return subprocess.run(again, env={**os.environ, AS_INTEL: "1", "LD_PRELOAD": str(library)}).returncode


def counted(cold: int, warm: int) -> list[Count]:
    """Run each case in `cold` forks without the warm-up and `warm` forks with it, in turns. Return the counts."""
    counts: list[Count] = []
    for function, shape, precision in one_by_one("case", CASES):
        case = Case(function, shape, precision)
        both = Count(case.function, shape, precision, warm=False), Count(case.function, shape, precision, warm=True)
        for number in range(max(cold, warm)):
            for count, forks in zip(both, (cold, warm), strict=True):
                if number < forks:
                    error = forked(case, warm=count.warm)
                    count.forks += 1
                    count.wrong += error != 0  # NaN is wrong too
                    count.error = max(count.error, error)
        counts += both
    return counts


class Case:
    """A function of torch and its input, of one shape and precision.

    NumPy makes the numbers, so that this process does not call torch. Every function here is defined for them.
    """

    def __init__(self, function: str, shape: tuple[int, ...], precision: str) -> None:
        random = np.random.default_rng(0)
        self.function = function
        self.numbers = random.uniform(0.05, 0.95, shape).astype(precision)
        self.left = random.standard_normal((*shape[:-1], 64)).astype(precision)
        self.right = random.standard_normal((*shape[:-2], 64, shape[-1])).astype(precision)

    def error(self, *, warm: bool) -> float:
        """Return the largest relative difference of the first call from the second; 0.0 if they are equal bitwise."""
        if warm:
            warm_up()
        numbers = torch.from_numpy(self.numbers)
        torch.from_numpy(self.left) @ torch.from_numpy(self.right)  # starts the other threads
        first, second = (getattr(torch, self.function)(numbers) for _ in range(2))
        return 0.0 if torch.equal(first, second) else float(((first - second) / second).abs().max())


def forked(case: Case, *, warm: bool) -> float:
    """Return the error of a case in a forked process. Raises `RuntimeError` if the process ends without an answer."""
    read, write = os.pipe()
    if not (child := os.fork()):
        try:
            os.write(write, json.dumps(case.error(warm=warm)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    if not said:
        raise RuntimeError(f"a forked process of {case.function} ended with status {status} and no answer")
    return float(json.loads(said))


def summed(counts: list[Count]) -> dict[str, Any]:
    wrong, forks = sum(count.wrong for count in counts), sum(count.forks for count in counts)
    return {"wrong": wrong, "forks": forks, "interval": interval(wrong, forks)}


def planted() -> str:
    """Return the verdict of a comparison on a runtime whose attention is off only in its first process."""
    from compare.pipeline.compare_model import compare
    from compare.pipeline.settings import Settings
    from tests.helpers.fakes import installed

    with tempfile.TemporaryDirectory() as scratch, installed(Path(scratch)):
        asked = Settings.of(runtimes=["wavers"], quick=True, latency=False, out=Path(scratch) / "report")
        report = compare("byte-gpt2", asked)
    verdict = report.runtimes[-1].verdict
    return verdict.sentence if verdict else f"no verdict: {report.runtimes[-1].error}"


if __name__ == "__main__":
    main()
