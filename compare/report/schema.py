"""The report: everything that a comparison measured, and nothing that can be worked out from it.

`report.json` is this, written with pydantic. `SCHEMA` rises with every change that an older reader would trip over.
"""

from math import isnan
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from export.errors import BadInput

SCHEMA = 7
REPORT_FILE = "report.json"
MAPS_FILE = "maps.npz"

VerdictWord = Literal["identical", "rounding", "reduced precision", "different", "broken"]

#: The verdicts in their order: `--fail-on` takes one, and those after it fail too.
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)


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
    """The machine and the packages, without names or paths of the machine.

    cpus: those that whatever was timed was bound to; None where it was not.
    """

    python: str
    platform: str
    processor: str
    cores: int
    memory_bytes: int
    threads: int
    cpus: list[int] | None = None
    packages: dict[str, str]
    commit: str | None


class RulerPart(_Part):
    """Golden against transformers' eager attention in float64: relative root mean square of the worst tensor."""

    worst: float
    tensor: str
    limit: float


class ControlsPart(_Part):
    """The float32 runs that differ from golden by rounding alone, and how many of them gave distinct logits."""

    names: list[str]
    distinct: int


class MultiplesPart(_Part):
    """A tensor's error in units of its floor: what rounding alone does to it (`compare.numerics.errors`)."""

    rms: float
    max: float
    channel: float
    slope: float


class EvidencePart(_Part):
    """What a verdict rests on, of one tensor; see `compare.numerics.verdicts.TensorEvidence`."""

    local: MultiplesPart | None
    accumulated: MultiplesPart
    relative: float
    half: bool
    nan: bool
    above: float
    place: tuple[int, ...]
    terms: int


class VerdictPart(_Part):
    """A verdict, where it comes from, and how far that is from rounding; see `compare.numerics.verdicts.Verdict`.

    "not judged": of a graph held against another without a model, from which nothing tells rounding and fault apart.
    """

    kind: VerdictWord | Literal["not judged"]
    tensor: str | None
    place: str
    statistic: str | None
    multiple: float | None
    precision: str | None
    note: str
    weak: bool

    @property
    def sentence(self) -> str:
        """The verdict, where it begins and how far that is from rounding.

        >>> facts = {"tensor": "context.2", "place": "layer 2, attention", "statistic": "rms", "multiple": 57.3}
        >>> VerdictPart(kind="different", precision=None, note="", weak=False, **facts).sentence
        'different from layer 2, attention on: context.2 is 57 x rounding (rms)'
        """
        if self.kind == "identical":
            return "identical: bit for bit the baseline"
        if self.kind == "broken":
            return f"broken: {self.note}"
        if self.kind == "not judged":
            return f"not judged: the first to differ is {self.tensor} ({self.place}), {self.note}"
        multiple = "" if self.multiple is None else f"{self.multiple:.2g} x rounding ({self.statistic})"
        note = f"; {self.note}" if self.note else ""
        if self.kind == "different" and self.multiple is None:
            return f"different from {self.place} on: {self.note}"
        if self.kind == "rounding":
            return f"same model: nowhere more than {multiple}, reached in {self.place}{note}"
        if self.kind == "reduced precision":
            return f"reduced precision ({self.precision}): {self.tensor} is {multiple}{note}"
        return f"different from {self.place} on: {self.tensor} is {multiple}{note}"


class SoftmaxPart(_Part):
    """What the rows of an attention say; see `compare.numerics.softmax.SoftmaxGap`."""

    rows: int
    row_sums: float
    variation: float
    flips: int
    real_flips: int
    relative: float


class GapPart(_Part):
    """How far one tensor lies from golden's; see `compare.numerics.gaps.Gap`. Not exposed: all None.

    bitwise: equal to the baseline's bit for bit, where a graph is held against another and not against golden.
    """

    tensor: str
    exposed: bool = True
    max: float | None = None
    rms: float | None = None
    p50: float | None = None
    p99: float | None = None
    p999: float | None = None
    size: float | None = None
    slope: float | None = None
    place: tuple[int, ...] | None = None
    heads: tuple[float, ...] = ()
    above_diagonal: float | None = None
    ulps: tuple[float, ...] = ()
    softmax: SoftmaxPart | None = None
    bitwise: bool | None = None
    evidence: EvidencePart | None = None


class DecisionsPart(_Part):
    """What the gap does to the next tokens; see `compare.numerics.decisions.Decisions`."""

    positions: int
    flips: int
    real_flips: int
    top5: float
    kl_mean: float
    kl_p99: float
    kl_max: float
    centred: float
    perplexity: float


