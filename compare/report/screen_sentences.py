"""The sentences of the screen. They shorten the answer (`compare.report.advice`) and choose nothing themselves."""

from collections.abc import Collection, Iterator, Mapping

from compare.report.advice import advice as full_advice
from compare.report.advice import caution, decode_advice
from compare.report.captions import on_gpu, pinned, threads_words
from compare.report.formatting import plus_minus
from compare.report.measurability import control_ratio, others, why_not_measurable
from compare.report.recommendation import EQUAL_MEMORY, Recommendation, for_generation, for_passes
from compare.report.schema import Report
from compare.report.sections import embeddings
from compare.results.latency import DecodeRow
from compare.results.verdicts import reaches

#: What the name of an untrained model says on the screen. A note with these words repeats the header.
RANDOM_WEIGHTS = "RANDOM WEIGHTS"


def header(report: Report) -> list[str]:
    """Name the model or the two files, then the input and the threads."""
    subject = report.subject
    if report.model is not None and not report.model.trained:
        subject = subject.removeprefix("seeded: ").replace("random weights", RANDOM_WEIGHTS)
    padding = f" ({report.input.padding} of them padding)" if report.input.padding else ""
    return [
        subject,
        f"{report.input.sequence} {report.token_word}{padding}, batch {report.input.batch}, "
        f"{threads_words(report)}{pinned(report)}{on_gpu(report)}"
        f"{', quick' if report.quick else ''}",
    ]


def warnings(report: Report) -> list[str]:
    """Return the report's notes, without the one that says no more than the header."""
    return [note for note in report.notes if RANDOM_WEIGHTS not in note]


def verdict(report: Report) -> list[str]:
    """Say how many runtimes compute the same model, what is wrong with each of the others, and which failed."""
    faults = dict(_faults(report))
    measured = {runtime.name for runtime in report.runtimes if runtime.gaps}
    traced = {runtime.name for runtime in report.runtimes}
    measured |= {row.runtime for row in report.decoding if row.verdict is not None and row.runtime not in traced}
    if report.model is None:
        said = [f"{r.name} is {r.verdict.sentence}." for r in report.runtimes if r.verdict and r.name not in faults]
    else:
        said = [f"Same model: {len(measured - faults.keys())} of {len(measured)} runtimes."] if measured else []
    strict = [name for name in report.untrusted if name not in faults]
    said += [
        *faults.values(),
        *([f"Not trusted with --fail-on {report.fail_on}: {', '.join(strict)}."] if strict else []),
        *embeddings.answer(report),
    ]
    return said + _failures(report)


