"""Bounds: more memory, threads, time or cells than there are."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import DONE, Case, mechanism
from benchmarks.hostile_cases.common import FILES, SHIPPED, UNTIMED, UNTIMED_FILES
from benchmarks.hostile_cases.tiny_graphs import files

#: Shapes of a hundred lengths and a hundred batches.
CELLS = f"{','.join(map(str, range(1, 101)))}x{','.join(map(str, range(1, 101)))}"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _a_batch()
    yield from _threads()
    yield from _a_sequence()
    yield from _cells_of_a_grid()
    yield from _times_and_memory()
    yield from _small_but_legal()


def _a_batch() -> Iterator[Case]:
    of = mechanism("bounds: a batch", codes=(2, 3), needs=("byte-gpt2",))
    for batch in (10**5, 10**6, 10**9, 10**12, 10**18, 10**30):
        yield of(f"{batch:,}"[:30], *SHIPPED, *UNTIMED, "--batch", str(batch), says="--batch" if batch < 10**12 else "")
    yield of("100,000, timed", *SHIPPED, "--quick", "--batch", "100000")
    yield of("100,000 of 128 tokens", *SHIPPED, *UNTIMED, "--batch", "100000", "--sequence", "128")
    yield of("100,000, two files", *FILES, "--batch", "100000000", make=files(), needs=())
    yield of("100,000,000 of a token", *SHIPPED, *UNTIMED, "--batch", "100000000", "--sequence", "1")


def _threads() -> Iterator[Case]:
    of = mechanism("bounds: threads", codes=(2, 3), needs=("byte-gpt2",))
    for threads in (10**5, 10**6, 2**31, 2**63, 10**30):
        yield of(f"{threads:,}"[:30], *SHIPPED, *UNTIMED, "--threads", str(threads), says="--threads")
    yield of("100,000, two files", *FILES, "--threads", "100000", make=files(), needs=())
    yield of("100,000, battery", "compare", "battery", "--threads", "100000", "--kernels", "torch-math", needs=())
    yield of("5000", *SHIPPED, *UNTIMED, "--threads", "5000", codes=(0, 1, 2, 3), seconds=120)


def _a_sequence() -> Iterator[Case]:
    of = mechanism("bounds: a sequence", codes=(2,), needs=("byte-gpt2",))
    for length in (10**6, 10**12, 10**18, 10**30):
        yield of(f"{length:,}"[:30], *SHIPPED, *UNTIMED, "--sequence", str(length), says="--sequence")
        yield of(
            f"two files, 1e{len(str(length)) - 1}", *UNTIMED_FILES, "--sequence", str(length), make=files(), needs=()
        )


def _cells_of_a_grid() -> Iterator[Case]:
    of = mechanism("bounds: cells of a grid", codes=(2,), needs=("byte-gpt2",))
    yield of("10,000", *SHIPPED, "--grid", CELLS, says="--grid")
    yield of("a batch of 10^9", *SHIPPED, "--grid", "8x1000000000", says="--grid")
    yield of("a sequence of 10^9", *SHIPPED, "--grid", "1000000000x1", says="--grid")
    yield of("a batch of 10^30", *SHIPPED, "--grid", f"8x{10**30}", says="--grid")
    yield of("10,000, with --quick", *SHIPPED, "--quick", "--grid", CELLS, says="--grid")


def _times_and_memory() -> Iterator[Case]:
    of = mechanism("bounds: times and memory", needs=("byte-gpt2",), codes=(0, 1, 2, 3), seconds=120)
    yield of("a timeout of 1e-9 s", *SHIPPED, *UNTIMED, "--timeout", "1e-9")
    yield of("a timeout of 1e300 s", *SHIPPED, *UNTIMED, "--timeout", "1e300")
    yield of("a timeout of 1e10 s", *SHIPPED, *UNTIMED, "--timeout", "1e10")
    yield of("no memory", *SHIPPED, "--quick", "--time", "1", "--memory", "1e-9")
    yield of("1e300 GB", *SHIPPED, "--quick", "--time", "1", "--memory", "1e300")
    yield of("no time", *SHIPPED, "--quick", "--time", "1e-300")
    yield of("a precision of 1e300 %", *SHIPPED, "--quick", "--time", "1", "--precision", "1e300")
    yield of("a precision of 1e-300 %", *SHIPPED, "--quick", "--time", "1", "--precision", "1e-300")
    yield of("a load of 1e-300 %", *SHIPPED, "--quick", "--time", "1", "--max-load", "1e-300")
    yield of("a seed of 10^30", *SHIPPED, "--quick", "--time", "1", "--seed", str(10**30))
    yield of("a seed of 4000 digits", *SHIPPED, "--quick", "--time", "1", "--seed", "9" * 4000)
    yield of(
        "battery, a seed of 10^30",
        "compare",
        "battery",
        "--seed",
        str(10**30),
        "--kernels",
        "torch-math",
        "--no-node-cases",
        needs=(),
    )
    yield of("pins for 5000 threads", *SHIPPED, "--pin", "--threads", "5000", codes=(2,))


def _small_but_legal() -> Iterator[Case]:
    of = mechanism("bounds: small but legal", codes=DONE, needs=("byte-gpt2",), seconds=120)
    yield of("a token", *SHIPPED, *UNTIMED, "--sequence", "1")
    yield of("a token of a text", *SHIPPED, *UNTIMED, "--text", "a")
    yield of("a batch of 64 of a token", *SHIPPED, *UNTIMED, "--sequence", "1", "--batch", "64")
    yield of("more sequences than tokens", *SHIPPED, *UNTIMED, "--text", "ab", "--sequence", "2", "--batch", "9")
    yield of("two files of a token", *UNTIMED_FILES, "--sequence", "1", make=files(), needs=())
