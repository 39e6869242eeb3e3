"""Reruns: how much each runtime's output changes when it runs the same input under other conditions."""

from compare.report.formatting import Table, number, verdict_word
from compare.report.schema import Report
from compare.report.sections.section import Section

_NOTES = "Each column changes one thing of the plain run; again: changes nothing."
_GOLDEN_NOTES = (
    " golden: the difference from the model in float64, with every inner tensor exposed. as timed: the verdict on the "
    "{word}s of the timed graph; rounding and identical are right, and ! marks any other."
)


def tables(report: Report) -> list[Table]:
    """Show a runtime's largest output differences from itself, the baseline and golden, and the verdict as timed."""
    changes = list(dict.fromkeys(change for row in report.self_gaps for change in (*row.gaps, *row.missing)))
    if not changes:
        return []
    golden = {runtime.name: runtime.output_gap for runtime in report.runtimes} if report.model else {}
    rows = [
        [row.runtime, *(number(row.gaps.get(change)) for change in changes)]
        + ([number(golden.get(row.runtime)), verdict_word(row.verdict)] if golden else [])
        for row in report.self_gaps
    ]
    baseline = report.latency[0].runtime
    columns = ["runtime", *(f"to {change}" if change == baseline else change for change in changes)]
    columns += ["golden", "as timed"] if golden else []
    word = report.output_word
    title = f"Each runtime against itself: largest {word} difference when it runs again"
    return [Table(title, columns, rows, _NOTES + (_GOLDEN_NOTES.format(word=word) if golden else ""))]


def sentences(report: Report) -> list[str]:
    """Say which variants could not be run, and why."""
    return [
        f"{row.runtime} was not run with {change}: {why}."
        for row in report.self_gaps
        for change, why in row.missing.items()
    ]


SECTION = Section("rerun", tables, sentences)
