"""The report: everything that a comparison measured, and nothing that can be worked out from it.

`report.json` is this, written with pydantic. `SCHEMA` rises with every change that an older reader would trip over.
"""

from math import isnan
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from export.errors import BadInput

SCHEMA = 1
REPORT_FILE = "report.json"
MAPS_FILE = "maps.npz"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings", protected_namespaces=())


class ModelPart(_Part):
    """The model that was compared. provenance: where its weights come from. entry: its folder in the cache."""

    name: str
    asked_for: str
    provenance: str
    trained: bool
    entry: str
    type: str
    layers: int
    heads: int
    key_value_heads: int
    head_dim: int
    hidden: int
    vocabulary: int
    positions: int
    parameters: int
    tokens_are: Literal["bytes", "vocabulary"]
    exporter: str
    opset: int
    graph_bytes: int


class InputPart(_Part):
    """What ran through the model. tokens: the first sequence of the batch, as text. sha256: of ids and mask."""

    batch: int
    sequence: int
    padding: int
    tokens: list[str]
    sha256: str


class EnvironmentPart(_Part):
    """The machine and the packages, without names or paths of the machine."""

    python: str
    platform: str
    processor: str
    cores: int
    memory_bytes: int
    threads: int
    packages: dict[str, str]
    commit: str | None


class RulerPart(_Part):
    """Golden against transformers' eager attention in float64: relative root mean square of the worst tensor."""

    worst: float
    tensor: str
    limit: float


class GapPart(_Part):
    """How far one tensor lies from golden's; see `compare.numerics.gaps.Gap`. Not exposed: all None."""

    tensor: str
    exposed: bool = True
    max: float | None = None
    rms: float | None = None
    p999: float | None = None
    size: float | None = None
    above_diagonal: float | None = None


class RuntimePart(_Part):
    """One runtime. counts: whether it decides the exit code. error: why it has no gaps, where it has none."""

    name: str
    precision: str
    hybrid: bool
    named: bool
    error: str | None = None
    facts: dict[str, str] = Field(default_factory=dict)
    gaps: list[GapPart] = Field(default_factory=list)

    def largest(self, kind: str) -> float | None:
        """The largest gap over the tensors of a kind ("attention", "logits", ...); None where none is exposed.

        NaN where one of them is NaN.
        """
        found = [gap.max for gap in self.gaps if gap.tensor.partition(".")[0] == kind and gap.max is not None]
        return max(found, key=lambda value: (isnan(value), value)) if found else None

    def above_diagonal(self) -> float | None:
        """The largest probability above the causal diagonal; None where probabilities are not exposed."""
        found = [gap.above_diagonal for gap in self.gaps if gap.above_diagonal is not None]
        return max(found, key=lambda value: (isnan(value), value)) if found else None


class RatioPart(_Part):
    """Time over the baseline's, paired by round: median and 95 % bootstrap interval."""

    median: float
    low: float
    high: float


class LatencyPart(_Part):
    """One latency worker. again: the baseline loaded a second time. turns: round -> nanoseconds, in order."""

    runtime: str
    again: bool
    error: str | None = None
    load_s: float | None = None
    first_call_s: float | None = None
    peak_bytes: int | None = None
    median_ms: float | None = None
    spread: float | None = None
    ratio: RatioPart | None = None
    turns: dict[int, list[int]] = Field(default_factory=dict)


class ExportersPart(_Part):
    """The graphs of two exporters in one runtime, the chosen one's against the default one's.

    gaps: kind of tensor -> largest difference between the two. ratio: of their times, paired by round. graph_bytes: of
    the whole cache entries.
    """

    runtime: str
    chosen: str
    default: str
    gaps: dict[str, float]
    ratio: RatioPart | None
    graph_bytes: tuple[int, int]


class HeadPart(_Part):
    """A head that has maps in `maps.npz`: arrays `golden/INDEX` and `RUNTIME/INDEX`, INDEX its place in `heads`."""

    layer: int
    head: int
    name: str


class Limits(_Part):
    """What decides the exit code. logits: the largest gap, in the logits' own unit."""

    logits: float = 1e-4
    above_diagonal: float = 0.0


class Report(_Part):
    """Everything that one comparison measured."""

    schema_version: int = SCHEMA
    created: str
    quick: bool
    seed: int
    time_s: float
    model: ModelPart
    input: InputPart
    environment: EnvironmentPart
    ruler: RulerPart
    limits: Limits = Limits()
    runtimes: list[RuntimePart]
    latency: list[LatencyPart]
    rounds: int
    exporters: ExportersPart | None = None
    heads: list[HeadPart]
    phases: dict[str, float] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)

    _folder: Path | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path | None:
        """Where it was written to or read from; maps and figures lie beside it."""
        return self._folder

    @property
    def token_word(self) -> str:
        """What the positions of the input are: "tokens", or "bytes" where there was no vocabulary."""
        return "bytes" if self.model.tokens_are == "bytes" else "tokens"

    def beyond(self, runtime: RuntimePart) -> str | None:
        """Why a runtime is beyond the limits, or None. What gave no gaps is not beyond: it has an error instead."""
        logits, above = runtime.largest("logits"), runtime.above_diagonal()
        if logits is not None and not logits <= self.limits.logits:
            return f"logits {logits:.1e} from golden, limit {self.limits.logits:.0e}"
        if above is not None and not above <= self.limits.above_diagonal:
            return f"{above:.1e} above the causal diagonal, limit 0"
        return None

    def exit_code(self) -> int:
        """1 where a float32 runtime is beyond the limits, else 3 where one asked for by name did not run, else 0."""
        if any(self.beyond(r) for r in self.runtimes if r.precision == "float32" or r.named):
            return 1
        return 3 if any(r.error and r.named for r in self.runtimes) else 0

    def write(self, folder: Path) -> None:
        """Write `report.json`, whole or not at all."""
        partial = folder / f".{REPORT_FILE}.partial"
        partial.write_text(self.model_dump_json(indent=1) + "\n")
        partial.replace(folder / REPORT_FILE)
        self._folder = folder

    @classmethod
    def read(cls, path: Path) -> "Report":
        """Read a report from its file or folder. Raises `BadInput` where it is not there or is no report."""
        path = path / REPORT_FILE if path.is_dir() else path
        if not path.is_file():
            raise BadInput(f"no report at {path}; python -m compare writes one, and --out FOLDER says where")
        try:
            report = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"])
            raise BadInput(f"{path} is no report of schema {SCHEMA}: {place or 'file'}: {first['msg']}") from error
        report._folder = path.parent
        return report
