"""Trials shared by `calibrate` and `faults`: models with inputs, clean runs of every runtime, and faults of every size.

Limits are chosen on some models, inputs and kinds of faults, and reported on others: `CHOOSING` and `REPORTING` share
neither a seed nor a text, and a third of the kinds is held out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.progress import one_by_one
from compare.numerics.controls import Control, control_runs, permuted_attention
from compare.numerics.gaps import check_shapes
from compare.numerics.summation_orders import permuted_product, split_product
from compare.numerics.verdicts import judge
from compare.pipeline.inputs import DEFAULT_TEXT
from compare.pipeline.second_look import RUNS, agreed
from compare.results.gaps import TensorEvidence
from compare.results.verdicts import Verdict, reaches
from compare.runtimes.registry import BUILT_IN
from compare.runtimes.tracer import Second, trace
from compare.traces import Trace
from export import dynamo, optimum_exporter
from export.graphs import write_graphs
from export.models import read_weights
from export.sources import SHIPPED
from export.taps import run_tapped
from tests.faults.bench import Bench, Planted, Size
from tests.faults.kinds import KINDS, Fault, NotHere, segment_of
from tests.helpers.tiny import tiny_model

#: The bins of fault sizes, in floors. Faults are drawn evenly over the bins, and reported by bin.
BINS = ((0.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 64.0), (64.0, np.inf))

_EXPORTERS = {"dynamo": dynamo, "optimum": optimum_exporter}


@dataclass(frozen=True)
class Setup:
    """A model by type and seed ("byte-gpt2" has no seed), and the shapes of its inputs, (batch, sequence)."""

    model: str
    seed: int
    inputs: tuple[tuple[int, int], ...]
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.model if self.model == "byte-gpt2" else f"{self.model} {self.seed}"

    def make(self) -> Any:
        if self.model == "byte-gpt2":
            return read_weights(SHIPPED)
        return tiny_model(self.model, self.seed, positions=256, **self.sizes)

    def ids(self, batch: int, sequence: int) -> NDArray[np.int64]:
        """Return input ids: text for the model that was trained on text, random tokens for the others."""
        rng = np.random.default_rng((self.seed, batch, sequence))
        if self.model != "byte-gpt2":
            return rng.integers(0, 300, (batch, sequence))
        text = np.frombuffer(DEFAULT_TEXT.read_bytes(), dtype=np.uint8).astype(np.int64)
        starts = rng.integers(0, len(text) - sequence, batch)
        return np.stack([text[start : start + sequence] for start in starts])


CHOOSING = (
    Setup("byte-gpt2", 0, ((1, 32), (1, 96))),
    Setup("gpt2", 0, ((1, 24), (1, 64))),
    Setup("gpt2", 1, ((1, 48), (2, 128))),
)

_INPUTS = ((1, 16), (1, 33), (2, 48), (1, 70), (3, 40), (1, 128), (1, 200))
_MORE = {"hidden": 192, "layers": 3, "heads": 6}
REPORTING = (
    Setup("byte-gpt2", 10, _INPUTS),
    Setup("gpt2", 2, _INPUTS),
    Setup("gpt2", 3, _INPUTS, {"hidden": 96, "layers": 4, "heads": 3}),
    Setup("gpt2", 4, _INPUTS, _MORE),
    Setup("gpt2", 5, _INPUTS, {"hidden": 320, "layers": 2, "heads": 5}),
    Setup("llama", 6, _INPUTS),
    Setup("llama", 7, _INPUTS, _MORE),
    Setup("qwen3", 8, _INPUTS),
    Setup("qwen3", 9, _INPUTS, _MORE),
)

#: Orders of summation that no floor was made from. They give clean runs unlike those of any runtime here.
UNSEEN = (
    *(Control(f"contractions permuted, seed {seed}", product=permuted_product(seed)) for seed in (7, 8)),
    Control("keys and contractions permuted", attention=permuted_attention, product=permuted_product(9)),
    Control("contractions in 16 parts", product=split_product(16)),
    Control("contractions in 3 parts, one-pass variance", product=split_product(3), one_pass=True),
)


@dataclass(frozen=True)
class Stand:
    """A bench with its model, exporter and input."""

    setup: Setup
    bench: Bench
    entries: dict[str, Path]

    @property
    def name(self) -> str:
        batch, sequence = self.bench.inputs["input_ids"].shape
        return f"{self.setup.name}, {batch} x {sequence}"


@dataclass(frozen=True)
class Trial:
    """A planted fault and its verdict. same: whether the graph's outputs are bitwise unchanged."""

    planted: Planted
    stand: str
    size: Size
    same: bool
    evidence: dict[str, TensorEvidence]
    verdict: Verdict

    @property
    def found(self) -> bool:
        return reaches(self.verdict.kind, "reduced precision")

    @property
    def placed(self) -> bool:
        """Whether the first tensor beyond a limit belongs to the segment of the fault."""
        return self.found and self.verdict.place == self.planted.place

    @property
    def layer_right(self) -> bool:
        return self.found and self.verdict.place.partition(",")[0] == self.planted.place.partition(",")[0]

    def as_figures(self) -> dict[str, Any]:
        return {
            "kind": self.planted.kind.name,
            "held out": self.planted.kind.held_out,
            "on": self.stand,
            "place": self.planted.place,
            "strength": self.planted.strength,
            "size": asdict(self.size),
            "same bits": self.same,
            "verdict": self.verdict.kind,
            "named": self.verdict.place if self.found else "",
            "statistic": self.verdict.statistic,
            "multiple": self.verdict.multiple,
        }


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


