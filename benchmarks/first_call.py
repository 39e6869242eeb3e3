"""How often torch's first call of a function in a process is wrong, before and after a warm-up, in forked processes.

Each process makes a product, which starts torch's other threads, then calls one function twice on the same numbers; the
second call is right, so the first is wrong where the two differ in a bit. All run under a load, in turns with and
without the warm-up. Only a processor for which oneMKL changes the type that it detected can be wrong: on others, as
AMD's, the type is 0 and stays 0. There oneMKL is told that the processor is Intel's, if a C compiler is here.

Then a runtime that is off in its first process is compared, and has to be called unsteady.
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

#: Forks of each case, without the warm-up and with it.
FORKS, QUICK_FORKS = (60, 75), (2, 3)

#: Processes that compute meanwhile.
LOAD = 1

#: The function of oneMKL that says whether the processor is Intel's; the first definition in a process is called.
INTEL = "int mkl_serv_intel_cpu_true(void) { return 1; }\n"

#: Set in the environment of a process that has it.
AS_INTEL = "FIRST_CALL_AS_INTEL"


@dataclass
class Count:
    """How many first calls of a case were wrong. error: the largest, relative to the second call."""

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
        os.environ.pop("LD_PRELOAD")  # for this process alone, and for its forks
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
    """The type of the processor that oneMKL detects and what it uses in its place; None if torch has no oneMKL."""
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
    """Run this benchmark in a process where oneMKL takes the kernels of an Intel processor; its exit code."""
    with tempfile.TemporaryDirectory() as scratch:
        source, library = Path(scratch) / "intel.c", Path(scratch) / "intel.so"
        source.write_text(INTEL)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        again = [sys.executable, "-m", "benchmarks.first_call", *sys.argv[1:]]
        return subprocess.run(again, env={**os.environ, AS_INTEL: "1", "LD_PRELOAD": str(library)}).returncode


def counted(cold: int, warm: int) -> list[Count]:
    """So many forks of each case without and with the warm-up, in turns."""
    counts: list[Count] = []
    for function, shape, precision in CASES:
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
    """A function on numbers of a shape and precision, all of them made with NumPy: this process calls nothing of torch.

    The numbers are those that every function here is defined for.
    """

    def __init__(self, function: str, shape: tuple[int, ...], precision: str) -> None:
        random = np.random.default_rng(0)
        self.function = function
        self.numbers = random.uniform(0.05, 0.95, shape).astype(precision)
        self.left = random.standard_normal((*shape[:-1], 64)).astype(precision)
        self.right = random.standard_normal((*shape[:-2], 64, shape[-1])).astype(precision)

    def error(self, *, warm: bool) -> float:
        """How far the first call is from the second one, over that: the largest; 0.0 if they are equal bit for bit."""
        if warm:
            warm_up()
        numbers = torch.from_numpy(self.numbers)
        torch.from_numpy(self.left) @ torch.from_numpy(self.right)  # which starts the other thread
        first, second = (getattr(torch, self.function)(numbers) for _ in range(2))
        return 0.0 if torch.equal(first, second) else float(((first - second) / second).abs().max())


def forked(case: Case, *, warm: bool) -> float:
    """The error of a case in a forked process. Raises RuntimeError where that ends without an answer."""
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
    """What a comparison says of a runtime whose attention is off in its first process alone."""
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
