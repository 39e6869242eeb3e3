"""Run hostile and careless inputs against the commands, and check that each is well met.

Each case runs in a process of its own, in a folder of its own. Well met means: the right exit code, one error line if
it is refused, no traceback and no control characters, nothing changed that is not the command's own, no process left,
and memory and time within bounds. With `--only TEXT`, the cases whose name contains a text run, and nothing is saved.
"""

import argparse
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from benchmarks.hostile_cases.case import Case
from benchmarks.hostile_cases.judge import faults
from benchmarks.hostile_cases.registry import every_case, named, spread
from benchmarks.hostile_cases.run import Outcome, run
from benchmarks.hostile_cases.stock import Stock
from benchmarks.record import Aim, finish, parser

#: The fewest cases and mechanisms.
FEWEST_CASES, FEWEST_MECHANISMS = 300, 60

#: How many cases of each mechanism run, unless all are asked for.
EACH = 5


@dataclass(frozen=True)
class Met:
    """A case, what came of it, and what is wrong with that; empty if it was well met."""

    case: Case
    outcome: Outcome
    wrong: list[str]


def main() -> None:
    options = _options()
    cases = every_case()
    if options.only is not None:
        cases = list(named(cases, options.only))
    elif not options.all:
        cases = spread(cases, 1 if options.quick else EACH)
    if options.list:
        print(*(case.name for case in cases), sep="\n")
        return
    with ExitStack() as held:
        folder = options.keep or Path(held.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        results = list(_met(cases, folder.resolve(), options.workers))
    wrong = [each for each in results if each.wrong]
    mechanisms = {case.mechanism for case in cases}
    _print_table(results)
    print(f"{len(results) - len(wrong)} of {len(results)} cases of {len(mechanisms)} mechanisms well met")
    if options.only is not None:
        raise SystemExit(bool(wrong))
    peak = max(each.outcome.bytes for each in results)
    figures = {
        "cases": len(results),
        "mechanisms": {name: len(group) for name, group in _by_mechanism(results).items()},
        "not well met": {each.case.name: each.wrong for each in wrong},
        "exit codes": {str(code): number for code, number in Counter(each.outcome.code for each in results).items()},
        "peak bytes": peak,
    }
    aims = [
        Aim("cases", f">= {FEWEST_CASES}", str(len(results)), len(results) >= FEWEST_CASES),
        Aim("mechanisms", f">= {FEWEST_MECHANISMS}", str(len(mechanisms)), len(mechanisms) >= FEWEST_MECHANISMS),
        Aim("not well met", "0", str(len(wrong)), not wrong),
        Aim("memory", "<= 3 GB", f"{peak / 1e9:.1f} GB", peak <= 3e9),
    ]
    finish("hostile", figures, aims, quick=options.quick)


def _options() -> argparse.Namespace:
    command_line = parser(__doc__)
    command_line.add_argument("--only", metavar="TEXT", help="the cases whose name contains a text")
    command_line.add_argument("--all", action="store_true", help=f"every case, not only {EACH} of each mechanism")
    command_line.add_argument("--list", action="store_true", help="print the names of the cases, and run none")
    command_line.add_argument("--keep", metavar="FOLDER", type=Path, help="where what takes long to make is kept")
    command_line.add_argument("--workers", metavar="N", type=int, default=2, help="how many cases run at once")
    return command_line.parse_args()


def _met(cases: list[Case], folder: Path, workers: int) -> Iterator[Met]:
    """Run the cases, and yield and print a line for each when it has ended."""
    stock = Stock(folder)
    if any(case.needs for case in cases):
        stock.make()
    printing = Lock()

    def meet(case: Case) -> Met:
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as place:
            outcome = run(case, Path(place) / "case", stock)
        met = Met(case, outcome, list(faults(case, outcome)))
        with printing:
            print(_line(met), flush=True)
        return met

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(meet, cases)


def _line(met: Met) -> str:
    outcome = met.outcome
    what = f"exit {outcome.code}, {outcome.seconds:.0f} s, {outcome.bytes / 1e6:,.0f} MB"
    words = ascii(f"{met.case.name} ({what})")[1:-1]
    return f"ok     {words}" if not met.wrong else f"WRONG  {words}: {'; '.join(map(str, met.wrong))}"


def _by_mechanism(results: Iterable[Met]) -> dict[str, list[Met]]:
    groups: dict[str, list[Met]] = defaultdict(list)
    for each in results:
        groups[each.case.mechanism].append(each)
    return groups


def _print_table(results: Iterable[Met]) -> None:
    groups = _by_mechanism(results)
    width = max(map(len, groups), default=0)
    print(f"{'mechanism':{width}}  cases  well met")
    for name, group in groups.items():
        print(f"{name:{width}}  {len(group):5}  {sum(not each.wrong for each in group):8}")


if __name__ == "__main__":
    main()
