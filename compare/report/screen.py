"""The screen: what a person sees of a comparison first. It is data, without a renderer and without a width."""

from collections.abc import Sequence
from dataclasses import dataclass

from compare.report import screen_sentences as say
from compare.report.formatting import (
    NOT_MEASURABLE,
    NOTHING,
    Table,
    megabytes,
    number,
    output_word,
    plus_minus,
    rough,
    times,
)
from compare.report.measurability import is_shown, measurable
from compare.report.schema import Report
from compare.results.latency import FEWEST_ROUNDS, DecodeRow, LatencyRow, Ratio
from compare.results.reruns import RerunGaps
from compare.results.runtimes import RuntimeResult, output_among
from compare.results.verdicts import Verdict

#: The widest name of a baseline that is in the heading of a column; a longer one makes the table too wide.
_LONGEST_NAME = 11

#: The columns of the screen's table. The two ratios get the name of the baseline, and of what was timed if the time
#: itself has no column.
_COLUMNS = ("runtime", "same model?", "error", "prefill ms", "prefill", "token ms", "token", "MB")
_RATIOS = (4, 6)


@dataclass(frozen=True)
class Screen:
    """What a person sees of a comparison first, from top to bottom."""

    #: The model or the two files, then the input and the threads. They may share a line.
    header: list[str]
    #: Warnings about what was compared.
    warnings: list[str]
    #: A row for each runtime.
    table: Table
    #: How many runtimes compute the same model, which do not, and which failed.
    verdict: list[str]
    #: Which runtime to use for what, or why none is advised.
    advice: list[str]
    #: How quiet the machine was.
    quality: list[str]
    #: What the full report has in addition.
    more: list[str]


def screen(report: Report) -> Screen:
    """Return the screen of a report."""
    return Screen(
        header=say.header(report),
        warnings=say.warnings(report),
        table=table(report.runtimes, report.latency, report.decoding, reruns=report.self_gaps),
        verdict=say.verdict(report),
        advice=say.advice(report),
        quality=say.quality(report),
        more=say.more(report),
    )


def table(
    runtimes: Sequence[RuntimeResult],
    latency: Sequence[LatencyRow],
    decoding: Sequence[DecodeRow],
    *,
    reruns: Sequence[RerunGaps] = (),
    running: bool = False,
) -> Table:
    """Return the table of the screen: a row for each runtime, without the columns that have nothing.

    runtimes, latency, decoding: what is known so far, in the order of the report; each may be empty. reruns: verdicts
    on the timed graphs. running: whether results are still to come, so that a ratio may become measurable.

    The cells after a runtime that is wrong, or did not run, are empty strings, so that the reason has room.
    """
    timed = {row.runtime: row for row in latency if not row.again}
    decoded = {row.runtime: row for row in decoding if not row.again}
    as_timed = {row.runtime: row.verdict for row in reruns if row.verdict}
    rows = []
    for runtime in runtimes:
        fault = _fault(runtime, as_timed.get(runtime.name))
        if fault:
            rows.append([runtime.name, fault, *[""] * (len(_COLUMNS) - 2)])
            continue
        row, steps = timed.get(runtime.name), decoded.get(runtime.name)
        cells = [runtime.name, _same(runtime.verdict), times(runtime.in_own_units)]
        rows.append([*cells, *_prefill(row, latency, running), *_step(steps, decoding, running), _memory(row, steps)])
    for name, steps in decoded.items():
        if name not in {runtime.name for runtime in runtimes}:
            rows.append(_only_decodes(name, steps, decoding, running))
    return _without_empty_columns(rows, latency or decoding, runtimes)


def _fault(runtime: RuntimeResult, as_timed: Verdict | None) -> str:
    """Say why a runtime's times mean nothing, in one cell; empty if they mean something."""
    if runtime.error:
        return f"did not run: {runtime.error}"
    for verdict, graph in ((runtime.verdict, ""), (as_timed, " as timed")):
        if verdict is not None and verdict.kind == "broken":
            return f"NO: broken{graph}"
        if verdict is not None and verdict.kind == "different":
            error = runtime.in_rounding if not verdict.padded and not graph else None
            where = f"where padded, {verdict.cause or verdict.place}" if verdict.padded else verdict.place
            return f"NO: {where}{graph}" + ("" if error is None else f", {times(error)}")
    return ""


def _same(verdict: Verdict | None) -> str:
    """Answer in one cell whether a runtime computes the same model; the runtime is neither different nor broken."""
    if verdict is None:
        return NOTHING
    if verdict.kind in ("identical", "rounding"):
        return "yes"
    return verdict.precision or verdict.kind if verdict.kind == "reduced precision" else verdict.kind


