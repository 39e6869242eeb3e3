"""The ruler, which shows how well golden agrees with transformers."""

from compare.report.schema import Report
from compare.report.sections.section import Section


def sentences(report: Report) -> list[str]:
    """Say how well golden agrees with transformers, or that no model was named."""
    if report.ruler is None:
        return ["Without a model it is unknown what rounding does, so the two graphs are compared but not judged."]
    return [f"Golden agrees with transformers' eager attention in float64 to a relative {report.ruler.worst:.1g}."]


SECTION = Section("ruler", sentences=sentences)