def _faults(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the name of each runtime that is different, broken or unsteady in what was judged, and say where."""
    for row in report.decoding:
        if row.verdict is not None and decodes_wrongly(row):
            yield row.runtime, f"{row.runtime} decodes wrongly: it is {row.verdict.sentence}."
    for timed in report.self_gaps:
        if timed.verdict is not None and reaches(timed.verdict.kind, "different"):
            yield timed.runtime, f"As it is timed, {timed.runtime} is {timed.verdict.sentence}."
    for runtime in report.runtimes:
        found = runtime.verdict
        if found is None or not reaches(found.kind, "unsteady"):
            continue
        if found.kind != "different":
            yield runtime.name, f"{runtime.name} is {found.sentence}."
        else:
            where = f" {found.padded}" if found.padded else ""
            why = f": it {found.cause}" if found.cause else f" from {found.place} on"
            yield runtime.name, f"{runtime.name} differs{where}{why}."


def _failures(report: Report) -> list[str]:
    """Say which runtimes did not run, or could not be timed, and why."""
    failed = {runtime.name: runtime.error for runtime in report.runtimes if runtime.error}
    said = [f"{name} did not run: {error}." for name, error in failed.items()]
    for rows, verb in ((report.latency, "be timed"), (report.decoding, "decode")):
        said += [
            f"{row.runtime} could not {verb}: {row.error}." for row in rows if row.error and row.runtime not in failed
        ]
    return list(dict.fromkeys(said))


def decodes_wrongly(row: DecodeRow) -> bool:
    """Whether the logits that a runtime computes with its cache are different or broken."""
    return row.verdict is not None and reaches(row.verdict.kind, "different")


def advice(report: Report) -> list[str]:
    """Say which runtime to use for prefill and which to generate, or why none is advised."""
    if not report.latency:
        return ["Nothing was timed, so no runtime is advised."]
    passes, steps = for_passes(report), for_generation(report)
    if passes is None and steps is None:
        return ["No other runtime that can be trusted was timed, so none is advised."]
    said = _choice(report, passes, steps)
    for recommended, full in ((passes, full_advice), (steps, decode_advice)):
        if recommended is not None and recommended.best is None:
            said += full(report)
        elif recommended is not None and recommended.deployed is not None:
            said += caution(report, recommended.deployed.runtime, *recommended.rivals)
    return list(dict.fromkeys(said))


def _choice(report: Report, passes: Recommendation | None, steps: Recommendation | None) -> list[str]:
    """Put two recommendations into as few sentences as they take; those without a measurable time are left out."""
    baseline = report.latency[0].runtime
    known = {word: part for word, part in (("for prefill", passes), ("to generate", steps)) if part and part.best}
    used = {word: part.deployed.runtime for word, part in known.items() if part.deployed}
    if len(used) == 2 and len(set(used.values())) == 1:
        name = used["for prefill"]
        times = f"{_share(known['for prefill'])} of {baseline}'s time for prefill"
        times += f", {_share(known['to generate'])} for each token to generate"
        return [f"Use {name}: {times}{_extras(report, name)}.", *_rivals(used, known)]
    said = []
    for word, name in used.items():
        what = f" {word}" if report.decoding else ""
        unit = " a token" if word == "to generate" else ""
        time = _share(known[word], f" of {baseline}'s time{unit}")
        said.append(f"Use {name}{what}: {time}{_extras(report, name)}.")
    unused = [word for word in known if word not in used]
    if unused and used:
        said.append(f"{unused[0].capitalize()}, no runtime is measurably faster.")
    elif unused:
        what = f", {' or '.join(unused)}" if report.decoding else ""
        said.append(f"No runtime is measurably faster than {baseline}{what}.")
    return said + _rivals(used, known)


def _share(part: Recommendation, of: str = "") -> str:
    """Write a time as a share of the baseline's, with its interval."""
    assert part.time is not None
    return f"{part.time.estimate:.2f}{of} [{part.time.low:.2f}, {part.time.high:.2f}]"


def _rivals(used: Collection[str], known: Mapping[str, Recommendation]) -> list[str]:
    """Name the runtimes that are not measurably slower than the advised ones."""
    rivals = {word: ", ".join(known[word].rivals) for word in used}
    if len(rivals) == 2 and len(set(rivals.values())) == 1:
        named = list(filter(None, set(rivals.values())))
    else:
        named = [f"{names} ({word})" for word, names in rivals.items() if names]
    return [f"Not measurably slower: {', '.join(named)}."] if named else []


def _extras(report: Report, name: str) -> str:
    """Return what else is better or worse with a runtime than with the baseline: its memory and its precision."""
    peaks = {row.runtime: row.peak_bytes for row in report.latency if not row.again}
    own, baseline = peaks.get(name), peaks.get(report.latency[0].runtime)
    words = ""
    if own and baseline and abs(own / baseline - 1) > EQUAL_MEMORY:
        words += f", {own / baseline:.2f} of the memory"
    verdicts = (runtime.verdict for runtime in report.runtimes if runtime.name == name)
    precisions = [v.precision for v in verdicts if v and v.kind == "reduced precision"]
    return words + (f", in reduced precision ({precisions[0]})" if precisions else "")


def quality(report: Report) -> list[str]:
    """Say how quiet the machine was; nothing if nothing was timed, or if the advice says why nothing is measurable."""
    part, rows = report.disturbance, report.latency
    if part is None or not rows or why_not_measurable(rows, part, report.time_s):
        return []
    if part.max_load >= 1:
        said = f"Every turn counts (--max-load 100): {others(part)}"
    else:
        word = "quiet" if part.others + part.stolen <= part.max_load else "busy"
        said = f"Measured on a {word} machine: {100 * part.disturbed / part.attempts:.0f} % of turns were disturbed"
    control = control_ratio(rows)
    return [said + (f"; {rows[0].runtime} against itself: {plus_minus(control)}." if control else ".")]


def more(report: Report) -> list[str]:
    """Name what was measured in addition, which only the full report shows."""
    said = []
    if report.interference:
        said.append("Times while the other runtimes are awake (--interference) are among the full tables: --full.")
    if report.grid:
        shapes = f"{len(report.grid)} other input shape{'s' if len(report.grid) > 1 else ''}"
        said.append(f"Times of {shapes} (--grid) are among the full tables: --full.")
    return said
