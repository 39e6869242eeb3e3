"""Choose the limits of the verdicts from clean runs and planted faults, at several scales of the limits.

It uses byte-gpt2 and models of two seeds, with the kinds of faults that are not held out. The proportions between the
limits are fixed. The benchmark chooses their scale: the smallest on `LADDER` at which the limits are at least `MARGIN`
times the errors of every clean run. Clean runs are those of the runtimes here, runs with orders of summation that no
floor was made from, and earlier results of other runtimes.
"""

import tempfile
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.clean_runs import CleanRun, clean_runs, unseen_runs
from benchmarks.false_alarms import COMPILED, start_templates
from benchmarks.progress import one_by_one
from benchmarks.record import Aim, arguments, finish
from benchmarks.setups import CHOOSING, stands
from benchmarks.trials import BINS, Trial, bin_name, bin_of, faults
from compare import machine
from compare.numerics.verdicts import judge
from compare.results.gaps import Multiples
from compare.results.verdict_limits import LIMITS, Limits
from compare.results.verdicts import reaches
from tests.faults.kinds import KINDS

LADDER = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
MARGIN = 1.4

#: The largest local multiples of clean runs of other runtimes, OpenVINO among them (docs/verdicts.md).
SEEN_ELSEWHERE = Multiples(rms=1.23, max=1.91, channel=3.7, slope=4.1)

STATISTICS = tuple(each.name for each in fields(Multiples))


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(machine.cores())
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as templates:
        start_templates(templates)
        there = list(stands(CHOOSING[:1] if options.quick else CHOOSING, Path(scratch)))
        clean = [
            run
            for stand in one_by_one("clean runs, bench", there)
            for run in (*clean_runs(stand, leave_out=(COMPILED,)), *unseen_runs(stand))
        ]
        known = [kind for kind in KINDS.values() if not kind.held_out]
        trials = list(faults(there, np.random.default_rng(0), draws=1 if options.quick else 4, kinds=known))
    most = {
        "local": largest_local(clean),
        "accumulated": largest_accumulated(clean, LIMITS.accumulated, weak=False),
        "weak": largest_accumulated(clean, LIMITS.weak, weak=True),
    }
    needed = {}
    for where, found in most.items():
        limits = getattr(LIMITS, where)
        needed[where] = max(MARGIN * value / getattr(limits, name) for name, value in found.items())
        for name, value in found.items():
            print(f"{where} {name}: clean runs reach {value:.2f}, the limit is {getattr(limits, name):g}")
    chosen = {where: next(scale for scale in LADDER if scale >= least) for where, least in needed.items()}
    rows = {scale: row(scaled(scale), clean, trials) for scale in LADDER}
    for scale, seen in rows.items():
        cells = "; ".join(f"{name} {hit} of {number}" for name, (hit, number) in seen["found"].items())
        print(f"limits x {scale:g}: {seen['false alarms']} false alarms in {len(clean)}; found: {cells}")
    for where, least in needed.items():
        print(f"the scale of the {where} limits must be at least {least:.2f}: {chosen[where]:g} on the variants")
    aims = [
        Aim("local limits chosen here, over those in use", "1", f"{chosen['local']:g}", chosen["local"] == 1),
        Aim(
            "accumulated limits needed, over those in use",
            "<= 1",
            f"{needed['accumulated']:.2f}",
            chosen["accumulated"] <= 1,
        ),
        Aim(
            "limits for logits alone needed, over those in use",
            "<= 1",
            f"{needed['weak']:.2f}",
            chosen["weak"] <= 1,
        ),
        Aim("false alarms", "0", str(rows[1.0]["false alarms"]), rows[1.0]["false alarms"] == 0),
    ]
    figures: dict[str, Any] = {
        "clean_runs": len(clean),
        "largest_clean": most,
        "seen_elsewhere": {name: getattr(SEEN_ELSEWHERE, name) for name in STATISTICS},
        "needed_scale": needed,
        "scales": rows,
        "faults": [trial.as_figures() for trial in trials],
    }
    finish("calibrate", figures, aims, quick=options.quick)


def largest_local(clean: list[CleanRun]) -> dict[str, float]:
    """Return the largest local multiple of each statistic, from these runs and from other runtimes."""
    evidence = [known for run in clean if not only_logits(run) for known in run.evidence.values()]
    found = [known.local for known in evidence if known.local is not None]
    return {
        name: max(getattr(SEEN_ELSEWHERE, name), *(getattr(multiples, name) for multiples in found))
        for name in STATISTICS
    }


def largest_accumulated(clean: list[CleanRun], limits: Multiples, *, weak: bool) -> dict[str, float]:
    """Return the largest accumulated multiple of each limited statistic.

    weak: whether to use the runs that expose only logits, or the others.
    """
    found = [known.accumulated for run in clean if only_logits(run) is weak for known in run.evidence.values()]
    limited = [name for name in STATISTICS if np.isfinite(getattr(limits, name))]
    return {name: max(getattr(multiples, name) for multiples in found) for name in limited}


def only_logits(run: CleanRun) -> bool:
    return set(run.evidence) == {"logits"}


def scaled(by: float) -> Limits:
    """Return the limits, all multiplied by a factor."""

    def times(limits: Multiples) -> Multiples:
        return Multiples(**{name: by * getattr(limits, name) for name in STATISTICS})

    return replace(LIMITS, local=times(LIMITS.local), accumulated=times(LIMITS.accumulated), weak=times(LIMITS.weak))


def row(limits: Limits, clean: list[CleanRun], trials: list[Trial]) -> dict[str, Any]:
    """Return the false alarms, and the faults found by size, under some limits."""

    def alarmed(evidence: Any) -> bool:
        return reaches(judge(evidence, bitwise=False, limits=limits).kind, "reduced precision")

    found = {bin_name(i): [0, 0] for i in range(len(BINS))}
    for trial in trials:
        cell = found[bin_name(bin_of(trial.size.floors))]
        cell[0] += alarmed(trial.evidence)
        cell[1] += 1
    return {"false alarms": sum(alarmed(run.evidence) for run in clean), "found": found}


if __name__ == "__main__":
    main()
