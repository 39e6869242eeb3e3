"""Make faults from outside, count what is not well met, and write docs/reliability.md.

    python -m benchmarks.faultload [--quick] [--part NAME] [--moments N]

With --part, only one part is run; its cases replace those of the last run. It takes about an hour, and a minute a part
with --quick.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.faultload import crowd, damage, disks, endings, hubs, kills, page, workers
from benchmarks.faultload.cases import Case, figures
from benchmarks.faultload.endings import MOMENTS, SIGNALS
from benchmarks.record import Aim, finish, parser, recorded

LOADS: dict[str, Callable[..., list[Case]]] = {
    "kills": kills.load,
    "damage": damage.load,
    "crowd": crowd.load,
    "disks": disks.load,
    "workers": workers.load,
    **{part: partial(endings.load, part) for part in SIGNALS},
    "hub": hubs.load,
}


def main() -> None:
    asked = parser(__doc__)
    asked.add_argument("--part", choices=list(LOADS), action="append", help="only this part; may be repeated")
    asked.add_argument("--moments", type=int, default=MOMENTS, help=f"of each signal that ends a run ({MOMENTS})")
    options = asked.parse_args()
    parts = options.part or list(LOADS)
    cases = {}
    for part in parts:
        more = {"count": options.moments} if part in SIGNALS else {}
        cases[part] = LOADS[part](quick=options.quick, **more)
        for case in cases[part]:
            print(f"{case.part}: {case.what}: {case.runs - len(case.misses)} of {case.runs}", flush=True)
            for miss in case.misses:
                print(f"  {miss}")
    found = []
    for part in LOADS:  # parts of other runs are read last, because these may have ended meanwhile
        found += cases[part] if part in cases else [Case(**each) for each in kept_cases(part, quick=options.quick)]
    finish_with(found, quick=options.quick)


def kept_cases(part: str, *, quick: bool) -> list[dict[str, Any]]:
    """Return the cases of a part in the last run."""
    cases: list[dict[str, Any]] = recorded("faultload", quick=quick).get("cases", [])
    return [case for case in cases if case["part"] == part]


def finish_with(cases: list[Case], *, quick: bool) -> None:
    """Save the figures, write the page unless they are those of a quick run, and exit."""
    try:
        finish("faultload", figures(cases), aims_of(cases), quick=quick)
    finally:
        if not quick:
            page.PAGE.write_text(page.page())


def aims_of(cases: list[Case]) -> list[Aim]:
    """Return an aim for each part: that every fault is well met. Further ones say how many faults there are."""
    aims = []
    for part in dict.fromkeys(case.part for case in cases):
        of_part = [case for case in cases if case.part == part]
        runs, misses = sum(case.runs for case in of_part), sum(len(case.misses) for case in of_part)
        aims.append(Aim(part, "all as they should be", f"{runs - misses} of {runs}", misses == 0))
    return aims


if __name__ == "__main__":
    main()
