"""Measure how often a run without a fault raises an alarm, with every runtime here that computes in float32.

The models and inputs are those on which faults are reported. Each runtime runs pairs of inputs in new processes while
two other processes keep the CPU busy. Runs in five orders of summation that no floor was made from are counted apart.
The torch model also runs in bf16 and fp16, to see that the size of the errors alone shows these precisions. With
`--only MODEL`, the figures of the other models stay as they are.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.clean_runs import CleanRun, clean_runs, precision_runs, unseen_runs, ways
from benchmarks.load import busy
from benchmarks.progress import PROGRESS, one_by_one
from benchmarks.proportions import upper_bound
from benchmarks.record import Aim, finish, parser, recorded
from benchmarks.setups import REPORTING, Setup, in_pairs, stands
from benchmarks.trials import alarms
from compare import machine
from compare.processes.templates import template
from compare.results.gaps import Multiples
from compare.results.precisions import FLOAT32
from compare.runtimes.registry import spec_of

#: The models, with the first three pairs of inputs of each.
SETUPS = tuple(replace(setup, inputs=setup.inputs[:6]) for setup in REPORTING)

#: The number of processes that load the CPU while runtimes are traced.
LOAD = 2

#: It compiles for half a minute in every process, so it runs one pair of inputs of byte-gpt2.
COMPILED = "torch-compile"

STATISTICS = tuple(each.name for each in fields(Multiples))


def main() -> None:
    command_line = parser(__doc__)
    command_line.add_argument("--only", metavar="MODEL", choices=[setup.name for setup in SETUPS])
    options = command_line.parse_args()
    torch.set_num_threads(machine.cores())
    chosen = [setup for setup in SETUPS if options.only in (None, setup.name)]
    models = recorded("false_alarms", quick=options.quick).get("models", {}) if options.only else {}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as templates:
        start_templates(templates)
        for setup in chosen[:1] if options.quick else chosen:
            models[setup.name] = measure(setup, Path(scratch))
            print(f"{setup.name}: {spoken(models[setup.name])}", flush=True)
    finish(
        "false_alarms",
        {"busy processes": LOAD, "models": models},
        aims(models, quick=options.quick),
        quick=options.quick,
    )


def start_templates(templates: ExitStack) -> None:
    """Start a process for each set of libraries, from which the processes of runtimes are forked."""
    sets = [spec_of(way.runtime).libraries for way in ways(FLOAT32, machine.cores())]
    for libraries in dict.fromkeys(sets):
        templates.enter_context(template(libraries, threads=machine.cores(), say=PROGRESS.note))


def measure(setup: Setup, scratch: Path) -> dict[str, Any]:
    """Run one model in every way, and return the figures."""
    there = list(stands((setup,), scratch))
    not_run: dict[str, str] = {}
    clean: list[CleanRun] = []
    with busy(LOAD):
        for place, pair in enumerate(one_by_one(f"clean runs of {setup.name}, pair of benches", list(in_pairs(there)))):
            compiled = setup is SETUPS[0] and place == 0
            clean += clean_runs(*pair, leave_out=() if compiled else (COMPILED,), not_run=not_run)
    unseen = [run for stand in one_by_one("unseen orders, bench", there) for run in unseen_runs(stand)]
    lower = [run for stand in one_by_one("lower precisions, bench", there) for run in precision_runs(stand)]
    return {
        "runs": len(clean),
        "distinct": len(distinct(clean)),
        "first of a process": sum(run.fresh for run in clean),
        "by runtime": dict(Counter(run.runtime for run in clean)),
        "cannot run it": not_run,
        "false alarms": false_alarms(clean),
        "alarms": [f"{run.runtime} on {run.stand}: {run.said.sentence}" for run in clean + unseen if alarm(run)],
        "unsteady": [f"{run.runtime} on {run.stand}: {run.said.sentence}" for run in clean if unsteady(run)],
        "largest local": largest(clean),
        "unseen orders": {"runs": len(unseen), "false alarms": false_alarms(unseen), "largest local": largest(unseen)},
        "bf16 and fp16 named": {
            "runs": len(lower),
            "named": sum(r.verdict.kind == "reduced precision" and r.verdict.precision == r.runtime for r in lower),
        },
    }


def alarm(run: CleanRun) -> bool:
    """Return whether a clean run is called faulty. `unsteady` does not count: its first process was wrong."""
    return alarms(run.said) and not unsteady(run)


def unsteady(run: CleanRun) -> bool:
    return run.said.kind == "unsteady"


def false_alarms(clean: Iterable[CleanRun]) -> int:
    return sum(map(alarm, clean))


def distinct(clean: Iterable[CleanRun]) -> set[tuple[str, str]]:
    """Return the distinct results of clean runs, each as (stand, evidence)."""
    return {(run.stand, repr(run.evidence)) for run in clean}


def largest(clean: Iterable[CleanRun]) -> dict[str, float]:
    """Return the largest local multiple of each statistic, in floors of the precision that judged the run.

    Runs that expose logits alone have no local errors.
    """
    evidence = [known for run in clean if len(run.evidence) > 1 for known in run.evidence.values()]
    found = [known.local if known.own is None else known.own.local for known in evidence]
    return {name: max((getattr(each, name) for each in found if each), default=0.0) for name in STATISTICS}


def spoken(figures: Mapping[str, Any]) -> str:
    unable = f"; cannot run it: {', '.join(figures['cannot run it'])}" if figures["cannot run it"] else ""
    return (
        f"{figures['runs']} clean runs, {figures['first of a process']} of them the first of a process, "
        f"{figures['distinct']} distinct, {len(figures['unsteady'])} unsteady; {figures['false alarms']} false alarms; "
        f"{figures['unseen orders']['false alarms']} in {figures['unseen orders']['runs']} unseen orders{unable}"
    )


def aims(models: Mapping[str, Mapping[str, Any]], *, quick: bool) -> list[Aim]:
    def total(*keys: str) -> int:
        counts: list[Any] = list(models.values())
        for key in keys:
            counts = [each[key] for each in counts]
        return sum(counts)

    runs, wrong, fresh = total("runs"), total("false alarms"), total("first of a process")
    unseen, named = total("unseen orders", "false alarms"), total("bf16 and fp16 named", "named")
    bound = upper_bound(wrong, total("distinct"))
    kinds = {name.partition(",")[0] for each in models.values() for name in each["by runtime"]}
    expected = {way.runtime for way in ways(FLOAT32, 1)}
    return [
        Aim("clean runs", ">= 600", str(runs), quick or runs >= 600),
        Aim("first of a process", ">= 200", str(fresh), quick or fresh >= 200),
        Aim("runtimes", f"all {len(expected)}", str(len(kinds)), kinds == expected),
        Aim("false alarms", "0", f"{wrong}, with 95 % confidence at most {bound:.2%}", wrong == 0),
        Aim("false alarms in unseen orders", "0", str(unseen), unseen == 0),
        Aim("precisions named", "all", str(named), named == total("bf16 and fp16 named", "runs")),
    ]


if __name__ == "__main__":
    main()
