"""The state of a running comparison, which all of its stages share."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compare.latency import disturbance
from compare.latency.series import Held
from compare.onnx_files.reading import OnnxFile
from compare.pipeline.inputs import Inputs
from compare.pipeline.memory_needed import block_numbers, file_limit, tensor_numbers
from compare.pipeline.setting_checks import cpus_for
from compare.pipeline.settings import TIME, TIME_PER_RUNTIME, CheckSettings, LatencySettings, OutputSettings
from compare.pipeline.shapes import Shape
from compare.report.folder import LOGS, SCRATCH
from compare.report.unfinished import SavedRow
from compare.results.precisions import FLOAT32, OWN_CONTROLS
from compare.runtimes.registry import BASELINE, GRAPH_RUNTIME
from compare.runtimes.spec import Device, Spec
from export.cache import Entry
from export.exporters import DEFAULT_EXPORTER
from export.kinds import LOGITS, output_among
from export.progress import Progress

#: The folder in a run's scratch folder that holds its inputs.
INPUTS = "inputs"

#: Names of rows that are not names of runtimes: for the default exporter's graph if another exporter is compared, for
#: an ONNX file, and for the baseline of two ONNX files.
BESIDE = f"{GRAPH_RUNTIME}-{DEFAULT_EXPORTER}"
ONNX_FILE = "onnx-file"
ONNX_BASELINE = "onnx-baseline"

#: The name of the golden trace's folder in the scratch folder. No runtime has this name.
GOLDEN = "golden"


@dataclass(frozen=True)
class Row:
    """A row of the comparison: a runtime on a folder with graphs and weights.

    name: the name of the row.
    spec: the runtime.
    folder: the folder with graphs and weights.
    named: whether the user named it.
    file: the ONNX file that the folder was made from, if one was given, or that a converter made.
    taps: tensor of that file -> the tap that it is.
    found: the taps that were located by the file's structure, because it does not name them.
    at_once: the number of sequences of the padded input that it accepts at once; None means all.
    unpadded: why it does not accept the padded input; empty if it does.
    converted: the facts about the conversion that made the folder; empty if the folder is a cache entry.
    unusable: why it cannot run, for example because the model could not be converted; empty if it can.
    device: what it computes on.
    options: the options of its runtime that are set, key -> value.
    """

    name: str
    spec: Spec
    folder: Path
    named: bool
    file: OnnxFile | None = None
    taps: Mapping[str, str] = field(default_factory=dict)
    found: tuple[str, ...] = ()
    at_once: int | None = None
    unpadded: str = ""
    converted: Mapping[str, str] = field(default_factory=dict)
    unusable: str = ""
    device: Device = "cpu"
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of its runtime that are not those of every runtime (`compare.runtimes.spec.Runtime`)."""
        options = {"options": dict(self.options)} if self.options else {}
        return options if self.device == "cpu" else {"device": self.device, **options}

    @property
    def quantized(self) -> Sequence[str]:
        """The operators of its ONNX file that compute with quantized numbers, which a verdict cites."""
        return () if self.file is None else self.file.quantized

    @property
    def is_baseline(self) -> bool:
        """Whether this is the baseline."""
        return self.name in (BASELINE, ONNX_BASELINE)

    @property
    def ready(self) -> bool:
        """Whether its runtime is installed and has the files that it loads."""
        return not self.unusable and not self.spec.missing()


