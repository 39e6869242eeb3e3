"""How it is said what runtimes do where sequences are padded."""

from compare.report.schema import Report


def padded_input(report: Report) -> list[str]:
    """What verdicts rest on beside the text, in a sentence; nothing where that is all."""
    part = report.input.padded
    if part is None:
        return []
    word = report.token_word
    return [
        f"each verdict is the worse of two: on the text, and on {part.longest} and {part.shortest} {word} of it, "
        f"padded to {part.longest} on the left and on the right"
    ]


def padding_lines(report: Report) -> list[str]:
    """What of padding the verdicts do not say, a sentence each."""
    lines = []
    for runtime in report.runtimes:
        padding = runtime.padding
        if padding is None:
            continue
        if padding.skipped:
            lines.append(f"{runtime.name} {padding.skipped}: judged on the text alone.")
        if padding.verdict is None:
            continue
        if padding.verdict.kind not in ("different", "broken"):
            if padding.cause:
                lines.append(
                    f"{runtime.name} {padding.cause}, which turns queries and keys alike: nothing after them changes."
                )
        elif padding.verdict != runtime.verdict:
            lines.append(f"{runtime.name} is {padding.verdict.sentence}.")
    return lines