class GraphPart(_Part):
    """The ONNX file of a row. bytes, sha256: of it and of the files that hold its weights.

    fed: the inputs that it was given. unmatched: outputs that are no tensor of the model, and are not compared.
    quantized: its operators that compute with quantized numbers. halves: half precisions that weights are stored in.
    found: taps that it does not name, told by the structure of the graph (`compare.onnx_files.candidates`).
    """

    file: str
    bytes: int
    sha256: str
    opset: int
    fed: list[str]
    unmatched: list[str]
    quantized: list[str]
    halves: list[str]
    found: list[str] = Field(default_factory=list)


class RuntimePart(_Part):
    """One runtime. error: why it has no gaps, where it has none. graph: the ONNX file that it ran, if one was named."""

    name: str
    precision: str
    hybrid: bool
    named: bool
    error: str | None = None
    verdict: VerdictPart | None = None
    decisions: DecisionsPart | None = None
    facts: dict[str, str] = Field(default_factory=dict)
    graph: GraphPart | None = None
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

    @property
    def half_width(self) -> float:
        """Half the interval's width, as a share of the ratio."""
        return (self.high - self.low) / 2 / self.median


class LatencyPart(_Part):
    """One latency worker. again: the baseline loaded a second time. turns: round -> nanoseconds, in order.

    load_s, first_call_s: one sample each. p90_ms, p99_ms: None where samples are too few to say. outliers, drift: see
    `compare.latency.statistics`. peak_bytes, settled_bytes: the memory of its process tree, the largest and that after
    its last turn. of_peak: the FLOP/s of the pass over those of the machine's matrix products; None where it is not all
    float32.
    """

    runtime: str
    again: bool
    error: str | None = None
    load_s: float | None = None
    first_call_s: float | None = None
    peak_bytes: int | None = None
    settled_bytes: int | None = None
    median_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    spread: float | None = None
    outliers: int | None = None
    drift: float | None = None
    ratio: RatioPart | None = None
    of_peak: RatioPart | None = None
    turns: dict[int, list[int]] = Field(default_factory=dict)


class WorkPart(_Part):
    """How much work the model is on the input; see `compare.latency.work.Work`."""

    prefill_flops: int
    prefill_last_flops: int
    decode_flops: int
    decode_bytes: int
    past: int


class LastPart(LatencyPart):
    """The graph that computes the logits of the last position alone: less work than any other row's.

    to_deploy: its time over the deploy graph's in the same runtime. gap: largest difference of a logit there.
    """

    to_deploy: RatioPart | None = None
    gap: float | None = None


class DecodePart(LatencyPart):
    """One runtime's short greedy generations with a cache of keys and values. turns: of the steps after the prefill.

    ratio, median_ms and the rest are of a step (TPOT); first_token: of the prefill (TTFT). tokens_per_s: over whole
    generations. checks: positions prefilled -> the verdict over the logits of the text, decoded from there on; parted:
    the first place where the generated tokens differ from the baseline's, None where none does. of_peak: the bytes a
    step reads over those of the machine's memory.
    """

    first_token_ms: float | None = None
    first_token: RatioPart | None = None
    tokens_per_s: float | None = None
    checks: dict[str, VerdictPart] = Field(default_factory=dict)
    tokens: list[list[int]] = Field(default_factory=list)
    parted: int | None = None
    prefills: dict[int, list[int]] = Field(default_factory=dict)

    @property
    def verdict(self) -> VerdictPart | None:
        """The worst of the checks."""
        return max(self.checks.values(), key=lambda part: VERDICTS.index(part.kind), default=None)


class LimitPart(_Part):
    """A limit of the machine, measured in the same rounds as the runtimes: FLOP/s, or bytes/s.

    per_call: FLOPs or bytes of a call. error: why nothing is known of it.
    """

    name: str
    error: str | None = None
    per_call: int | None = None
    per_second: float | None = None
    median_ms: float | None = None
    spread: float | None = None
    turns: dict[int, list[int]] = Field(default_factory=dict)


class LimitsPart(_Part):
    """What the machine can do, and what the model asks of it. uncounted: why its work is not known."""

    compute: LimitPart
    bandwidth: LimitPart
    work: WorkPart | None
    uncounted: str | None = None


class SelfGapsPart(_Part):
    """How far a runtime's logits lie from its own, on the deploy graph, when only the circumstances change.

    gaps: what was changed -> largest difference of a logit (`compare.numerics.ladder`), and the largest difference to
    the baseline's. missing: what could not be run, and why.
    """

    runtime: str
    gaps: dict[str, float] = Field(default_factory=dict)
    missing: dict[str, str] = Field(default_factory=dict)


