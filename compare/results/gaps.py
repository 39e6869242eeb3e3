"""The parts of a report that hold gaps: how far each tensor of each runtime lies from golden, and the verdicts."""

from math import isnan
from typing import Literal, get_args

from pydantic import Field

from compare.results.circumstances import Part

VerdictWord = Literal["identical", "rounding", "reduced precision", "unsteady", "different", "broken"]


#: The verdicts in their order: `--fail-on` takes one, and those after it fail too.
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)


class MultiplesPart(Part):
    """A tensor's error in units of its floor: what rounding alone does to it (`compare.numerics.errors`)."""

    rms: float
    max: float
    channel: float
    slope: float


class EvidencePart(Part):
    """What a verdict rests on, of one tensor; see `compare.numerics.verdicts.TensorEvidence`."""

    local: MultiplesPart | None
    accumulated: MultiplesPart
    relative: float
    half: bool
    nan: bool
    above: float
    padding: float
    place: tuple[int, ...]
    terms: int


class VerdictPart(Part):
    """A verdict, where it comes from, and how far that is from rounding; see `compare.numerics.verdicts.Verdict`.

    "not judged": of a graph held against another without a model, from which nothing tells rounding and fault apart.
    runs: the verdict of each run of a runtime that was looked at again, the first run's first; empty after one run.
    padded: of a verdict over the padded input, that and on which side; cause: why, where that was found.
    """

    kind: VerdictWord | Literal["not judged"]
    tensor: str | None
    place: str
    statistic: str | None
    multiple: float | None
    precision: str | None
    note: str
    weak: bool
    runs: list["VerdictPart"] = Field(default_factory=list)
    padded: str = ""
    cause: str = ""

    @property
    def sentence(self) -> str:
        """The verdict, where it begins and how far that is from rounding.

        >>> facts = {"tensor": "context.2", "place": "layer 2, attention", "statistic": "rms", "multiple": 57.3}
        >>> VerdictPart(kind="different", precision=None, note="", weak=False, **facts).sentence
        'different from layer 2, attention on: context.2 is 57 x rounding (rms)'
        """
        where = f" {self.padded}" if self.padded else ""
        if self.kind == "identical":
            return f"identical{where}: bit for bit the baseline"
        if self.kind == "unsteady":
            return f"unsteady: {self.note}"
        if self.kind == "broken":
            return f"broken{where}: {self.note}"
        if self.kind == "not judged":
            return f"not judged: the first to differ is {self.tensor} ({self.place}), {self.note}"
        multiple = "" if self.multiple is None else f"{self.multiple:.2g} x rounding ({self.statistic})"
        note = f"; {self.note}" if self.note else ""
        if self.kind == "rounding":
            return f"same model{where}: nowhere more than {multiple}, reached in {self.place}{note}"
        if self.kind == "reduced precision":
            return f"reduced precision ({self.precision}){where}: {self.tensor} is {multiple}{note}"
        why = self.note if self.multiple is None else f"{self.tensor} is {multiple}{note}"
        if self.padded:
            where += f": it {self.cause}," if self.cause else ","
        return f"different{where} from {self.place} on: {why}"


class SoftmaxPart(Part):
    """What the rows of an attention say; see `compare.numerics.diagnostics.softmax.SoftmaxGap`."""

    rows: int
    row_sums: float
    variation: float
    flips: int
    real_flips: int
    relative: float


class GapPart(Part):
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


class DecisionsPart(Part):
    """What the gap does to the next tokens; see `compare.numerics.diagnostics.next_token.Decisions`."""

    positions: int
    flips: int
    real_flips: int
    top5: float
    kl_mean: float
    kl_p99: float
    kl_max: float
    centred: float
    perplexity: float


class GraphPart(Part):
    """The ONNX file of a row. bytes, sha256: of it and of the files that hold its weights.

    fed: the inputs that it was given. unmatched: outputs that are no tensor of the model, and are not compared.
    quantized: its operators that compute with quantized numbers. halves: half precisions that weights are stored in.
    found: taps that it does not name, told by the structure of the graph (`compare.onnx_files.structure`).
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


class PaddingPart(Part):
    """A runtime on the padded input. text: its verdict without padding; skipped: why it has no other.

    cause: why it is wrong where sequences are padded, where that was found (`compare.numerics.padding`); of rotary
    positions, which can do so unpunished, that they count padding. sides: on which sequences have to be padded for it.
    """

    text: VerdictPart
    verdict: VerdictPart | None = None
    skipped: str = ""
    cause: str = ""
    sides: list[str] = Field(default_factory=list)
    evidence: dict[str, EvidencePart] = Field(default_factory=dict)


class FurtherRunPart(Part):
    """What the verdict on a further run rests on: its evidence by tensor, empty if it gave nothing to weigh."""

    evidence: dict[str, EvidencePart] = Field(default_factory=dict)
    padding: PaddingPart | None = None


class RuntimePart(Part):
    """One runtime. error: why it has no gaps, where it has none. graph: the ONNX file that it ran, if one was named.

    verdict: the worse of those on the text and on the padded input, both of which padding has.
    again: what was found in each further run, where the first one was an alarm.
    """

    name: str
    precision: str
    hybrid: bool
    named: bool
    error: str | None = None
    verdict: VerdictPart | None = None
    padding: PaddingPart | None = None
    decisions: DecisionsPart | None = None
    facts: dict[str, str] = Field(default_factory=dict)
    graph: GraphPart | None = None
    gaps: list[GapPart] = Field(default_factory=list)
    again: list[FurtherRunPart] = Field(default_factory=list)

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
