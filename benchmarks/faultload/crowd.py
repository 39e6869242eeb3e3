"""Many processes at once: exporters of one model and of two, comparisons in one folder, and locks whose owner died."""

import os
import signal
from collections import Counter
from pathlib import Path

from benchmarks.faultload.cases import Case
from benchmarks.faultload.commands import Running, compare, export, run, tiny_folder, waits_for, workspace
from export.cache import entries, verify

#: What a process says on stderr when it exports, and while another one does.
EXPORTING, WAITING = "exporting tiny with dynamo", "waiting for another process that exports tiny"


def load(*, quick: bool) -> list[Case]:
    """Run everything once, and the exporters of one model thrice. quick: those only once."""
    with workspace() as folder:
        model = tiny_folder(folder / "tiny")
        other = tiny_folder(folder / "other")
        return [
            at_once(folder, model, times=1 if quick else 3),
            two_models(folder, model, other),
            suspended_owner(folder, model),
            dead_owner(folder, model),
            one_folder(folder, model),
        ]


def at_once(folder: Path, model: Path, *, times: int) -> Case:
    """Start eight exporters of one model."""
    case = Case(
        "crowd", "eight exporters of one model at once", "one exports, the others say that they wait; one entry"
    )
    for number in range(times):
        cache = folder / f"cache-{number}"
        ended = [each.ended() for each in [Running(export(model), cache) for _ in range(8)]]
        problems = [problem for each in ended for problem in each.problems([0])]
        counts = Counter(
            ("exports" if f"\n{EXPORTING}" in f"\n{each.stderr}" else "")
            + ("waits" if f"\n{WAITING}" in f"\n{each.stderr}" else "")
            for each in ended
        )
        if counts["exports"] != 1 or counts["exportswaits"]:
            problems.append(f"what they said: {dict(counts)}")
        if len({each.stdout for each in ended}) != 1:
            problems.append("they printed different folders")
        case.count(problems + one_whole_entry(cache))
    return case


def two_models(folder: Path, model: Path, other: Path) -> Case:
    """Export two models at once into one cache, four exporters each."""
    case = Case("crowd", "four exporters of each of two models at once", "two entries")
    cache = folder / "cache-two"
    running = [Running(export(each), cache) for each in (model, other) for _ in range(4)]
    problems = [problem for each in running for problem in each.ended().problems([0])]
    if len(entries(cache)) != 2:
        problems.append(f"{len(entries(cache))} entries")
    case.count(problems + [line for entry in entries(cache) for line in _damage(entry)])
    return case


def suspended_owner(folder: Path, model: Path) -> Case:
    """Suspend an exporter that holds the lock. Another one waits, says so, and takes the entry when there is one."""
    case = Case("crowd", "the owner of a lock is suspended", "another exporter waits, says so, and takes its entry")
    cache = folder / "cache-suspended"
    owner = Running(export(model), cache, moment=f"{signal.SIGSTOP.name}|open|inspect.onnx|0")
    problems = [] if waits_for(lambda: _stopped(owner), 60) else ["it was not suspended"]
    waiting = Running(export(model), cache)
    if not waiting.says(WAITING):
        problems.append(f"it did not say that it waits: {waiting.stderr()!r}")
    os.kill(owner.process.pid, signal.SIGCONT)
    problems += [*owner.ended().problems([0]), *waiting.ended().problems([0], said="the other process exported it")]
    case.count(problems + one_whole_entry(cache))
    return case


def dead_owner(folder: Path, model: Path) -> Case:
    """Kill an exporter that holds the lock while another one waits for it."""
    case = Case("crowd", "the owner of a lock dies", "the one that waits exports")
    cache = folder / "cache-dead"
    owner = Running(export(model), cache, moment=f"{signal.SIGSTOP.name}|open|inspect.onnx|0")
    problems = [] if waits_for(lambda: _stopped(owner), 60) else ["it was not suspended"]
    waiting = Running(export(model), cache)
    if not waiting.says(WAITING):
        problems.append("it did not wait")
    owner.send(signal.SIGKILL)
    problems += [*owner.ended().left(), *waiting.ended().problems([0], said=EXPORTING)]
    problems += [f"left {path.name}" for path in (cache / "models").glob(".*building-*")]
    case.count(problems + one_whole_entry(cache))
    return case


def one_folder(folder: Path, model: Path) -> Case:
    """Start two comparisons that write to one folder. The second one is refused, and the first one goes on."""
    case = Case("crowd", "two comparisons in one folder", "the second is refused with exit 2, the first goes on")
    cache, out = folder / "cache-0", folder / "report"
    arguments = compare("--model", model, "--quick", "--threads", "1", "--no-latency", "--out", out)
    first = Running(arguments, cache)
    problems = [] if first.says("golden: ") else ["the first one did not start"]
    second = run(arguments, cache)
    problems += second.problems([2], said="another comparison is writing to")
    problems += first.ended().problems([0])
    case.count(problems + ([] if (out / "report.json").is_file() else ["no report"]))
    return case


def one_whole_entry(cache: Path) -> list[str]:
    """Return what is wrong unless a cache has one entry, and that is whole."""
    found = entries(cache)
    return [f"{len(found)} entries"] if len(found) != 1 else _damage(found[0])


def _damage(entry: object) -> list[str]:
    from export.cache import Entry

    assert isinstance(entry, Entry)
    try:
        verify(entry)
    except Exception as error:
        return [str(error)]
    return []


def _stopped(running: Running) -> bool:
    import psutil

    return psutil.Process(running.process.pid).status() == psutil.STATUS_STOPPED