def _prefill(row: LatencyRow | None, rows: Sequence[LatencyRow], running: bool) -> list[str]:
    """Return the time of a pass and its ratio to the baseline."""
    if row is None:
        return [NOTHING] * 2
    if row.error:
        return ["failed", NOTHING]
    return [number(row.median_ms), _versus(row, row.ratio, rows, running)]


def _step(row: DecodeRow | None, rows: Sequence[DecodeRow], running: bool) -> list[str]:
    """Return the time of one more token and its ratio to the baseline; no time if the cache is wrong."""
    if row is None:
        return [NOTHING] * 2
    if row.error or say.decodes_wrongly(row):
        return ["failed" if row.error else "wrong", NOTHING]
    return [number(row.median_ms), _versus(row, row.ratio, rows, running)]


def _only_decodes(name: str, row: DecodeRow, rows: Sequence[DecodeRow], running: bool) -> list[str]:
    """Return the row of a runtime that does nothing but decode. It is judged on the logits of its decoding."""
    if row.error or say.decodes_wrongly(row):
        fault = f"did not run: {row.error}" if row.error else "NO: decoding"
        return [name, fault, *[""] * (len(_COLUMNS) - 2)]
    prefill = [number(row.first_token_ms), _versus(row, row.first_token, rows, running)]
    return [name, _same(row.verdict), NOTHING, *prefill, *_step(row, rows, running), _memory(None, row)]


def _versus(row: LatencyRow, ratio: Ratio | None, rows: Sequence[LatencyRow], running: bool) -> str:
    """Write the ratio of a row in one cell. rows: the baseline first, then its second process."""
    if row is rows[0]:
        return "baseline"
    unknown = "not yet" if running else NOT_MEASURABLE
    if ratio is None:
        return unknown if row.loads and not row.turns else NOTHING
    if row.too_slow and not measurable(row, rows[0]):
        return rough(ratio, len(row.turns))
    if not is_shown(row, rows):
        return unknown
    return "no difference" if ratio.low <= 1 <= ratio.high else plus_minus(ratio)


def _memory(*rows: LatencyRow | None) -> str:
    known = [row.peak_bytes for row in rows if row is not None and row.peak_bytes]
    return megabytes(known[0]) if known else NOTHING


def _without_empty_columns(
    rows: list[list[str]], timed: Sequence[LatencyRow], runtimes: Sequence[RuntimeResult]
) -> Table:
    """Return the rows as a table, without the columns that have nothing in any row."""
    baseline = timed[0].runtime if timed else ""
    versus = f"vs {baseline}" if 0 < len(baseline) <= _LONGEST_NAME else "vs baseline"
    nothing = ("", NOTHING, "baseline")
    kept = [0, 1, *(at for at in range(2, len(_COLUMNS)) if any(row[at] not in nothing for row in rows))]
    columns = [
        _COLUMNS[at] if at not in _RATIOS else versus if at - 1 in kept else f"{_COLUMNS[at]} {versus}" for at in kept
    ]
    if output_among(runtimes) != "logits":  # an encoder has no prefill
        columns = [column.replace("prefill", "pass") for column in columns]
    return Table("", columns, [[row[at] for at in kept] for row in rows], _notes(rows, columns, runtimes))


def _notes(rows: Sequence[Sequence[str]], columns: Sequence[str], runtimes: Sequence[RuntimeResult]) -> str:
    """Explain the columns and the words of the table."""
    notes = []
    if "error" in columns:
        word = output_word(output_among(runtimes))
        notes.append(f"error: largest {word} error in units of float32 rounding.")
    if any("±" in cell for row in rows for cell in row):
        notes.append("Intervals: 95 %.")
    if any(NOT_MEASURABLE in row for row in rows):
        notes.append(
            f"{NOT_MEASURABLE}: an interval wider than a factor of two, or fewer than {FEWEST_ROUNDS} undisturbed "
            "rounds."
        )
    if any(cell.endswith((" round", " rounds")) for row in rows for cell in row):
        notes.append("x, rounds: too slow for the rounds of the others, so timed in only as many.")
    verdicts = [r.verdict for r in runtimes if r.verdict and r.verdict.kind == "reduced precision"]
    own, inferred = ({v.precision: None for v in verdicts if v.own is by and v.precision} for by in (True, False))
    if own:
        notes.append(f"{', '.join(own)}: reduced precision; the error is in units of what that precision alone does.")
    notes += [f"{precision}: the model in reduced precision." for precision in inferred]
    hybrid = [runtime.name for runtime in runtimes if runtime.hybrid]
    if hybrid and any(column.endswith(" ms") for column in columns):
        notes += [f"{name} computes the attention alone and is not timed." for name in hybrid]
    return " ".join(notes)
