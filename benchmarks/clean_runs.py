"""Runs without a fault for the benchmarks of verdicts: every runtime, unseen orders of summation, lower precisions."""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray

from benchmarks.setups import Stand
from benchmarks.trials import alarms
from compare.numerics.controls import Control, control_runs, permuted_attention
from compare.numerics.gaps import check_shapes
from compare.numerics.several_runs import agreed
from compare.numerics.summation_orders import permuted_product, split_product
from compare.numerics.verdicts import judge
from compare.pipeline.second_look import RUNS
from compare.processes.child import ChildFailed
from compare.results.gaps import TensorEvidence
from compare.results.precisions import FLOAT32
from compare.results.verdicts import Verdict
from compare.runtimes.converter import convert
from compare.runtimes.registry import BUILT_IN, GRAPH_RUNTIME, spec_of
from compare.runtimes.tracer import Second, trace
from compare.traces import Trace
from export.models import read_weights
from export.taps import run_tapped

#: Orders of summation that no floor was made from. They give clean runs unlike those of any runtime here.
PERMUTED = (
    *(Control(f"contractions permuted, seed {seed}", product=permuted_product(seed)) for seed in (7, 8)),
    Control("keys and contractions permuted", attention=permuted_attention, product=permuted_product(9)),
)

#: The same, but with sums of parts. In a lower precision the parts are rounded too, unlike in kernels that sum in
#: float32.
IN_PARTS = (
    Control("contractions in 16 parts", product=split_product(16)),
    Control("contractions in 3 parts, one-pass variance", product=split_product(3), one_pass=True),
)


#: Precision -> the name of its type in torch.
DTYPES = {FLOAT32: "float32", "bf16": "bfloat16", "fp16": "float16"}

#: The longest that a process may take, in seconds.
_TIMEOUT = 600.0


class Way(NamedTuple):
    """A way to run a model: a runtime, on an exporter's graph, with some threads."""

    runtime: str
    exporter: str
    threads: int

    def __str__(self) -> str:
        return f"{self.runtime}, {self.exporter}, {self.threads} thread{'s' * (self.threads != 1)}"


@dataclass(frozen=True)
class CleanRun:
    """A run of a runtime without a fault.

    fresh: whether it is the first run of its process. further: the verdicts of further processes, if the first verdict
    was an alarm.
    """

    runtime: str
    stand: str
    evidence: dict[str, TensorEvidence]
    verdict: Verdict
    fresh: bool = False
    further: tuple[Verdict, ...] = ()

    @property
    def said(self) -> Verdict:
        """The verdict of a comparison, from all of its runs."""
        return agreed([self.verdict, *self.further])


def clean_runs(
    *stands: Stand, leave_out: Collection[str] = (), not_run: dict[str, str] | None = None
) -> Iterator[CleanRun]:
    """Yield a run of every runtime in the benches' precision, on one bench or on two benches of a model.

    leave_out: runtimes that do not run. not_run: filled with the runtimes that cannot run the model, and why.

    As in a comparison, each runtime has a new process, which runs the second bench's input after the first. A run whose
    verdict is an alarm is repeated on its bench in further processes.
    """
    bench = stands[0].bench
    for way in ways(bench.precision, bench.threads):
        if way.runtime in leave_out:
            continue
        try:
            traces = traced(stands, *way)
        except CannotRunModel as error:
            if not_run is not None:
                not_run[way.runtime] = str(error)
            continue
        if spec_of(way.runtime).precision == "any" and traces[0].facts["facts"]["precision"] != bench.precision:
            continue
        for stand, found in zip(stands, traces, strict=True):
            run = replace(judged(stand, str(way), found), fresh=stand is stands[0])
            if alarms(run.verdict):
                again = [traced([stand], *way) for _ in range(1, RUNS)]
                run = replace(run, further=tuple(judged(stand, str(way), trace).verdict for (trace,) in again))
            yield run


