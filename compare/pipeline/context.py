"""A comparison under way: what all of its steps share."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from compare.latency import disturbance
from compare.latency.series import Held
from compare.onnx_files.reading import OnnxFile
from compare.pipeline.inputs import Inputs
from compare.pipeline.setting_checks import cpus_for
from compare.pipeline.settings import CheckSettings, LatencySettings, OutputSettings
from compare.pipeline.shapes import Shape
from compare.runtimes.registry import BASELINE, GRAPH_RUNTIME, Spec
from export.cache import Entry
from export.exporters import DEFAULT_EXPORTER

Say = Callable[[str], None]

#: The folder in a run's scratch that holds its inputs; also how a scratch folder is known to be ours.
INPUTS = "inputs"

#: The rows of what is no runtime of its own: the default exporter's graph beside another's, an ONNX file, and the one
#: that it is held against where there is no model.
BESIDE = f"{GRAPH_RUNTIME}-{DEFAULT_EXPORTER}"
ONNX_FILE = "onnx-file"
ONNX_BASELINE = "onnx-baseline"

#: The golden trace in the scratch folder; no runtime has that name.
GOLDEN = "golden"


@dataclass(frozen=True)
class Row:
    """What gets a row of its own: a runtime on a folder with graphs and weights.

    named: somebody asked for this one. file: the ONNX file that the folder was made of, where a person named one; taps:
    its tensors that are compared, with the names of their taps; found: those taps that the file does not name itself.
    rows: how many sequences of the padded input it takes at a time, all where None; unpadded: why it takes none of it.
    """

    name: str
    spec: Spec
    folder: Path
    named: bool
    file: OnnxFile | None = None
    taps: Mapping[str, str] = field(default_factory=dict)
    found: tuple[str, ...] = ()
    rows: int | None = None
    unpadded: str = ""

    @property
    def quantized(self) -> Sequence[str]:
        """The operators of its ONNX file that compute with quantized numbers, which a verdict cites."""
        return () if self.file is None else self.file.quantized

    @property
    def is_baseline(self) -> bool:
        """Whether every ratio is to this row's time."""
        return self.name in (BASELINE, ONNX_BASELINE)


@dataclass(kw_only=True)
class Run:
    """A comparison under way: what every step needs, and what it found so far."""

    inputs: Inputs
    rows: list[Row]
    checks: CheckSettings
    latency: LatencySettings
    output: OutputSettings

    #: Seconds that a child process may take for one answer.
    timeout: float

    #: Threads in each child process.
    threads: int

    #: The folder of the report.
    out: Path

    #: Takes a line of progress.
    say: Say

    #: The second input of the numerics, if there is a model to judge by.
    padded: Inputs | None = None

    #: Further inputs that are timed.
    grid: Mapping[Shape, Inputs] = field(default_factory=dict)

    #: Seconds that each step took, by its name.
    phases: dict[str, float] = field(default_factory=dict)

    #: When the comparison began, by the monotonic clock.
    started: float = field(default_factory=time.monotonic)

    @property
    def baseline(self) -> Row:
        """The row that every ratio is to."""
        return next(row for row in self.rows if row.is_baseline)

    @property
    def scratch(self) -> Path:
        return self.out / "scratch"

    @property
    def input_folder(self) -> Path:
        return self.scratch / INPUTS

    def padded_folder(self, name: str) -> Path:
        """The padded input (`INPUTS`), or a trace of it: golden's or a row's."""
        return self.scratch / "padded" / name

    def grid_folder(self, shape: Shape) -> Path:
        """The inputs of a shape of the grid."""
        return self.scratch / "grid" / str(shape)

    @property
    def rungs_folder(self) -> Path:
        """The inputs of the self-gap ladder."""
        return self.scratch / "rungs"

    def self_folder(self, row: str, graph: Held = "deploy") -> Path:
        """The logits of a row's graph on those inputs."""
        return self.scratch / "self" / graph / row

    @property
    def cpus(self) -> list[int] | None:
        """The CPUs that the latency workers are pinned to; None if they are not."""
        return cpus_for(self.threads) if self.latency.pin else None

    @property
    def max_load(self) -> float:
        """The largest share of the CPU time that others may use in a turn that counts."""
        asked = self.latency.max_load
        return disturbance.MAX_LOAD if asked is None else asked

    @property
    def positions(self) -> int | None:
        """How many positions the model has, where there is a model that says so."""
        return None

    def log(self, name: str) -> Path:
        return self.out / "logs" / f"{name}.log"

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Notes how long a step took, in seconds; one that is taken several times, in all."""
        start = time.monotonic()
        yield
        self.phases[name] = self.phases.get(name, 0.0) + time.monotonic() - start


@dataclass(kw_only=True)
class ModelRun(Run):
    """A comparison with a model. beside: the entry of the default exporter, where the model's graphs are another's.

    notes: what is to be said loudly of it. decoders: the rows that decode, the baseline's first; one that does nothing
    else is among no other rows.
    """

    entry: Entry
    beside: Entry | None = None
    notes: list[str] = field(default_factory=list)
    decoders: list[Row] = field(default_factory=list)

    @property
    def positions(self) -> int:
        positions: int = self.entry.manifest.model["positions"]
        return positions

    @property
    def entries(self) -> list[Entry]:
        return [self.entry] if self.beside is None else [self.entry, self.beside]
