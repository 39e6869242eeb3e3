"""The bench for faults: measures a fault's size and judges a faulty graph, for one model on one input.

The size of a fault is the change that it causes in its own segment in the float64 graph: the largest of the four
statistics of that change, in local floors. It does not depend on a runtime, a limit or a verdict. In a lower precision,
floors are those of its controls, and the judged graph rounds every number to it.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from compare.numerics.errors import error_of
from compare.numerics.floors import Floor, larger, multiples_of
from compare.numerics.places import place_of
from compare.numerics.replay import profile_of
from compare.numerics.verdicts import judge
from compare.numerics.weigher import Scales
from compare.pipeline.inputs import DEFAULT_TEXT
from compare.results.gaps import TensorEvidence, evidence_of
from compare.results.precisions import FLOAT32
from compare.results.verdicts import Verdict
from compare.runtimes.onnx_runtime import OnnxRuntime
from compare.traces import Trace, write_trace
from tests.faults.graph import Graph
from tests.faults.kinds.fault import Fault
from tests.faults.lower import rounded

Tensors = Mapping[str, NDArray[Any]]

#: The largest allowed difference of the float64 graph from golden, relative to each tensor's size. It is not zero,
#: because the graph's constants were rounded to float32.
CONSTANTS = 1e-6


@dataclass(frozen=True)
class Planted:
    """One planted fault: its kind, place and strength, and the seed of its random choices."""

    kind: Fault
    place: str
    strength: float
    seed: int

    def into(self, graph: Graph) -> bytes:
        """Return the graph with the fault in it. Raises `NotHere` if the fault cannot be planted there."""
        self.kind.plant(graph, self.place, self.strength, np.random.default_rng(self.seed))
        return graph.serialized()


@dataclass(frozen=True)
class Size:
    """The size of a fault in floors, with the statistic and the tensor of its own segment that determine it.

    rms: the largest root mean square in floors, which no other error can hide.
    """

    floors: float
    statistic: str
    tensor: str
    rms: float = 0.0


class Bench:
    """A model exported with all taps, on one input, in one precision. ids: (batch, sequence), without padding."""

    precision = FLOAT32

    def __init__(self, entry: Path, ids: NDArray[Any], scratch: Path, *, threads: int = 2) -> None:
        self.scratch, self.threads = scratch, threads
        self.inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        write_trace(scratch / "inputs", self.inputs)
        self.scales = Scales(entry, scratch / "inputs", scratch / "golden")
        ruler = self.scales.make_golden()
        assert ruler.holds, ruler
        self.single = Graph.read(entry / "inspect.onnx").serialized()
        self.double = Graph.read(entry / "inspect.onnx", double=True).serialized()
        self.check_double()

    def lowered(self, precision: str) -> "Bench":
        """Return a bench of the same model and input in a lower precision, one of `tests.faults.lower.TYPES`."""
        other = copy(self)
        other.precision = precision
        for cached in ("floors", "clean_outputs"):
            vars(other).pop(cached, None)
        return other

    @cached_property
    def clean(self) -> Tensors:
        """The outputs of the graph without a fault, in float64."""
        return self.run_double(self.double)

    @cached_property
    def floors(self) -> dict[str, tuple[Floor, Floor]]:
        """The local and accumulated floors of each tensor."""
        profile, known = profile_of(self.clean), self.scales.floors
        for precision in dict.fromkeys((FLOAT32, self.precision)):
            if (profile, precision) not in known:
                self.scales.make_floors(profile, precision)
        single, own = known[profile, FLOAT32], known[profile, self.precision]
        return {n: (larger(single[n][0], own[n][0]), larger(single[n][1], own[n][1])) for n in single}

    @property
    def places(self) -> list[str]:
        """The places where faults can be planted, in graph order."""
        return list(Graph(self.single).places)

    @property
    def layers(self) -> int:
        layers: int = self.scales.double.config.num_hidden_layers
        return layers

    def check_double(self) -> None:
        """Check that the float64 graph agrees with golden; otherwise sizes would be measured on another model."""
        golden = Trace(self.scales.out)
        for name, found in self.clean.items():
            assert found.dtype == np.float64, f"{name} is {found.dtype}"
            error = error_of(name, found, golden[name], self.inputs["attention_mask"])
            assert (error.rms <= CONSTANTS * error.size).all(), f"{name}: {error.rms} of {error.size}"

    def size(self, planted: Planted) -> Size:
        """Return the size of a fault. Raises `NotHere` if the fault cannot be planted in this graph."""
        faulty = self.run_double(planted.into(Graph(self.double)))
        mask = self.inputs["attention_mask"]
        sizes, rms = [Size(0.0, "", "")], [0.0]
        for name in (name for name in self.clean if place_of(name) == planted.place):
            found = multiples_of(error_of(name, faulty[name], self.clean[name], mask), self.floors[name][0])
            sizes += [Size(getattr(found, s), s, name) for s in ("rms", "max", "channel", "slope")]
            rms.append(found.rms)
        largest = max(sizes, key=lambda size: (size.floors != size.floors, size.floors))
        return replace(largest, rms=max(rms))

    @cached_property
    def clean_outputs(self) -> Tensors:
        """The outputs of the graph without a fault, in ONNX Runtime."""
        return self.run_single(self.single)

    def outcome(self, planted: Planted) -> tuple[dict[str, TensorEvidence], bool]:
        """Return the evidence of the faulty graph, and whether its outputs equal those of the clean graph."""
        found = self.run_single(planted.into(Graph(self.single)))
        same = all(np.array_equal(found[name], self.clean_outputs[name]) for name in found)
        return self.evidence(found), same

    def judge(self, planted: Planted) -> Verdict:
        """Return the verdict on the graph with the fault in it."""
        return judge(self.outcome(planted)[0], bitwise=False)

    def evidence(self, run: Tensors) -> dict[str, TensorEvidence]:
        """Return the evidence of a run, by tensor."""
        write_trace(self.scratch / "run", run)
        return evidence_of(self.scales.weigh(Trace(self.scratch / "run"), self.precision).values())

    def run_single(self, graph: bytes) -> Tensors:
        """Run a graph in ONNX Runtime, as the comparison does, and return all outputs."""
        if self.precision != FLOAT32:
            graph = rounded(graph, self.precision)
        with TemporaryDirectory(dir=self.scratch) as folder:
            (Path(folder) / "inspect.onnx").write_bytes(graph)
            return OnnxRuntime(Path(folder), threads=self.threads, graph="inspect").run(**self.inputs)

    def run_double(self, graph: bytes) -> Tensors:
        """Run a graph in float64 and return all outputs.

        ONNX's evaluator runs it if ONNX Runtime lacks a float64 kernel.
        """
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 4
        try:
            session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            names = [output.name for output in session.get_outputs()]
        except NoKernel:
            session = ReferenceEvaluator(graph)
            names = session.output_names
        return dict(zip(names, session.run(None, self.inputs), strict=True))


def bench_of(folder: Path, scratch: Path, length: int = 32) -> Bench:
    """Return the bench of the model in a folder, on the first bytes of the shipped text."""
    ids = np.frombuffer(DEFAULT_TEXT.read_bytes()[:length], dtype=np.uint8).astype(np.int64)[None]
    return Bench(folder, ids, scratch)
