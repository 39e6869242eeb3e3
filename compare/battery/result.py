"""What the battery found: case x kernel -> verdict, and each kernel's score on ONNX's node cases. Written as JSON."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from compare.results.verdicts import VerdictWord, reaches


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class Cell(_Part):
    """What one kernel does in one case.

    kind: a verdict; "not asked" where the kernel does not offer what the case takes; "failed" where it raised, crashed
    or gave no answer. multiple, statistic: how many units of rounding, by which statistic. where: the kind of rows that
    differ, in a few words. note: what it does, or why there is no verdict.
    """

    case: str
    kind: VerdictWord | Literal["not asked", "failed"]
    multiple: float | None = None
    statistic: str | None = None
    where: str = ""
    note: str = ""

    @property
    def is_finding(self) -> bool:
        """Whether it is anything but rounding of what was asked.

        >>> Cell(case="plain", kind="rounding").is_finding, Cell(case="plain", kind="failed").is_finding
        (False, True)
        """
        return self.kind not in ("identical", "rounding", "not asked")

    def reaches(self, verdict: str) -> bool:
        """Whether it is at or beyond a verdict; what failed is beyond all of them, what was not asked is at none.

        >>> [Cell(case="plain", kind=kind).reaches("different") for kind in ("broken", "rounding", "not asked")]
        [True, False, False]
        """
        if self.kind in ("not asked", "failed"):
            return self.kind == "failed"
        return reaches(self.kind, verdict)


class NodeScore(_Part):
    """Of ONNX's node cases, how many a kernel passes of those it can be asked.

    wrong: the cases that it was asked and does not pass, with why. not_asked: how many it cannot be asked, by reason.
    """

    passed: int
    wrong: dict[str, str]
    not_asked: dict[str, int]

    @property
    def asked(self) -> int:
        """
        >>> NodeScore(passed=2, wrong={"attention_4d": "Y is off by up to 0.1"}, not_asked={"a cache": 4}).asked
        3
        """
        return self.passed + len(self.wrong)


class KernelPart(_Part):
    """One kernel's cells in the order of the cases. missing: what installs it, where it is not here."""

    name: str
    summary: str
    named: bool = False
    missing: str | None = None
    cells: list[Cell] = []
    nodes: NodeScore | None = None


class CasePart(_Part):
    """A case. controls: how many runs its floors were made from, distinct: how many of them differ in their bits."""

    name: str
    summary: str
    controls: int
    distinct: int


class Battery(_Part):
    """A whole run. versions: of the packages that decide a result. seconds: how long it took."""

    seed: int
    threads: int
    commit: str | None
    processor: str
    versions: dict[str, str]
    cases: list[CasePart]
    kernels: list[KernelPart]
    seconds: float

    @property
    def cells(self) -> list[tuple[KernelPart, Cell]]:
        """All cells, kernel by kernel."""
        return [(kernel, cell) for kernel in self.kernels for cell in kernel.cells]

    def exit_code(self, fail_on: str | None = None) -> int:
        """1 where a cell is at or beyond `fail_on`, if given, else 3 where a kernel asked for by name is missing.

        ONNX's node cases do not count: a kernel may be right and still miss their tolerances (docs/battery.md).
        """
        if fail_on is not None and any(cell.reaches(fail_on) for _, cell in self.cells):
            return 1
        return 3 if any(kernel.missing and kernel.named for kernel in self.kernels) else 0
