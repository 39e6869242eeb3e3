"""Answer the questions: is it still the same model, and which runtime should be deployed?"""

from collections.abc import Iterator, Sequence

from compare.report.formatting import interval, megabytes, number
from compare.report.measurability import control_bound, control_ratio, why_not_measurable
from compare.report.recommendation import EQUAL_MEMORY, Choice, choices, for_generation, for_passes
from compare.report.schema import Report
from compare.report.sections import embeddings
from compare.results.latency import LatencyRow
from compare.results.verdicts import reaches


def answer(report: Report) -> list[str]:
    """Return sentences that say which runtimes compute the same model, which failed, and which to deploy."""
    measured = [runtime for runtime in report.runtimes if runtime.gaps]
    beyond = {runtime.name: report.untrusted[runtime.name] for runtime in measured if runtime.name in report.untrusted}
    sentences = [f"{name} is NOT to be trusted: {why}." for name, why in beyond.items()]
    wavering = unsteady(report)
    sentences += [f"{name} is {said}." for name, said in wavering.items() if name not in beyond]
    wrong = different(report)
    sentences += [f"{name} is {said}." for name, said in wrong.items() if name not in beyond]
    within = [runtime for runtime in measured if runtime.name not in beyond | wavering | wrong]
    if within and report.model is None:
        sentences += [f"{runtime.name} is {runtime.verdict.sentence}." for runtime in within if runtime.verdict]
    elif within:
        worst = max(within, key=lambda runtime: runtime.output_gap or 0.0)
        multiple = worst.in_rounding
        shown = sum(runtime.above_diagonal() is not None for runtime in within)
        diagonal = f"; the {shown} that expose probabilities have none above the causal diagonal" if shown else ""
        sentences.append(
            f"{len(within)} of {len(measured)} runtimes compute the same model: "
            f"the largest {report.output_word} gap is {number(worst.output_gap)} = "
            f"{number(multiple)} x rounding ({worst.name}){diagonal}."
        )
    sentences += embeddings.answer(report)
    sentences += [f"{runtime.name} did not run: {runtime.error}." for runtime in report.runtimes if runtime.error]
    sentences += [*untimed(report), *advice(report), *decode_advice(report)]
    return list(dict.fromkeys(sentences))  # advice on passes and on generation may repeat a warning


def unsteady(report: Report) -> dict[str, str]:
    """Return runtime -> its verdict in words, for each runtime that is unsteady."""
    return {r.name: r.verdict.sentence for r in report.runtimes if r.verdict and r.verdict.kind == "unsteady"}


def different(report: Report) -> dict[str, str]:
    """Return runtime -> its verdict in words, for each runtime that does not compute the same model.

    With `--fail-on broken`, one that is different may still be trusted.
    """
    verdicts = {r.name: r.verdict for r in report.runtimes if r.verdict and report.model is not None}
    return {name: verdict.sentence for name, verdict in verdicts.items() if reaches(verdict.kind, "different")}


def untimed(report: Report) -> list[str]:
    """Say that nothing is recommended if nothing was timed."""
    if report.latency:
        return []
    return [
        "Nothing was timed, so no runtime is recommended, and only the graphs that expose inner tensors were judged."
    ]


def advice(report: Report) -> list[str]:
    """Recommend one runtime, then say which others may be as fast and what the recommended one costs."""
    recommended = for_passes(report)
    if recommended is None:
        return []
    if recommended.why_not:
        return [recommended.why_not]
    best, time, baseline = recommended.best, recommended.time, recommended.baseline.runtime
    if best is None or time is None:
        return ["No runtime's time is known to within a factor of two; none is recommended."]
    if recommended.deployed is None:
        closest = f"the closest, {best.runtime}, has a time ratio of {interval(time)}{_control(report.latency)}"
        return [f"No runtime is measurably faster than {baseline}; {closest}."]
    sentences = [
        f"Deploy {best.runtime}: {1 / time.estimate:.3g} times as fast as {baseline} "
        f"(time ratio {interval(time)}, 95 % interval), {number(best.median_ms)} ms for this input here."
    ]
    sentences += caution(report, best.runtime)
    if recommended.rivals:
        shown = ", ".join(f"{name} ({interval(ratio)})" for name, ratio in recommended.rivals.items())
        sentences.append(f"Not measurably slower than it: {shown}.")
        sentences += caution(report, *recommended.rivals)
    trusted = {choice.name: choice for choice in choices(report) if choice.trusted}
    if baseline in trusted and (costs := list(costs_of(trusted[best.runtime], trusted[baseline], report.output_word))):
        sentences.append(f"What that costs compared with {baseline}: {'; '.join(costs)}.")
    return sentences


