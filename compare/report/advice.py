"""Answer the questions: is it still the same model, and which runtime should be deployed?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compare.report.formatting import interval, megabytes, number
from compare.report.measurability import control_bound, faster, measurable, why_not_measurable
from compare.report.schema import Report
from compare.report.sections.gaps import in_rounding
from compare.results.latency import LatencyRow, Ratio
from compare.results.runtimes import RuntimeResult


def answer(report: Report) -> list[str]:
    """Return sentences that say which runtimes compute the same model, which failed, and which to deploy."""
    measured = [runtime for runtime in report.runtimes if runtime.gaps]
    beyond = {runtime.name: report.untrusted[runtime.name] for runtime in measured if runtime.name in report.untrusted}
    sentences = [f"{name} is NOT to be trusted: {why}." for name, why in beyond.items()]
    wavering = unsteady(report)
    sentences += [f"{name} is {said}." for name, said in wavering.items() if name not in beyond]
    within = [runtime for runtime in measured if runtime.name not in beyond | wavering]
    if within and report.model is None:
        sentences += [f"{runtime.name} is {runtime.verdict.sentence}." for runtime in within if runtime.verdict]
    elif within:
        worst = max(within, key=lambda runtime: runtime.largest("logits") or 0.0)
        multiple = in_rounding(worst)
        shown = sum(runtime.above_diagonal() is not None for runtime in within)
        diagonal = f"; the {shown} that expose probabilities have none above the causal diagonal" if shown else ""
        sentences.append(
            f"{len(within)} of {len(measured)} runtimes compute the same model: the largest logit gap is "
            f"{number(worst.largest('logits'))} = {number(multiple)} x rounding ({worst.name}){diagonal}."
        )
    sentences += [f"{runtime.name} did not run: {runtime.error}." for runtime in report.runtimes if runtime.error]
    sentences += [*untimed(report), *advice(report), *decode_advice(report)]
    return list(dict.fromkeys(sentences))  # advice on passes and on generation may repeat a warning


def unsteady(report: Report) -> dict[str, str]:
    """Return runtime -> its verdict in words, for each runtime that is unsteady."""
    return {r.name: r.verdict.sentence for r in report.runtimes if r.verdict and r.verdict.kind == "unsteady"}


def untimed(report: Report) -> list[str]:
    """Say that nothing is recommended if nothing was timed."""
    if report.latency:
        return []
    return ["Nothing was timed, so no runtime is recommended, and only the graphs that expose taps were judged."]


@dataclass(frozen=True)
class Choice:
    """A runtime that was timed."""

    #: Its latency.
    row: LatencyRow
    #: Its gaps and verdict.
    runtime: RuntimeResult
    #: Its time over the baseline's; exactly 1 for the baseline itself.
    time: Ratio
    #: Whether its verdict is better than `--fail-on`.
    trusted: bool
    #: Its largest logit gap to golden; None if it has none.
    gap: float | None

    @property
    def name(self) -> str:
        return self.row.runtime


def choices(report: Report) -> list[Choice]:
    """Return the runtimes that were timed and have gaps, the baseline first."""
    parts = {runtime.name: runtime for runtime in report.runtimes if runtime.gaps or report.model is None}
    timed = [row for row in report.latency if row.runtime in parts and not row.again and row.median_ms is not None]
    baseline = Ratio(estimate=1.0, low=1.0, high=1.0)
    found = []
    for row in timed:
        runtime, time = parts[row.runtime], baseline if row is report.latency[0] else row.ratio
        if time is not None:
            trusted = not runtime.error and runtime.name not in report.untrusted
            found.append(Choice(row, runtime, time, trusted, runtime.largest("logits")))
    return found


def front(found: list[Choice]) -> list[Choice]:
    """Return the Pareto front of time and gap, the fastest first: no other runtime is better in both."""
    best: list[Choice] = []
    for choice in sorted((c for c in found if c.gap is not None), key=lambda c: (c.time.estimate, c.gap)):
        if not best or (choice.gap or 0.0) < (best[-1].gap or 0.0):
            best.append(choice)
    return best


def advice(report: Report) -> list[str]:
    """Recommend one runtime, then say which others may be as fast and what the recommended one costs."""
    trusted = [choice for choice in choices(report) if choice.trusted]
    others = [choice for choice in trusted if choice.row is not report.latency[0]]
    if not others:
        return []
    if why := why_not_measurable(report.latency, report.disturbance, report.time_s):
        return [why]
    others = [choice for choice in others if measurable(choice.row, report.latency[0])]
    if not others:
        return ["No runtime's time is known to within a factor of two; none is recommended."]
    best, baseline = min(others, key=lambda choice: choice.time.estimate), report.latency[0].runtime
    if not faster(best.row, report.latency):
        closest = f"the closest, {best.name}, has a time ratio of {interval(best.time)}{_control(report.latency)}"
        return [f"No runtime is measurably faster than {baseline}; {closest}."]
    rivals = [choice for choice in others if choice is not best and choice.time.low <= best.time.high]
    sentences = [
        f"Deploy {best.name}: {1 / best.time.estimate:.3g} times as fast as {baseline} "
        f"(time ratio {interval(best.time)}, 95 % interval), {number(best.row.median_ms)} ms for this input here."
    ]
    sentences += caution(report, best.name)
    if rivals:
        shown = ", ".join(f"{rival.name} ({interval(rival.time)})" for rival in rivals)
        sentences.append(f"Not measurably slower than it: {shown}.")
        sentences += caution(report, *(rival.name for rival in rivals))
    reference = next((choice for choice in trusted if choice.name == baseline), None)
    if reference is not None and (costs := list(costs_of(best, reference))):
        sentences.append(f"What that costs compared with {baseline}: {'; '.join(costs)}.")
    return sentences


def _control(rows: Sequence[LatencyRow]) -> str:
    """Return the A/A control's ratio in parentheses, to follow another ratio; empty unless its interval excludes 1."""
    ratio = rows[1].ratio if len(rows) > 1 and rows[1].again else None
    return f" (A/A control: {interval(ratio)})" if ratio and control_bound(rows) < 1 else ""


