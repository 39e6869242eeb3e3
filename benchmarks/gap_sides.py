"""The process of one side of `gap_cost`: compares two folders of arrays on request and reports the time.

It runs by path, `python gap_sides.py SIDE`, so that the environment of another library needs nothing of this project.
Each line on stdin is a folder with `actual/` and `golden/`. Each answer is a line of JSON: seconds, and the largest
amount of anonymous memory that was added, in bytes (RssAnon of proc(5), sampled; mapped files do not count).
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Name -> memory-mapped array.
Arrays = dict[str, NDArray[Any]]

#: A function that compares the actual arrays with the golden ones.
Side = Callable[[Arrays, Arrays], None]


def read(folder: Path) -> Arrays:
    return {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}


def ours() -> Side:
    from compare.numerics.errors import error_of

    def run(actual: Arrays, golden: Arrays) -> None:
        mask = np.ones((1, next(iter(golden.values())).shape[-2]), dtype=np.int64)
        for name, reference in golden.items():
            error_of(name, actual[name], reference, mask)

    return run


def with_numpy() -> Side:
    def run(actual: Arrays, golden: Arrays) -> None:
        for name, reference in golden.items():
            np.testing.assert_allclose(actual[name], reference, rtol=1e-3, atol=1e-4)

    return run


def with_polygraphy() -> Side:
    from polygraphy.comparator import CompareFunc, IterationResult

    compare = CompareFunc.simple(rtol=1e-3, atol=1e-4)

    def run(actual: Arrays, golden: Arrays) -> None:
        outcome = compare(IterationResult(actual, runner_name="actual"), IterationResult(golden, runner_name="golden"))
        if not all(outcome.values()):
            raise SystemExit("polygraphy calls the arrays different")

    return run


def bare() -> Side:
    def run(actual: Arrays, golden: Arrays) -> None:
        for name, reference in golden.items():
            np.abs(actual[name] - reference).max()

    return run


def decisions_of_logits() -> Side:
    from compare.numerics.diagnostics.next_token import decisions

    def run(actual: Arrays, golden: Arrays) -> None:
        ids = np.zeros(golden["logits"].shape[:2], dtype=np.int64)
        decisions(actual["logits"], golden["logits"], ids, np.ones_like(ids), rounding=1e-5)

    return run


def units_in_the_last_place() -> Side:
    from compare.numerics.errors import ulps_of

    def run(actual: Arrays, golden: Arrays) -> None:
        mask = np.ones((1, golden["logits"].shape[1]), dtype=np.int64)
        for name, reference in golden.items():
            ulps_of(name, actual[name], reference, mask)

    return run


def rows_of_attention() -> Side:
    from compare.numerics.diagnostics.softmax import softmax_gap

    def run(actual: Arrays, golden: Arrays) -> None:
        mask = np.ones((1, golden["logits"].shape[1]), dtype=np.int64)
        for name, reference in golden.items():
            if name != "logits":
                softmax_gap(actual[name], reference, mask, rounding=np.full(reference.shape[1], 1e-7))

    return run


SIDES = {
    "ours": ours,
    "numpy": with_numpy,
    "polygraphy": with_polygraphy,
    "bare": bare,
    "decisions": decisions_of_logits,
    "ulps": units_in_the_last_place,
    "rows": rows_of_attention,
}


class Peak:
    """Context manager that measures the peak of anonymous memory in its block, minus that before it, in bytes."""

    def __enter__(self) -> "Peak":
        self.before, self.most, self.over = anonymous(), 0, threading.Event()
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()
        return self

    def watch(self) -> None:
        while not self.over.wait(0.002):
            self.most = max(self.most, anonymous() - self.before)

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.watcher.join()


def anonymous() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


def main() -> None:
    run = SIDES[sys.argv[1]]()
    answers, sys.stdout = sys.stdout, sys.stderr  # output of a side must not mix with answers
    for line in sys.stdin:
        folder, memory = line.split()[0], line.split()[1] == "memory"
        actual, golden = read(Path(folder) / "actual"), read(Path(folder) / "golden")
        start = time.perf_counter()
        if memory:
            with Peak() as peak:
                run(actual, golden)
        else:
            run(actual, golden)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "bytes": peak.most if memory else None}), file=answers, flush=True)


if __name__ == "__main__":
    main()
