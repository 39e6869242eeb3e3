"""The result of the battery, which is written as JSON.

It holds a verdict for each case and kernel, and each kernel's score on ONNX's node cases.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from compare.results.verdicts import VerdictWord, reaches


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class Cell(_Record):
    """The result of one kernel in one case.

    kind: a verdict; "not asked" if the kernel does not support the case; "failed" if it raised, crashed or gave no
    answer. multiple, statistic: the error in units of rounding, and the statistic that measured it. where: the kind of
    rows that differ, if there is only one. note: a description of the difference, or why there is no verdict.
    """

    case: str
    kind: VerdictWord | Literal["not asked", "failed"]
    multiple: float | None = None
    statistic: str | None = None
    where: str = ""
    note: str = ""

    @property
    def is_finding(self) -> bool:
        """Whether something is wrong: the cell is neither identical nor rounding nor "not asked".

        >>> Cell(case="plain", kind="rounding").is_finding, Cell(case="plain", kind="failed").is_finding
        (False, True)
        """
        return self.kind not in ("identical", "rounding", "not asked")

    def reaches(self, verdict: str) -> bool:
        """Return whether the cell is at or beyond a verdict. "failed" is beyond all verdicts, "not asked" below all.

        >>> [Cell(case="plain", kind=kind).reaches("different") for kind in ("broken", "rounding", "not asked")]
        [True, False, False]
        """
        if self.kind in ("not asked", "failed"):
            return self.kind == "failed"
        return reaches(self.kind, verdict)


class NodeScore(_Record):
    """A kernel's score on ONNX's node cases.

    passed: the number of cases that it passes. wrong: the cases that it ran and does not pass, with the reason.
    not_asked: the number of cases that it cannot run, by reason.
    """

    passed: int
    wrong: dict[str, str]
    not_asked: dict[str, int]

    @property
    def asked(self) -> int:
        """The number of cases that the kernel ran.

        >>> NodeScore(passed=2, wrong={"attention_4d": "Y is off by up to 0.1"}, not_asked={"a cache": 4}).asked
        3
        """
        return self.passed + len(self.wrong)


class KernelResult(_Record):
    """One kernel's cells, in the order of the cases. missing: how to install it, if it is not installed."""

    name: str
    summary: str
    named: bool = False
    missing: str | None = None
    cells: list[Cell] = []
    nodes: NodeScore | None = None


class CaseSummary(_Record):
    """A case. controls: the number of runs that its floors are made from. distinct: how many of them differ bitwise."""

    name: str
    summary: str
    controls: int
    distinct: int


class Battery(_Record):
    """The result of one run. versions: those of the packages that affect the result. seconds: how long the run took."""

    seed: int
    threads: int
    commit: str | None
    processor: str
    versions: dict[str, str]
    cases: list[CaseSummary]
    kernels: list[KernelResult]
    seconds: float

    @property
    def cells(self) -> list[tuple[KernelResult, Cell]]:
        """All cells, kernel by kernel."""
        return [(kernel, cell) for kernel in self.kernels for cell in kernel.cells]

    def exit_code(self, fail_on: str | None = None) -> int:
        """Return the exit code: 1 if a cell is at or beyond `fail_on`, 3 if a named kernel is missing, else 0.

        ONNX's node cases do not count: a correct kernel can exceed their tolerances (docs/battery.md).
        """
        if fail_on is not None and any(cell.reaches(fail_on) for _, cell in self.cells):
            return 1
        return 3 if any(kernel.missing and kernel.named for kernel in self.kernels) else 0