def caution(report: Report, *names: str) -> list[str]:
    """Return a warning for each of these runtimes that is unsteady."""
    return [
        f"Before you deploy {name}, find out why it is {said}."
        for name, said in unsteady(report).items()
        if name in names
    ]


def costs_of(best: Choice, baseline: Choice) -> Iterator[str]:
    """Yield what is worse than with the baseline: precision, memory, the time until the first answer."""
    multiples = in_rounding(best.runtime), in_rounding(baseline.runtime)
    if multiples[0] is not None and multiples[1] is not None and multiples[0] > multiples[1]:
        yield f"logits within {number(multiples[0])} x rounding instead of {number(multiples[1])} x"
    if best.runtime.verdict is not None and best.runtime.verdict.kind == "reduced precision":
        yield f"precision ({best.runtime.verdict.precision})"
    memory = best.row.peak_bytes, baseline.row.peak_bytes
    if memory[0] and memory[1] and memory[0] > 1.05 * memory[1]:
        yield f"{megabytes(memory[0])} MB of peak memory instead of {megabytes(memory[1])}"
    ready = [(row.load_s or 0.0) + (row.first_call_s or 0.0) for row in (best.row, baseline.row)]
    if ready[0] > 1.5 * ready[1] > 0:
        yield f"{number(ready[0])} s until the first answer instead of {number(ready[1])} (one sample each)"


def decode_advice(report: Report) -> list[str]:
    """For generation, recommend the fastest runtime with a correct cache, then say which others may be as fast."""
    trusted = [
        (row, row.ratio)
        for row in report.decoding
        if row.ratio is not None
        and not row.again
        and row.verdict is not None
        and report.beyond(row) is None
        and row.runtime not in report.untrusted
    ]
    if not trusted:
        return []
    if why := why_not_measurable(report.decoding, report.disturbance, report.time_s):
        if why_not_measurable(report.latency, report.disturbance, report.time_s):
            return ["Generation is not measurable here either."]
        return [f"To generate: {why[0].lower()}{why[1:]}"]
    trusted = [(row, ratio) for row, ratio in trusted if measurable(row, report.decoding[0])]
    if not trusted:
        return ["To generate: no runtime's time of a step is known to within a factor of two; none is recommended."]
    (best, time), baseline = min(trusted, key=lambda choice: choice[1].estimate), report.decoding[0]
    if not faster(best, report.decoding):
        control = _control(report.decoding)
        closest = f"the closest, {best.runtime}, has a time ratio of {interval(time)} per step{control}"
        return [f"To generate, no runtime is measurably faster than {baseline.runtime}; {closest}."]
    times = f"{1 / time.estimate:.3g} times as fast as {baseline.runtime}'s (time ratio {interval(time)})"
    rate = f"{number(best.tokens_per_s)} tokens/s, prefill included"
    sentences = [f"To generate, deploy {best.runtime}: a step is {times}, {rate}."]
    rivals = {row.runtime: interval(ratio) for row, ratio in trusted if row is not best and ratio.low <= time.high}
    if rivals:
        shown = ", ".join(f"{name} ({ratio})" for name, ratio in rivals.items())
        sentences.append(f"Not measurably slower than it per step: {shown}.")
    return sentences + caution(report, best.runtime, *rivals)
