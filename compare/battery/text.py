"""The text output of the battery: tables and sentences."""

from collections.abc import Iterator, Sequence

from compare.battery.cases import Case
from compare.battery.kernels.registry import KernelSpec
from compare.battery.result import Battery, Cell, KernelResult
from compare.report.formatting import NOTHING, Table

#: The number of kernels in one table; with more, the cells would be too narrow.
ABREAST = 4

_NOTES = (
    "A cell shows the verdict, then the statistic nearest its limit in units of rounding, or the reason. "
    "ONNX's node cases: the number that the kernel passes, of those that it can run."
)


def tables(battery: Battery) -> list[Table]:
    """Return tables with a row for each case and a column for each kernel; the last row is ONNX's node cases."""
    here = [kernel for kernel in battery.kernels if kernel.missing is None]
    return [_table(battery, here[start : start + ABREAST]) for start in range(0, len(here), ABREAST)]


def _table(battery: Battery, kernels: Sequence[KernelResult]) -> Table:
    rows = [[case.name, *(cell(k.cells[i]) for k in kernels)] for i, case in enumerate(battery.cases)]
    if any(kernel.nodes for kernel in kernels):
        rows.append(["ONNX's node cases", *(nodes(kernel) for kernel in kernels)])
    return Table(
        "Attention alone, in units of rounding",
        ["case", *(kernel.name for kernel in kernels)],
        rows,
        _NOTES,
    )


def cell(cell: Cell) -> str:
    """Return the text of a cell: the verdict, then its statistic in units of rounding or the reason.

    >>> cell(Cell(case="plain", kind="rounding", multiple=0.81))
    'rounding 0.81'
    """
    if cell.kind in ("not asked", "failed"):
        return f"{cell.kind}: {cell.note}" if len(cell.note) < 20 else cell.kind
    if cell.where:
        return f"{cell.kind}: {cell.where}"
    return cell.kind if cell.multiple is None else f"{cell.kind} {multiple(cell.multiple)}"


def multiple(value: float) -> str:
    """Return a number of floors as text.

    >>> multiple(0.813), multiple(57.3), multiple(2.1e6), multiple(float("inf"))
    ('0.81', '57', '2e+06', 'inf')
    """
    return f"{value:.0f}" if 10 <= value < 10_000 else f"{value:.2g}" if value < 10 else f"{value:.1g}"


def nodes(kernel: KernelResult) -> str:
    """Return as text how many of ONNX's node cases a kernel ran, and how many of these it passes."""
    return NOTHING if kernel.nodes is None else f"{kernel.nodes.passed} of {kernel.nodes.asked}"


def findings(battery: Battery) -> list[str]:
    """Return a line for each cell with a finding, and for each kernel that is not installed."""
    lines = [f"{kernel.name}, {cell.case}: {_said(cell)}" for kernel, cell in battery.cells if cell.is_finding]
    return lines + [f"{kernel.name} {kernel.missing}" for kernel in battery.kernels if kernel.missing]


def _said(cell: Cell) -> str:
    if cell.where or cell.kind == "failed" or cell.multiple is None:
        return f"{cell.kind}: {cell.note}"
    return f"{cell.kind}, {multiple(cell.multiple)} x rounding ({cell.statistic}): {cell.note}"


def node_lines(battery: Battery) -> Iterator[str]:
    """Yield lines with the node cases that each kernel was not asked, and those that it does not pass."""
    for kernel in battery.kernels:
        if kernel.nodes is None:
            continue
        if kernel.nodes.not_asked:
            reasons = ", ".join(f"{reason} ({count})" for reason, count in kernel.nodes.not_asked.items())
            yield f"{kernel.name}, node cases not asked: {reasons}"
        if kernel.nodes.wrong:
            yield f"{kernel.name}, node cases not passed: {', '.join(kernel.nodes.wrong)}"


def lines(battery: Battery) -> list[str]:
    """Return the sentences below the tables; the last one is the summary."""
    return [*findings(battery), *node_lines(battery), summary(battery)]


def summary(battery: Battery) -> str:
    """Return a sentence with the number of cells whose verdict is rounding."""
    cells = [cell for _, cell in battery.cells if cell.kind != "not asked"]
    fine = sum(not cell.is_finding for cell in cells)
    left_out = len(battery.cells) - len(cells)
    here = sum(kernel.missing is None for kernel in battery.kernels)
    return (
        f"{fine} of {len(cells)} cells are rounding ({len(battery.cases)} cases, {here} kernels, {left_out} cells not "
        f"asked; seed {battery.seed}, {battery.seconds:.0f} s)"
    )


def listing(kernels: Sequence[KernelSpec], cases: Sequence[Case]) -> Iterator[str]:
    """Yield a line for each kernel and case, with the command that installs a missing kernel."""
    width = max(len(name) for name in [*(k.name for k in kernels), *(c.name for c in cases)])
    for spec in kernels:
        missing = spec.missing()
        state = f"missing {', '.join(missing)}: {spec.install}" if missing else "here"
        yield f"kernel  {spec.name:<{width}}  {state:<6}  {spec.summary}"
    for case in cases:
        yield f"case    {case.name:<{width}}  {'':<6}  {case.summary}"
