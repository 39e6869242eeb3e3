"""Settings of a comparison, in groups. Each default of the command line and of the Python API is written once, here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

from compare.pipeline.paths import path_of
from compare.results.latency import FEWEST_ROUNDS
from compare.runtimes.registry import BASELINE, GRAPH_RUNTIME
from export.errors import BadSetting, quoted
from export.exporters import DEFAULT_EXPORTER

#: The model that is compared by default.
DEFAULT_MODEL = "distilgpt2"

#: Tokens of the text that ships with the project, if no `sequence` is given.
DEFAULT_SEQUENCE = 128

#: The most characters of a text. A tokenizer of bytes takes 2 s and 0.25 GB for as many.
LONGEST_TEXT = 2**20

#: The time limit of the rounds by default, and the least for each runtime, in seconds. A runtime's turns take about
#: half a second for a forward pass and as much for decoding, and a ratio is known after several rounds.
TIME = 30.0
TIME_PER_RUNTIME = 4.0

#: The values that `quick` sets unless they are given: runtimes, time, and the largest number of tokens in a sequence.
QUICK_RUNTIMES = (BASELINE, GRAPH_RUNTIME)
QUICK_TIME = 5.0
QUICK_SEQUENCE = 32


@dataclass(frozen=True)
class InputSettings:
    """What is compared, and the tokens that run through it."""

    #: The text; None means the one that ships with the project.
    text: str | None = None

    #: Tokens in each sequence; None means the whole `text`, or `DEFAULT_SEQUENCE` tokens of the shipped one.
    sequence: int | None = None

    #: The number of sequences in a batch.
    batch: int = 1

    #: The exporter of the graphs. A non-default exporter adds a row with the default exporter's graph.
    exporter: str = DEFAULT_EXPORTER

    #: An ONNX file, which gets a row of its own.
    onnx: Path | None = None

    #: The ONNX file that `onnx` is compared with instead of a model.
    baseline: Path | None = None

    #: Whether nothing is downloaded from the hub.
    offline: bool = False

    #: With "seeded", a pinned hub model that cannot be loaded is replaced by its architecture with random weights.
    fallback: Literal["seeded"] | None = None


@dataclass(frozen=True)
class RuntimeSettings:
    """Which runtimes run, and the threads and the time of each process."""

    #: Names of runtimes, given with the option `runtimes`; "all" means all, None those that run by
    #: default. The baseline always runs.
    names: Sequence[str] | None = None

    #: Execution providers of ONNX Runtime, or plug-ins with one. Each gets a row of its own.
    providers: Sequence[str] | None = None

    #: What the runtimes compute on: "cpu" or "cuda". Those that cannot have a row with the reason.
    device: str = "cpu"

    #: Row -> key -> value of the options that its runtime takes.
    options: Mapping[str, Mapping[str, str]] | None = None

    #: Threads in each process; None means one for each core.
    threads: int | None = None

    #: Seconds that a process may take for one answer before it counts as failed.
    timeout: float = 600.0


@dataclass(frozen=True)
class CheckSettings:
    """What is checked beyond the gaps of one forward pass, and which verdict fails the run."""

    #: Whether runtimes are timed. If they are, their deploy graphs are checked too.
    latency: bool = True

    #: Whether decoding with a cache is timed and checked.
    decode: bool = True

    #: Whether reruns also change the batch, padding, length and threads, caches are checked after three prefills, and
    #: the inspect and deploy-last graphs are timed too.
    thorough: bool = False

    #: Whether fewer runtimes and tokens are compared, in less time: see `QUICK_RUNTIMES`.
    quick: bool = False

    #: The mildest verdict that fails the run.
    fail_on: str = "different"

    @property
    def decodes(self) -> bool:
        """Whether decoding is timed and checked. It needs latency, because it is timed before it is checked."""
        return self.latency and self.decode


@dataclass(frozen=True)
class LatencySettings:
    """How runtimes are timed."""

    #: The time limit of the rounds, in seconds; None means `TIME`, or `TIME_PER_RUNTIME` for each timed runtime if that
    #: is more.
    time: float | None = None

    #: The rounds end early when half the width of every ratio's interval is at most this share of the ratio.
    precision: float = 0.02

    #: The fewest rounds, even if they take longer than `time`. None means `FEWEST_ROUNDS`, with which a ratio is known,
    #: and one for what is timed apart: a runtime that is too slow for the rounds, a cell of the grid, interference.
    min_rounds: int | None = None

    #: A turn counts if other processes use at most this share of the CPU time; with 1, every turn counts. None means
    #: `compare.latency.disturbance.MAX_LOAD`.
    max_load: float | None = None

    #: Seed of the order of turns, and of the intervals.
    seed: int = 0

    #: Whether each timed process is pinned to one CPU per thread.
    pin: bool = False

    #: Memory that the timed processes may use together, in GB; None means all free memory.
    memory: float | None = None

    #: Whether each runtime is also timed while the others are not suspended.
    interference: bool = False

    #: Further sequence lengths and batch sizes to time, in the form that `compare.pipeline.shapes.shapes_of` parses.
    grid: str | None = None

    @property
    def rounds(self) -> int:
        """The fewest rounds in which the ratios of all runtimes are measured."""
        return FEWEST_ROUNDS if self.min_rounds is None else self.min_rounds

    @property
    def rounds_apart(self) -> int:
        """The fewest rounds of what is timed apart."""
        return self.min_rounds or 1


@dataclass(frozen=True)
class OutputSettings:
    """What is written, and where."""

    #: The folder of the report; None means a new one in the cache.
    out: Path | None = None

    #: Whether the tensors of every run are kept in the folder of the report.
    keep_traces: bool = False

    #: The folder of the cache; None means the default one.
    cache_dir: Path | None = None

    #: The command or the call that asks for the comparison, which the report contains; None if it cannot be written.
    command: str | None = None


@dataclass(frozen=True)
class Settings:
    """Settings of a comparison, except for the model."""

    input: InputSettings = field(default_factory=InputSettings)
    runtimes: RuntimeSettings = field(default_factory=RuntimeSettings)
    checks: CheckSettings = field(default_factory=CheckSettings)
    latency: LatencySettings = field(default_factory=LatencySettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    @classmethod
    def of(cls, **options: Any) -> "Settings":
        """Return settings from options without groups. An option that is None has its default value.

        Raises `BadInput` for a value of another type, or a path that no file can have, and `TypeError` for an unknown
        option.

        >>> settings = Settings.of(batch=2, quick=True, runtimes=None)
        >>> settings.input.batch, settings.latency.time, settings.runtimes.names
        (2, 5.0, ('torch-eager', 'onnxruntime'))
        """
        given = {name: _plain(name, value) for name, value in options.items() if value is not None}
        if given.get("quick"):
            given.setdefault("time", QUICK_TIME)
            if "baseline" not in given:  # ONNX Runtime alone runs two ONNX files
                given.setdefault("runtimes", QUICK_RUNTIMES)
        if "runtimes" in given:
            given["names"] = given.pop("runtimes")
        groups = {
            name: _group(kind, {field.name: given.pop(field.name) for field in fields(kind) if field.name in given})
            for name, kind in _GROUPS.items()
        }
        if given:
            raise TypeError(f"no such settings: {', '.join(given)}")
        return cls(**groups)


def _plain(name: str, value: Any) -> Any:
    """Return a value as its field has it: a path as a `Path`, and an integer of NumPy as one of Python."""
    if name in _PATHS:
        return path_of(name, value)
    is_true_or_false = isinstance(value, bool)  # which Python counts among the integers
    return int(value) if isinstance(value, Integral) and not is_true_or_false else value


def _group(kind: Any, given: dict[str, Any]) -> Any:
    """Return a group of settings. Raises `BadInput` for a value of another type."""
    from pydantic import TypeAdapter, ValidationError  # not for --help

    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        name, *within = map(str, first["loc"])
        place = f" ({quoted('.'.join(within))})" if within else ""
        raise BadSetting(
            f"{{{'runtimes' if name == 'names' else name}}}{{place}} is {{value}}: {{why}}",
            place=place,
            value=quoted(first["input"]),
            why=first["msg"][:1].lower() + first["msg"][1:],
        ) from error


_GROUPS: dict[str, Any] = {
    "input": InputSettings,
    "runtimes": RuntimeSettings,
    "checks": CheckSettings,
    "latency": LatencySettings,
    "output": OutputSettings,
}

#: The settings that are paths.
_PATHS = ("onnx", "baseline", "out", "cache_dir")
