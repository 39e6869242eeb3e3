"""Make faults from outside, count what is not well met, and write docs/reliability.md.

    python -m benchmarks.faultload [--quick] [--part NAME] [--moments N]

Each part is saved when it ends, in place of its last cases. All parts take about an hour, and a minute each with
--quick.
"""

from collections.abc import Callable
from functools import partial

from benchmarks.faultload import crowd, damage, disks, endings, hubs, kills, page, workers
from benchmarks.faultload.cases import Case, figures
from benchmarks.faultload.endings import MOMENTS, SIGNALS
from benchmarks.record import Aim, finish, parser, recorded, save

LOADS: dict[str, Callable[..., list[Case]]] = {
    "kills": kills.load,
    "damage": damage.load,
    "crowd": crowd.load,
    "disks": disks.load,
    "workers": workers.load,
    **{part: partial(endings.load, part) for part in SIGNALS},
    "hub": hubs.load,
}

#: The least number of runs of some parts, and of kills in each of the places that matter most.
MANY = {"kills": 50, "damage": 200}
KILLS_IN_EACH = 5


def main() -> None:
    asked = parser(__doc__)
    asked.add_argument("--part", choices=list(LOADS), action="append", help="only this part; may be repeated")
    asked.add_argument("--moments", type=int, default=MOMENTS, help=f"of each signal that ends a run ({MOMENTS})")
    options = asked.parse_args()
    parts = options.part or list(LOADS)
    try:
        for part in parts:
            more = {"count": options.moments} if part in SIGNALS else {}
            cases = LOADS[part](quick=options.quick, **more)
            for case in cases:
                print(f"{case.part}: {case.what}: {case.runs - len(case.misses)} of {case.runs}", flush=True)
                for miss in case.misses:
                    print(f"  {miss}", flush=True)
            keep(part, cases, quick=options.quick)
        kept = kept_cases(quick=options.quick)
        finish("faultload", figures(kept), aims_of(kept, quick=options.quick), quick=options.quick)
    finally:
        if not options.quick:  # once, at the end: a changed page would be a change of the commit that cases name
            page.PAGE.write_text(page.page())


def keep(part: str, cases: list[Case], *, quick: bool) -> None:
    """Save the cases of a part in place of its last ones."""
    others = [case for case in kept_cases(quick=quick) if case.part != part]
    kept = sorted([*others, *cases], key=lambda case: list(LOADS).index(case.part))
    save("faultload", figures(kept), aims_of(kept, quick=quick), quick=quick)


def kept_cases(*, quick: bool) -> list[Case]:
    """Return the saved cases of all parts."""
    return [Case(**case) for case in recorded("faultload", quick=quick).get("cases", [])]


def aims_of(cases: list[Case], *, quick: bool) -> list[Aim]:
    """Return an aim for each part: that every fault is well met. Unless it is quick, some have to be many."""
    aims = []
    for part in dict.fromkeys(case.part for case in cases):
        of_part = [case for case in cases if case.part == part]
        runs, misses = sum(case.runs for case in of_part), sum(len(case.misses) for case in of_part)
        aims.append(Aim(part, "all as they should be", f"{runs - misses} of {runs}", misses == 0))
        if part in MANY and not quick:
            aims.append(Aim(f"{part}: runs", f">= {MANY[part]}", str(runs), runs >= MANY[part]))
        if part == "kills" and not quick:
            fewest = min(sum(case.runs for case in of_part if case.what == place) for place in kills.OFTEN)
            aims.append(Aim("kills in each place", f">= {KILLS_IN_EACH}", str(fewest), fewest >= KILLS_IN_EACH))
    return aims


if __name__ == "__main__":
    main()
