"""Measure how small a fault can be in a bf16 or fp16 runtime and still be detected, and how often a clean run alarms.

Faults are planted into exported graphs of GPT-2 whose numbers are all rounded to the precision, as by kernels that sum
in float32. A fault's size is its effect on its own segment in float64, in floors of that precision. Clean runs are
those graphs, the runtimes here that compute in the precision, and torch in orders of summation that no floor was made
from. With `--only PRECISION`, the figures of the other one stay as they are.
"""

import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.clean_runs import clean_runs, judged, unseen_runs
from benchmarks.false_alarms import alarm, largest, start_templates
from benchmarks.faults import counts, table
from benchmarks.progress import one_by_one
from benchmarks.proportions import interval, upper_bound
from benchmarks.record import Aim, finish, parser, recorded
from benchmarks.setups import REPORTING, Stand, in_pairs, stands
from benchmarks.trials import BINS, Trial, bin_name, bin_of, faults
from compare import machine
from tests.faults.kinds import KINDS
from tests.faults.kinds.fault import Fault
from tests.faults.lower import TYPES

#: The models and inputs: every GPT-2 that faults are reported on, with four inputs each.
SETUPS = tuple(replace(setup, inputs=setup.inputs[:4]) for setup in REPORTING if "gpt2" in setup.model)

#: The root mean square in floors from which a fault must be found.
FROM = 4.0


def main() -> None:
    command_line = parser(__doc__)
    command_line.add_argument("--only", metavar="PRECISION", choices=list(TYPES))
    options = command_line.parse_args()
    torch.set_num_threads(machine.cores())
    found = recorded("lower_faults", quick=options.quick) if options.only else {}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as templates:
        start_templates(templates)
        there = list(stands(SETUPS[:1] if options.quick else SETUPS, Path(scratch)))
        for precision in [options.only] if options.only else TYPES:
            print(f"{precision}:", flush=True)
            found[precision] = measure(precision, there, list(KINDS.values())[:: 4 if options.quick else 1])
    finish("lower_faults", found, [aim for each in found for aim in aims(each, found[each])], quick=options.quick)


def measure(precision: str, there: list[Stand], kinds: list[Fault]) -> dict[str, Any]:
    """Return the figures of one precision. kinds: the kinds of faults that are planted."""
    lowered = [replace(stand, bench=stand.bench.lowered(precision)) for stand in there]
    pairs = one_by_one(f"clean runs in {precision}, pair of benches", list(in_pairs(lowered)))
    clean = [run for pair in pairs for run in clean_runs(*pair)]
    for stand in one_by_one(f"unseen orders in {precision}, bench", lowered):
        clean += [judged(stand, "the rounded graph", stand.bench.clean_outputs), *unseen_runs(stand)]
    trials = list(faults(lowered, np.random.default_rng(2), draws=1, kinds=kinds))
    table(trials)
    large = [trial for trial in trials if trial.size.rms >= FROM]
    hit = sum(trial.found for trial in large)
    alarms = [run for run in clean if alarm(run)]
    print(
        f"faults whose root mean square is at least {FROM:g} floors: {hit} of {len(large)} found; "
        f"clean runs: {len(clean)}, {len(alarms)} of them alarms"
    )
    return {
        "bins": {bin_name(i): counts([t for t in trials if bin_of(t.size.floors) == i]) for i in range(len(BINS))},
        f"root mean square of {FROM:g} floors and more": {**counts(large), "interval": interval(hit, len(large))},
        "clean": {
            "runs": len(clean),
            "by runtime": dict(Counter(run.runtime for run in clean)),
            "alarms": [f"{run.runtime} on {run.stand}: {run.said.sentence}" for run in alarms],
            "upper 95 % bound": upper_bound(len(alarms), len(clean)),
            "largest local": largest(clean),
        },
        "missed": [_spoken(trial) for trial in large if not trial.found],
        "faults": [trial.as_figures() for trial in trials],
    }


def _spoken(trial: Trial) -> str:
    size = trial.size
    return (
        f"{trial.planted.kind.name}, {trial.planted.place}, {trial.stand}: {size.rms:.2f} floors (rms), "
        f"{size.floors:.2f} ({size.statistic} of {size.tensor})"
    )


def aims(precision: str, figures: Mapping[str, Any]) -> list[Aim]:
    large, clean = figures[f"root mean square of {FROM:g} floors and more"], figures["clean"]
    rate, placed = large["found"] / large["faults"], large["placed"] / max(1, large["found"])
    return [
        Aim(f"{precision}: found from {FROM:g} floors (rms)", ">= 95 %", f"{rate:.1%}", rate >= 0.95),
        Aim(f"{precision}: layer and segment right", ">= 95 %", f"{placed:.1%}", placed >= 0.95),
        Aim(f"{precision}: clean runs", ">= 100", str(clean["runs"]), clean["runs"] >= 100),
        Aim(f"{precision}: alarms", "0", str(len(clean["alarms"])), not clean["alarms"]),
    ]


if __name__ == "__main__":
    main()
