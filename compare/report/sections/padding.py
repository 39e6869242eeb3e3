"""The verdicts on padded sequences."""

from compare.report.schema import Report
from compare.report.sections.section import Section
from compare.results.runtimes import RuntimeResult


def sentences(report: Report) -> list[str]:
    """Describe the padded input, then add what each runtime's verdict does not say about padding."""
    return [*_padded_input(report), *(line for runtime in report.runtimes for line in _lines(runtime))]


def _padded_input(report: Report) -> list[str]:
    part = report.input.padded
    if part is None:
        return []
    word = report.token_word
    return [
        f"Each verdict is the worse of two: on the text, and on {part.longest} and {part.shortest} {word} of it, "
        f"padded to {part.longest} on the left and on the right."
    ]


def _lines(runtime: RuntimeResult) -> list[str]:
    padding = runtime.padding
    if padding is None:
        return []
    if padding.skipped:
        return [f"{runtime.name} {padding.skipped}, so it is judged on the text alone."]
    if padding.verdict is None:
        return []
    if padding.verdict.kind not in ("different", "broken"):
        if not padding.cause:
            return []
        return [
            f"{runtime.name} {padding.cause}, which rotates queries and keys by the same angle, so no other "
            f"tensor changes."
        ]
    return [f"{runtime.name} is {padding.verdict.sentence}."] if padding.verdict != runtime.verdict else []


SECTION = Section("padding", sentences=sentences)