class ObserverPart(_Part):
    """What exposing every tap does to a graph: the inspect graph beside the deploy graph, in one runtime.

    turns: of the inspect graph, in the same rounds as the deploy graph's. ratio: its time over the deploy graph's.
    operators: how often each ran in one pass, inspect and deploy; those alone that differ. nodes: of all of them.
    gap: largest difference of a logit between the two graphs.
    """

    runtime: str
    error: str | None = None
    ratio: RatioPart | None = None
    nodes: tuple[int, int] | None = None
    operators: dict[str, tuple[int, int]] = Field(default_factory=dict)
    gap: float | None = None
    turns: dict[int, list[int]] = Field(default_factory=dict)


class InterferencePart(_Part):
    """What a runtime takes beside the others unsuspended, and alone, in rounds that come in pairs.

    alone, beside: pair -> nanoseconds, in order. slowdown: beside over alone, paired by pair. ratio_alone,
    ratio_beside: to the baseline timed likewise; None of the baseline.
    """

    runtime: str
    again: bool
    error: str | None = None
    alone_ms: float | None = None
    beside_ms: float | None = None
    slowdown: RatioPart | None = None
    ratio_alone: RatioPart | None = None
    ratio_beside: RatioPart | None = None
    alone: dict[int, list[int]] = Field(default_factory=dict)
    beside: dict[int, list[int]] = Field(default_factory=dict)


class GridCell(_Part):
    """Latency on one sequence and batch, in rounds of its own; the rows have neither a start nor memory."""

    sequence: int
    batch: int
    rounds: int
    latency: list[LatencyPart]

    @property
    def name(self) -> str:
        return f"{self.sequence} x {self.batch}"


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


class Report(_Part):
    """Everything that one comparison measured. model, ruler, limits: None where two ONNX files were held against each
    other.

    interference, grid: empty where they were not asked for.

    shifts: in how many groups the runtimes were timed, each with the baseline, because memory did not hold all at once.
    """

    schema_version: int = SCHEMA
    created: str
    quick: bool
    seed: int
    time_s: float
    precision: float
    model: ModelPart | None
    input: InputPart
    environment: EnvironmentPart
    ruler: RulerPart | None
    controls: ControlsPart | None = None
    fail_on: VerdictWord = "different"
    runtimes: list[RuntimePart]
    latency: list[LatencyPart]
    rounds: int
    shifts: int = 1
    last: LastPart | None = None
    decoding: list[DecodePart] = Field(default_factory=list)
    decode_rounds: int = 0
    limits: LimitsPart | None = None
    interference: list[InterferencePart] = Field(default_factory=list)
    grid: list[GridCell] = Field(default_factory=list)
    exporters: ExportersPart | None = None
    self_gaps: list[SelfGapsPart] = Field(default_factory=list)
    observer: ObserverPart | None = None
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
        return "bytes" if self.model is None or self.model.tokens_are == "bytes" else "tokens"

    @property
    def subject(self) -> str:
        """Which weights everything was measured with: the model's, or those of an ONNX file."""
        if self.model is not None:
            return self.model.provenance
        return " against ".join(runtime.graph.file for runtime in reversed(self.runtimes) if runtime.graph)

    @property
    def fails_from(self) -> VerdictWord:
        """The verdict from which on a runtime is not to be trusted; without a model only "broken" is judged."""
        return "broken" if self.model is None else self.fail_on

    def beyond(self, runtime: RuntimePart | DecodePart) -> str | None:
        """Why a runtime, or its cache, is not to be trusted, or None. One that did not run has an error instead."""
        verdict = runtime.verdict
        if verdict is None or verdict.kind == "not judged":
            return None
        return verdict.sentence if VERDICTS.index(verdict.kind) >= VERDICTS.index(self.fails_from) else None

    @property
    def lowered(self) -> set[str]:
        """The runtimes that lower precision by intent and were not asked for by name: they count for no exit code."""
        return {runtime.name for runtime in self.runtimes if runtime.precision != "float32" and not runtime.named}

    def exit_code(self) -> int:
        """1 where a float32 runtime or its cache is not to be trusted, else 3 where a named one did not run, else 0."""
        if any(self.beyond(runtime) for runtime in self.runtimes if runtime.name not in self.lowered):
            return 1
        if any(self.beyond(row) for row in self.decoding if row.runtime not in self.lowered):
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
