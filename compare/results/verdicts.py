"""The words of verdicts, from best to worst, and the sentence that describes a verdict."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from compare.results.base import Result

VerdictWord = Literal["identical", "rounding", "reduced precision", "unsteady", "different", "broken"]

#: The verdicts from best to worst. Only several runs together can be "unsteady" (`compare.numerics.several_runs`).
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)


def reaches(verdict: str, limit: str) -> bool:
    """Return whether a verdict is as bad as a limit or worse; False for a word that is not in `VERDICTS`.

    >>> reaches("broken", "different"), reaches("rounding", "different"), reaches("not judged", "identical")
    (True, False, False)
    """
    return verdict in VERDICTS[VERDICTS.index(limit) :]


def rank(verdict: str) -> int:
    """Return the place of a verdict's word in `VERDICTS`, 0 for the best; -1 for "not judged", which has none.

    >>> rank("identical"), rank("broken"), rank("not judged")
    (0, 5, -1)
    """
    return VERDICTS.index(verdict) if verdict in VERDICTS else -1


@dataclass(frozen=True, kw_only=True)
class Verdict(Result):
    """A verdict, the place where the difference begins, and its size in floors (`compare.numerics.verdicts`)."""

    kind: VerdictWord | Literal["not judged"]  # "not judged": two graphs without a model, so there are no floors
    tensor: str | None = None  # the first tensor beyond a limit, in the order of execution, or the nearest to a limit
    place: str = ""  # the layer and segment that make the tensor
    statistic: str | None = None  # the statistic that is furthest beyond its limit, or nearest to it
    multiple: float | None = None  # the statistic in floors
    precision: str | None = None  # the precision that the errors indicate
    own: bool = False  # whether floors are those of the precision's own controls
    note: str = ""
    weak: bool = False  # whether logits are its only evidence
    runs: list["Verdict"] = field(default_factory=list)  # the verdict on each run, in order, if there were several
    padded: str = ""  # for the padded input: a phrase that says so, with the side of the padding
    cause: str = ""  # why it is wrong on the padded input, if known

    @property
    def sentence(self) -> str:
        """The verdict in one sentence: its word, the place where the difference begins, and its size.

        >>> facts = {"tensor": "context.2", "place": "layer 2, attention", "statistic": "rms", "multiple": 57.3}
        >>> Verdict(kind="different", **facts).sentence
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
        unit = f"what {self.precision} alone does" if self.own else "rounding"
        multiple = "" if self.multiple is None else f"{self.multiple:.2g} x {unit} ({self.statistic})"
        note = f"; {self.note}" if self.note else ""
        if self.kind == "rounding":
            return f"same model{where}: nowhere more than {multiple}, reached in {self.place}{note}"
        if self.kind == "reduced precision" and self.own:
            return f"reduced precision ({self.precision}){where}: nowhere more than {multiple}, in {self.place}{note}"
        if self.kind == "reduced precision":
            return f"reduced precision ({self.precision}){where}: {self.tensor} is {multiple}{note}"
        why = self.note if self.multiple is None else f"{self.tensor} is {multiple}{note}"
        if self.padded:
            where += f": it {self.cause}," if self.cause else ","
        lower = f"{self.precision}, and " if self.own else ""
        return f"{lower}different{where} from {self.place} on: {why}"