@dataclass(kw_only=True)
class Run:
    """A running comparison: its inputs, rows and settings, which every stage needs."""

    #: The main input, judged and timed.
    inputs: Inputs

    #: The rows of the comparison, except for those that only decode.
    rows: list[Row]

    #: What is checked.
    checks: CheckSettings

    #: How runtimes are timed.
    latency: LatencySettings

    #: What is written, and where.
    output: OutputSettings

    #: Seconds that a child process may take for one answer.
    timeout: float

    #: Threads in each child process.
    threads: int

    #: The folder of the report.
    out: Path

    #: What is told of the progress.
    progress: Progress

    #: The padded input; None without a model.
    padded: Inputs | None = None

    #: Further inputs that are timed.
    grid: Mapping[Shape, Inputs] = field(default_factory=dict)

    #: Warnings that every text format shows first.
    notes: list[str] = field(default_factory=list)

    #: Row -> the lower precision that it was found to compute in.
    found_lower: dict[str, str] = field(default_factory=dict)

    #: Name of a phase -> seconds that it took.
    phases: dict[str, float] = field(default_factory=dict)

    #: Row -> its result from before an interruption, which is taken as it is.
    kept: Mapping[str, SavedRow] = field(default_factory=dict)

    #: The start of the comparison, on the monotonic clock.
    started: float = field(default_factory=time.monotonic)

    @property
    def baseline(self) -> Row:
        """The baseline's row."""
        return next(row for row in self.rows if row.is_baseline)

    @property
    def time(self) -> float:
        """The time limit of all rounds, in seconds: the one that was given, or more for more runtimes."""
        timed = sum(row.ready and not row.spec.hybrid for row in self.rows)
        return max(TIME, TIME_PER_RUNTIME * timed) if self.latency.time is None else self.latency.time

    @property
    def scratch(self) -> Path:
        """The scratch folder, which is removed at the end unless traces are kept."""
        return self.out / SCRATCH

    @property
    def input_folder(self) -> Path:
        """The folder of the main input."""
        return self.scratch / INPUTS

    def precision_of(self, name: str) -> str:
        """Return the precision whose controls judge a row: the one found in its errors, or the one it declares.

        It is float32 for a precision without controls of its own.
        """
        declared = next((row.spec.precision for row in self.rows if row.name == name), FLOAT32)
        precision = self.found_lower.get(name, declared)
        return precision if precision in OWN_CONTROLS else FLOAT32

    def padded_folder(self, name: str) -> Path:
        """Return the folder of the padded input (`INPUTS`), or of the trace of golden or a row on it."""
        return self.scratch / "padded" / name

    def grid_folder(self, shape: Shape) -> Path:
        """Return the folder of the inputs of a shape of the grid."""
        return self.scratch / "grid" / str(shape)

    @property
    def variants_folder(self) -> Path:
        """The folder of the inputs of the rerun variants."""
        return self.scratch / "variants"

    def self_folder(self, row: str, graph: Held = "deploy") -> Path:
        """Return the folder of the logits from a row's reruns."""
        return self.scratch / "self" / graph / row

    @property
    def cpus(self) -> list[int] | None:
        """The CPUs that the latency workers are pinned to; None if they are not."""
        return cpus_for(self.threads) if self.latency.pin else None

    @property
    def max_load(self) -> float:
        """A turn counts if other processes use at most this share of the CPU time."""
        asked = self.latency.max_load
        return disturbance.MAX_LOAD if asked is None else asked

    @property
    def positions(self) -> int | None:
        """The number of positions that the model has; None without a model."""
        return None

    @property
    def output_name(self) -> str:
        """The name of the output that is compared: that of the model, or of the ONNX files."""
        return output_among(self.rows[0].taps.values()) or LOGITS

    @property
    def causal(self) -> bool:
        """Whether a position sees only the positions before it, as in a causal language model."""
        return self.output_name == LOGITS

    def memory_of(self, row: Row) -> float | None:
        """Return the bytes that a process which traces a row may take; None means what is free.

        Only that of an ONNX file which was given has a limit: the setting `memory`, or several times what the file
        should need.
        """
        if row.file is None or row.spec.converter:
            return None
        given = self.latency.memory
        return file_limit(row.file.bytes, self.numbers) if given is None else given * 1e9

    @property
    def numbers(self) -> int:
        """About how many numbers are in the tensors of a run. Without a model, sizes are guessed."""
        batch, sequence = self.inputs.input_ids.shape
        taps = max(len(row.taps) for row in self.rows)
        return int(batch * sequence * (taps * (32 * sequence + 4096) + 2**17))

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.out / LOGS / f"{name}.log"

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the seconds that a `with` block takes, and add them to those of a phase."""
        start = time.monotonic()
        yield
        seconds = time.monotonic() - start
        self.phases[name] = self.phases.get(name, 0.0) + seconds
        self.progress.detail(f"{name}: {seconds:.1f} s")

    @contextmanager
    def untimed_phase(self, name: str) -> Iterator[None]:
        """As `phase`, for a step without turns: the display of progress shows how the time passes."""
        with self.phase(name), self.progress.ticking():
            yield


@dataclass(kw_only=True)
class ModelRun(Run):
    """A running comparison with a model.

    entry: the cache entry of the model.
    beside: the entry of the default exporter, if another exporter was chosen.
    decoders: the rows that decode, the baseline first. Some of them only decode.
    """

    entry: Entry
    beside: Entry | None = None
    decoders: list[Row] = field(default_factory=list)

    @property
    def positions(self) -> int:
        """The number of positions that the model has."""
        positions: int = self.entry.manifest.model["positions"]
        return positions

    @property
    def output_name(self) -> str:
        """The name of the model's output."""
        output: str = self.entry.manifest.model["output"]
        return output

    @property
    def entries(self) -> list[Entry]:
        """The cache entries that are used: the model's, and the default exporter's if there is one."""
        return [self.entry] if self.beside is None else [self.entry, self.beside]

    @property
    def numbers(self) -> int:
        """How many numbers are in the tensors of the model and of its largest block."""
        batch, sequence = self.inputs.input_ids.shape
        facts, shape = self.entry.manifest.model, Shape(sequence, batch)
        return tensor_numbers(facts, shape) + block_numbers(facts, shape)