def ways(precision: str, threads: int) -> list[Way]:
    """Return the ways to run a model in a precision: each installed runtime that computes in it.

    In float32, ONNX Runtime also runs optimum's graph, and with one thread. Runtimes that choose their precision are
    among those of lower ones.
    """
    meant = (precision,) if precision == FLOAT32 else (precision, "any")
    specs = [s for s in BUILT_IN if s.precision in meant and "inspect" in s.graphs and not s.missing()]
    found = [Way(spec.name, "dynamo", threads) for spec in specs]
    more = [Way(GRAPH_RUNTIME, "optimum", threads), Way(GRAPH_RUNTIME, "dynamo", 1)]
    return found + (more if precision == FLOAT32 else [])


class CannotRunModel(Exception):
    """A runtime or its converter does not support a model."""


def traced(stands: Sequence[Stand], runtime: str, exporter: str, threads: int) -> list[Trace]:
    """Return a runtime's traces, made in one process, on the inputs of one bench or of two benches of a model.

    Raises `CannotRunModel` if the runtime does not support the model, and `ChildFailed` if it fails otherwise.
    """
    folders = [(stand.bench.scratch / "inputs", stand.bench.scratch / "fresh") for stand in stands]
    for _, out in folders:
        shutil.rmtree(out, ignore_errors=True)  # else a process that fails seems to have written an earlier trace
    second = Second(*folders[1], len(stands[1].bench.inputs["input_ids"])) if len(stands) > 1 else None
    log = stands[0].bench.scratch / "fresh.log"
    folder = folder_for(runtime, stands[0].entries[exporter], threads)
    try:
        found = trace(runtime, folder, *folders[0], second=second, threads=threads, log=log, timeout=_TIMEOUT)
    except ChildFailed as error:
        if "CannotRun" in str(error):
            raise CannotRunModel(str(error)) from error
        raise
    if second is None:
        return [found]
    other = Trace(second.out)
    if "error" in other.facts:
        raise ChildFailed(f"{runtime} on {stands[1].name}: {other.facts['error']}")
    return [found, other]


def folder_for(runtime: str, entry: Path, threads: int) -> Path:
    """Return the folder that a runtime loads: the entry, or one next to it that its converter makes once.

    Raises `CannotRunModel` if the model cannot be converted.
    """
    if not spec_of(runtime).converter:
        return entry
    out = entry.with_name(f"{entry.name} for {runtime}")
    if not out.is_dir():
        try:
            convert(runtime, entry, out, threads=threads, log=out.with_suffix(".log"), timeout=_TIMEOUT)
        except ChildFailed as error:
            raise CannotRunModel(f"it could not be converted: {error}") from error
    return out


def unseen_runs(stand: Stand) -> Iterator[CleanRun]:
    """Yield runs of the model in the bench's precision, in orders of summation that no floor was made from."""
    precision = stand.bench.precision
    model = read_weights(stand.entries["dynamo"], dtype=DTYPES[precision])
    orders = (*PERMUTED, *IN_PARTS) if precision == FLOAT32 else PERMUTED
    for name, run in control_runs(model, *stand.bench.scales.tensors, orders):
        yield judged(stand, name, {tensor: found.float().numpy() for tensor, found in run.items()})


def precision_runs(stand: Stand) -> Iterator[CleanRun]:
    """Yield runs of the torch model in bf16 and fp16, widened to float32: only the values show the precision."""
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
        model = read_weights(stand.entries["dynamo"]).to(dtype)
        run = run_tapped(model, *stand.bench.scales.tensors, "eager")
        yield judged(stand, name, {tensor: found.float().numpy() for tensor, found in run.items()})


def judged(stand: Stand, runtime: str, found: Mapping[str, NDArray[Any]]) -> CleanRun:
    """Judge a run by its traced tensors. Raises `WrongShape` if one does not have golden's shape."""
    check_shapes(found, Trace(stand.bench.scales.out))
    evidence = stand.bench.evidence(found)
    return CleanRun(runtime, stand.name, evidence, judge(evidence, bitwise=False))
