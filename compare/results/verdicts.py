"""Verdicts: their words, ordered from best to worst, and the sentence that says one."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from compare.results.base import Result

VerdictWord = Literal["identical", "rounding", "reduced precision", "unsteady", "different", "broken"]

#: The verdicts from best to worst. "Unsteady" is said of several runs, never of one (`compare.pipeline.second_look`).
VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)


def reaches(verdict: str, limit: str) -> bool:
    """Whether a verdict is at or beyond a limit; a word that is no verdict is never.

    >>> reaches("broken", "different"), reaches("rounding", "different"), reaches("not judged", "identical")
    (True, False, False)
    """
    return verdict in VERDICTS[VERDICTS.index(limit) :]


@dataclass(frozen=True, kw_only=True)
class Verdict(Result):
    """A verdict, the place where the difference begins, and how many floors it is (`compare.numerics.verdicts`)."""

    kind: VerdictWord | Literal["not judged"]  # "not judged": two graphs without a model, so without floors
    tensor: str | None = None  # the first one beyond a limit, in the order of execution
    place: str = ""  # the layer and segment that make it
    statistic: str | None = None  # the one that is furthest beyond its limit
    multiple: float | None = None  # of the statistic, in floors
    precision: str | None = None  # the one that the errors look like
    note: str = ""
    weak: bool = False  # it rests on logits alone
    runs: list["Verdict"] = field(default_factory=list)  # one for each run if there were several, the first first
    padded: str = ""  # of a verdict over the padded input: that, and on which side
    cause: str = ""  # why, if that was found

    @property
    def sentence(self) -> str:
        """The verdict, where it begins and how far that is from rounding.

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