def stands(setups: tuple[Setup, ...], scratch: Path) -> Iterator[Stand]:
    """Export each model with every exporter, and yield a bench for each of its inputs."""
    for setup in one_by_one("exporting, model", setups):
        model = setup.make()
        entries = {}
        for name, exporter in _EXPORTERS.items():
            entries[name] = scratch / setup.name.replace(" ", "-") / f"seed {setup.seed}" / name
            entries[name].mkdir(parents=True)
            write_graphs(model, entries[name], setup.name, exporter)
        for batch, sequence in setup.inputs:
            folder = entries["dynamo"].parent / f"{batch} x {sequence}"
            yield Stand(setup, Bench(entries["dynamo"], setup.ids(batch, sequence), folder), entries)


def in_pairs(stands: Iterable[Stand]) -> Iterator[tuple[Stand, ...]]:
    """Yield the benches in pairs with the same model; if their number is odd, the last one is single."""
    for _, same in groupby(stands, key=lambda stand: stand.setup):
        rest = list(same)
        for start in range(0, len(rest), 2):
            yield tuple(rest[start : start + 2])


def clean_runs(*stands: Stand) -> Iterator[CleanRun]:
    """Yield a run of every runtime on one bench, or on two benches of a model.

    ONNX Runtime runs with each exporter's graph, and also with one thread. As in a comparison, each runtime has a new
    process, which runs the second bench's input after the first. A run whose verdict is an alarm is repeated on its
    bench in further processes.
    """
    threads = stands[0].bench.threads
    runs = [(spec.name, "dynamo", threads) for spec in BUILT_IN if "inspect" in spec.graphs]
    runs += [("onnxruntime", "optimum", threads), ("onnxruntime", "dynamo", 1)]
    for name, exporter, count in runs:
        label = f"{name}, {exporter}, {count} thread{'s' * (count != 1)}"
        for stand, found in zip(stands, traced(stands, name, exporter, count), strict=True):
            run = replace(_judged(stand, label, found), fresh=stand is stands[0])
            if reaches(run.verdict.kind, "reduced precision"):
                again = [traced([stand], name, exporter, count) for _ in range(1, RUNS)]
                run = replace(run, further=tuple(_judged(stand, label, trace).verdict for (trace,) in again))
            yield run


def traced(stands: Sequence[Stand], runtime: str, exporter: str, threads: int) -> list[Trace]:
    """Return a runtime's traces on the inputs of one bench, or of two benches of a model, from one process."""
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
        yield _judged(stand, name, {tensor: found.numpy() for tensor, found in run.items()})


def precision_runs(stand: Stand) -> Iterator[CleanRun]:
    """Yield runs of the torch model in bf16 and fp16, widened to float32: only the values show the precision."""
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
        model = read_weights(stand.entries["dynamo"]).to(dtype)
        run = run_tapped(model, *stand.bench.scales.tensors, "eager")
        yield _judged(stand, name, {tensor: found.float().numpy() for tensor, found in run.items()})


def faults(stands: list[Stand], rng: Generator, *, draws: int, kinds: list[Fault] | None = None) -> Iterator[Trial]:
    """Yield faults of every kind: `draws` for each bin if the kind has a strength, otherwise twice `draws`."""
    for kind in one_by_one("faults, kind", kinds or list(KINDS.values())):
        targets = [float(np.exp(rng.uniform(*np.log([max(low, 0.5), high])))) for low, high in BINS[:-1] * draws]
        for target in targets if kind.start is not None else [0.0] * (2 * draws):
            for _ in range(20):  # until a drawn model has the nodes that the fault changes
                stand = stands[rng.integers(len(stands))]
                places = [place for place in stand.bench.places if segment_of(place) in kind.segments]
                place = places[rng.integers(len(places))]
                try:
                    planted, size = dialled(stand.bench, kind, place, int(rng.integers(2**31)), target)
                except NotHere:
                    continue
                yield tried(stand, planted, size)
                break


def dialled(bench: Bench, kind: Fault, place: str, seed: int, target: float) -> tuple[Planted, Size]:
    """Adjust the strength of a fault until its size is near a target in floors. Raises `NotHere` as planting does."""
    planted = Planted(kind, place, 1.0 if kind.start is None else kind.start, seed)
    size = bench.size(planted)
    if kind.start is None:
        return planted, size
    for _ in range(4):
        if target / 1.3 <= size.floors <= target * 1.3 or np.isinf(size.floors):
            break
        factor = target / size.floors if size.floors else 10.0
        planted = Planted(kind, place, min(1.0, planted.strength * float(np.clip(factor, 1e-4, 1e4))), seed)
        size = bench.size(planted)
    return planted, size


def tried(stand: Stand, planted: Planted, size: Size) -> Trial:
    """Plant a fault into the graph that is judged, and judge it."""
    evidence, same = stand.bench.outcome(planted)
    return Trial(planted, stand.name, size, same, evidence, judge(evidence, bitwise=False))


def bin_of(size: float) -> int:
    """Return the index of the bin of a size in floors.

    >>> bin_of(1.9), bin_of(16.0), bin_of(float("inf"))
    (0, 4, 5)
    """
    return next((i for i, (_, high) in enumerate(BINS) if size < high), len(BINS) - 1)


def bin_name(index: int) -> str:
    """Return the name of a bin.

    >>> bin_name(0), bin_name(2), bin_name(5)
    ('below 2', '4 to 8', '64 and more')
    """
    low, high = BINS[index]
    return f"below {high:g}" if not low else f"{low:g} and more" if np.isinf(high) else f"{low:g} to {high:g}"


def _judged(stand: Stand, runtime: str, found: Mapping[str, NDArray[Any]]) -> CleanRun:
    check_shapes(found, Trace(stand.bench.scales.out))
    evidence = stand.bench.evidence(found)
    return CleanRun(runtime, stand.name, evidence, judge(evidence, bitwise=False))
