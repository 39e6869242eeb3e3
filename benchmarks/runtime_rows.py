"""The table of the benchmark of runtimes: a row for each runtime of the registry, from a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compare.report.formatting import NOTHING, Table, megabytes, number, times
from compare.report.measurability import measurable
from compare.report.schema import Report
from compare.results.latency import LatencyRow, Ratio
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import reaches
from compare.runtimes.registry import listing
from compare.runtimes.spec import Spec

_NOTES = (
    "error: the largest logit error, in units of what the runtime's precision alone does, and of what float32 does. "
    "ms: a forward pass, and a token decoded with the cache; x: over torch-eager's, ~ from the few rounds of a runtime "
    "that is too slow for more. load s: one sample. made s: "
    "conversion of its files, and what its first call takes longer than others, such as compilation. MB: its peak. "
    "% limit: its share of the machine's speed of a matrix product in a pass, and of memory bandwidth for a token, if "
    "it computes in float32."
)


@dataclass(frozen=True)
class Row:
    """What was found about one runtime. A number is None if it was not measured."""

    name: str
    engine: str
    #: The precision that it computes in: the one that its verdict names, or the one that it declares.
    type: str
    baseline: bool
    hybrid: bool
    decodes: bool
    #: Why it did not run; empty if it did.
    missing: str
    verdict: str = ""
    sentence: str = ""
    #: The largest logit error, in floors of its own precision and of float32.
    own: float | None = None
    rounding: float | None = None
    prefill_ms: float | None = None
    #: The time of a pass over the baseline's, if it is measurable or comes from the few rounds of a slow runtime.
    ratio: float | None = None
    token_ms: float | None = None
    token_ratio: float | None = None
    #: The number of rounds of a runtime that was too slow for the rounds of the others.
    few_rounds: int | None = None
    load_s: float | None = None
    #: Seconds of conversion, and of the first call beyond a typical one.
    made_s: float | None = None
    peak_bytes: int | None = None
    of_compute: float | None = None
    of_bandwidth: float | None = None


def rows_of(report: Report) -> list[Row]:
    """Return a row for each runtime of the registry that the report has, in the order of the registry."""
    specs = listing().specs
    found = {runtime.name for runtime in report.runtimes} | {row.runtime for row in report.decoding}
    return [row_of(specs[name], report) for name in specs if name in found]


def row_of(spec: Spec, report: Report) -> Row:
    runtime = next((each for each in report.runtimes if each.name == spec.name), None)
    timed = _row(spec.name, report.latency)
    decoded = next((row for row in report.decoding if row.runtime == spec.name and not row.again), None)
    verdict = (runtime and runtime.verdict) or (decoded and decoded.verdict) or None
    error = runtime.error if runtime is not None else decoded.error if decoded is not None else None
    lower = verdict.precision if verdict is not None and verdict.kind == "reduced precision" else None
    general: dict[str, Any] = {
        "name": spec.name,
        "engine": spec.engine,
        "type": lower or spec.precision,
        "baseline": timed is report.latency[0],
        "hybrid": spec.hybrid,
        "decodes": "decode" in spec.graphs,
        "missing": error or "",
    }
    if error or verdict is None:
        return Row(**general)
    main = timed or decoded
    return Row(
        **general,
        verdict=verdict.kind,
        sentence=verdict.sentence,
        own=runtime.in_own_units if runtime else None,
        rounding=runtime.in_rounding if runtime else None,
        prefill_ms=timed.median_ms if timed else decoded.first_token_ms if decoded else None,
        ratio=_known(timed, timed.ratio, report.latency) if timed else None,
        token_ms=decoded.median_ms if decoded else None,
        token_ratio=_known(decoded, decoded.ratio, report.decoding) if decoded else None,
        few_rounds=len(timed.turns) if timed and timed.too_slow else None,
        load_s=main.load_s if main else None,
        made_s=made(runtime, timed),
        peak_bytes=main.peak_bytes if main else None,
        of_compute=timed.of_peak.estimate if timed and timed.of_peak else None,
        of_bandwidth=decoded.of_peak.estimate if decoded and decoded.of_peak else None,
    )


def made(runtime: RuntimeResult | None, row: LatencyRow | None) -> float | None:
    """Return the seconds of a runtime's conversion, and of its first call beyond a typical one."""
    facts = runtime.facts if runtime is not None else {}
    if row is None or row.first_call_s is None or row.median_ms is None:
        return None
    first = _seconds(facts.get("compilation and first call")) or row.first_call_s
    return _seconds(facts.get("conversion")) + max(0.0, first - row.median_ms / 1e3)


def table(rows: Sequence[Row], report: Report) -> Table:
    """Return the rows as a table."""
    cells = []
    for row in rows:
        if row.missing:
            cells.append([row.name, row.engine, "did not run", *[NOTHING] * 11])
            continue
        cells.append(
            [
                row.name,
                row.engine,
                row.type if row.verdict == "reduced precision" else row.verdict,
                times(row.own),
                times(row.rounding),
                number(row.prefill_ms),
                _ratio(row, row.ratio),
                number(row.token_ms),
                _ratio(row, row.token_ratio),
                _tenths(row.load_s),
                _tenths(row.made_s),
                megabytes(row.peak_bytes),
                _percent(row.of_compute),
                _percent(row.of_bandwidth),
            ]
        )
    columns = ["runtime", "engine", "verdict", "own error", "float32 error", "pass ms", "pass x", "token ms", "token x"]
    columns += ["load s", "made s", "MB", "pass % limit", "token % limit"]
    title = f"{report.subject}: {report.input.sequence} {report.token_word}, {report.environment.threads} threads"
    return Table(title, columns, cells, _NOTES)


def faults(rows: Sequence[Row]) -> list[str]:
    """Return a sentence for each runtime that did not run, and for each that does not compute the same model."""
    said = [f"{row.name} did not run: {row.missing}." for row in rows if row.missing]
    wrong = [row for row in rows if row.verdict and reaches(row.verdict, "unsteady")]
    return said + [f"{row.name} is {row.sentence}." for row in wrong]


def _row(name: str, rows: Sequence[LatencyRow]) -> LatencyRow | None:
    return next((row for row in rows if row.runtime == name and not row.again), None)


def _known(row: LatencyRow, ratio: Ratio | None, rows: Sequence[LatencyRow]) -> float | None:
    """Return a ratio if it is measurable, or if the row was too slow for more rounds; 1 for the baseline."""
    if row is rows[0]:
        return 1.0
    known = ratio is not None and (row.too_slow or measurable(row, rows[0]))
    return ratio.estimate if ratio is not None and known else None


def _ratio(row: Row, ratio: float | None) -> str:
    if ratio is None or row.few_rounds is None:
        return NOTHING if ratio is None else f"{ratio:.2f}"
    return f"~{ratio:.2g}"


def _tenths(seconds: float | None) -> str:
    return NOTHING if seconds is None else f"{seconds:.1f}"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.0f}"


def _seconds(text: str | None) -> float:
    """Return the number in a fact such as "9.9 s"; 0 if there is none."""
    return float(text.removesuffix(" s")) if text else 0.0
