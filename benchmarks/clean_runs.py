"""Runs without a fault for the benchmarks of verdicts: every runtime, unseen orders of summation, lower precisions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from numpy.typing import NDArray

from benchmarks.setups import Stand
from compare.numerics.controls import Control, control_runs, permuted_attention
from compare.numerics.gaps import check_shapes
from compare.numerics.summation_orders import permuted_product, split_product
from compare.numerics.verdicts import judge
from compare.pipeline.second_look import RUNS, agreed
from compare.results.gaps import TensorEvidence
from compare.results.verdicts import Verdict, reaches
from compare.runtimes.registry import BUILT_IN
from compare.runtimes.tracer import Second, trace
from compare.traces import Trace
from export.models import read_weights
from export.taps import run_tapped

#: Orders of summation that no floor was made from. They give clean runs unlike those of any runtime here.
UNSEEN = (
    *(Control(f"contractions permuted, seed {seed}", product=permuted_product(seed)) for seed in (7, 8)),
    Control("keys and contractions permuted", attention=permuted_attention, product=permuted_product(9)),
    Control("contractions in 16 parts", product=split_product(16)),
    Control("contractions in 3 parts, one-pass variance", product=split_product(3), one_pass=True),
)


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


def clean_runs(*stands: Stand) -> Iterator[CleanRun]:
    """Yield a run of every runtime on one bench, or on two benches of a model.

    ONNX Runtime runs with each exporter's graph, and also with one thread. As in a comparison, each runtime has a new
    process, which runs the second bench's input after the first. A run whose verdict is an alarm is repeated on its
    bench in further processes.
    """
    threads = stands[0].bench.threads
    runs = [(spec.name, "dynamo", threads) for spec in BUILT_IN if spec.default and "inspect" in spec.graphs]
    runs += [("onnxruntime", "optimum", threads), ("onnxruntime", "dynamo", 1)]
    for name, exporter, count in runs:
        label = f"{name}, {exporter}, {count} thread{'s' * (count != 1)}"
        for stand, found in zip(stands, traced(stands, name, exporter, count), strict=True):
            run = replace(judged(stand, label, found), fresh=stand is stands[0])
            if reaches(run.verdict.kind, "reduced precision"):
                again = [traced([stand], name, exporter, count) for _ in range(1, RUNS)]
                run = replace(run, further=tuple(judged(stand, label, trace).verdict for (trace,) in again))
            yield run


def traced(stands: Sequence[Stand], runtime: str, exporter: str, threads: int) -> list[Trace]:
    """Return a runtime's traces, made in one process, on the inputs of one bench or of two benches of a model."""
    folders = [(stand.bench.scratch / "inputs", stand.bench.scratch / "fresh") for stand in stands]
    second = Second(*folders[1], len(stands[1].bench.inputs["input_ids"])) if len(stands) > 1 else None
    log = stands[0].bench.scratch / "fresh.log"
    entry = stands[0].entries[exporter]
    found = trace(runtime, entry, *folders[0], second=second, threads=threads, log=log, timeout=600.0)
    return [found] if second is None else [found, Trace(second.out)]


def unseen_runs(stand: Stand) -> Iterator[CleanRun]:
    """Yield runs of the model in each order of summation of `UNSEEN`."""
    model = read_weights(stand.entries["dynamo"])
    for name, run in control_runs(model, *stand.bench.scales.tensors, UNSEEN):
        yield judged(stand, name, {tensor: found.numpy() for tensor, found in run.items()})


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