def _control(rows: Sequence[LatencyRow]) -> str:
    """Return the A/A control's ratio in parentheses, to follow another ratio; empty unless its interval excludes 1."""
    ratio = control_ratio(rows)
    return f" (A/A control: {interval(ratio)})" if ratio and control_bound(rows) < 1 else ""


def caution(report: Report, *names: str) -> list[str]:
    """Return a warning for each of these runtimes that is unsteady."""
    return [
        f"Before you deploy {name}, find out why it is {said}."
        for name, said in unsteady(report).items()
        if name in names
    ]


def costs_of(best: Choice, baseline: Choice, output_word: str) -> Iterator[str]:
    """Yield what is worse than with the baseline: precision, memory, the time until the first answer.

    output_word: the word for an element of the model's output.
    """
    multiples = best.runtime.in_rounding, baseline.runtime.in_rounding
    if multiples[0] is not None and multiples[1] is not None and multiples[0] > multiples[1]:
        yield f"{output_word}s within {number(multiples[0])} x rounding instead of {number(multiples[1])} x"
    if best.runtime.verdict is not None and best.runtime.verdict.kind == "reduced precision":
        yield f"precision ({best.runtime.verdict.precision})"
    memory = best.row.peak_bytes, baseline.row.peak_bytes
    if memory[0] and memory[1] and memory[0] > (1 + EQUAL_MEMORY) * memory[1]:
        yield f"{megabytes(memory[0])} MB of peak memory instead of {megabytes(memory[1])}"
    ready = [(row.load_s or 0.0) + (row.first_call_s or 0.0) for row in (best.row, baseline.row)]
    if ready[0] > 1.5 * ready[1] > 0:
        yield f"{number(ready[0])} s until the first answer instead of {number(ready[1])} (one sample each)"


def decode_advice(report: Report) -> list[str]:
    """For generation, recommend a runtime with a correct cache, then say which others may be as fast."""
    recommended = for_generation(report)
    if recommended is None:
        return []
    if why := recommended.why_not:
        if why_not_measurable(report.latency, report.disturbance, report.time_s):
            return ["Generation is not measurable here either."]
        return [f"To generate: {why[0].lower()}{why[1:]}"]
    best, time, baseline = recommended.best, recommended.time, recommended.baseline.runtime
    if best is None or time is None:
        return ["To generate: no runtime's time of a step is known to within a factor of two; none is recommended."]
    if recommended.deployed is None:
        control = _control(report.decoding)
        closest = f"the closest, {best.runtime}, has a time ratio of {interval(time)} per step{control}"
        return [f"To generate, no runtime is measurably faster than {baseline}; {closest}."]
    times = f"{1 / time.estimate:.3g} times as fast as {baseline}'s (time ratio {interval(time)})"
    row = next(row for row in report.decoding if row is best)
    rate = f"{number(row.tokens_per_s)} tokens/s, prefill included"
    sentences = [f"To generate, deploy {best.runtime}: a step is {times}, {rate}."]
    if recommended.rivals:
        shown = ", ".join(f"{name} ({interval(ratio)})" for name, ratio in recommended.rivals.items())
        sentences.append(f"Not measurably slower than it per step: {shown}.")
    return sentences + caution(report, best.runtime, *recommended.rivals)
