"""What is asked for of a comparison beside the model, and what of it can be refused before any work is done."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from compare import machine
from compare.pipeline.inputs import check_text
from compare.pipeline.shapes import shapes_of
from compare.results.verdicts import VERDICTS
from export.errors import BadInput, near
from export.exporting import DEFAULT_EXPORTER, check_exporter


@dataclass(frozen=True)
class Settings:
    """What is asked for beside the model. seconds: how long the rounds last at most. timeout: of one child, in seconds.

    precision: half the width of every ratio's interval, as a share of it, at which the rounds may end before that.

    min_rounds: there are so many rounds even where they take longer than `seconds`.

    max_load: the largest share of the CPU time that other processes may use in a turn that counts, 1 for every turn;
    None is `compare.latency.disturbance.MAX_LOAD`.

    latency: whether anything is timed; without, the verdicts on the graphs that expose every tap are all there is.
    decode: whether decoding with a cache is timed and checked too.
    pin: every latency worker is bound to as many CPUs as it has threads. memory: how much the workers may hold
    together, in GB; None is what the machine has.
    interference: each runtime is timed beside the others too. grid: sequences and batches that are timed too
    (`compare.pipeline.shapes`).
    runtimes: names, or None for all that are here; torch-eager, the baseline, is always among them.
    fail_on: the verdict from which on a run fails.
    exporter: whose graphs run; where it is not the default one, the default one's run beside them in one more row.
    onnx: a file whose graph runs in one more row. baseline: another one that it is held against instead of a model.
    """

    text: str | None = None
    runtimes: Sequence[str] | None = None
    sequence: int | None = None
    batch: int = 1
    threads: int | None = None
    pin: bool = False
    memory: float | None = None
    interference: bool = False
    grid: str | None = None
    seconds: float = 30.0
    precision: float = 0.02
    min_rounds: int = 1
    max_load: float | None = None
    latency: bool = True
    decode: bool = True
    seed: int = 0
    quick: bool = False
    offline: bool = False
    fallback: Literal["seeded"] | None = None
    exporter: str = DEFAULT_EXPORTER
    onnx: Path | None = None
    baseline: Path | None = None
    out: Path | None = None
    cache_dir: Path | None = None
    keep_traces: bool = False
    timeout: float = 600.0
    fail_on: str = "different"

    @property
    def decodes(self) -> bool:
        """Whether there is decoding: it is timed before it is checked."""
        return self.latency and self.decode


def check_settings(settings: Settings) -> None:
    """Raises `BadInput` for what can be seen to be wrong before any work is done."""
    for option, value in (
        ("--threads", settings.threads),
        ("--sequence", settings.sequence),
        ("--batch", settings.batch),
        ("--min-rounds", settings.min_rounds),
    ):
        check_at_least(1, option, value)
    if not settings.seconds > 0:
        raise BadInput(f"--time is {settings.seconds:g}; it takes a number of seconds above 0")
    if not settings.precision > 0:
        raise BadInput(f"--precision is {100 * settings.precision:g}; it takes a number of percent above 0")
    if settings.max_load is not None and not 0 < settings.max_load <= 1:
        raise BadInput(f"--max-load is {100 * settings.max_load:g}; it takes a percentage above 0 and up to 100")
    if settings.memory is not None and not settings.memory > 0:
        raise BadInput(f"--memory is {settings.memory:g}; it takes a number of GB above 0")
    if settings.grid is not None:
        check_grid(settings.grid, settings.baseline)
    if not settings.latency and (settings.grid is not None or settings.interference):
        raise BadInput("--grid and --interference time the runtimes; leave out --no-latency")
    if settings.pin:
        cpus_for(settings.threads or machine.cores())
    check_at_least(0, "--seed", settings.seed)
    check_fail_on(settings.fail_on)
    check_exporter(settings.exporter)
    check_text(settings.text)
    if settings.out is not None:
        check_folder(settings.out)


def check_at_least(least: int, option: str, value: int | None) -> None:
    """Raises `BadInput` for a number below the least that an option takes; None is an option left out."""
    if value is not None and value < least:
        raise BadInput(f"{option} is {value}; it takes {least} or more")


def check_grid(grid: str, baseline: Path | None) -> None:
    """Raises `BadInput` for a grid that says no shapes, or of two ONNX files."""
    shapes_of(grid)
    if baseline is not None:
        raise BadInput("--grid goes with a model, whose tokenizer makes its inputs; leave out --grid or --baseline")


def cpus_for(threads: int) -> list[int]:
    """The CPUs that workers with so many threads are bound to. Raises `BadInput` where there are too few, or none."""
    cpus = machine.usable_cpus()
    if cpus is None:
        raise BadInput("--pin: this system binds no process to CPUs; leave it out")
    if threads > len(cpus):
        raise BadInput(
            f"--pin takes a CPU for each of {threads} threads and this process may use {len(cpus)}; "
            f"ask for fewer: --threads {len(cpus)}"
        )
    return cpus[:threads]


def check_fail_on(fail_on: str) -> None:
    """Raises `BadInput` for what is no verdict."""
    if fail_on not in VERDICTS:
        raise BadInput(f"--fail-on is {fail_on!r}; {near(fail_on, VERDICTS)}")


def check_folder(folder: Path) -> None:
    """See that a folder could be written to, without making it. Raises `BadInput` where it could not."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder that can be written to. Raises `BadInput` where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    check_folder(folder)


def _unwritable(folder: Path, error: OSError) -> BadInput:
    return BadInput(f"the folder {folder} cannot be written: {error.strerror}; give another: --out FOLDER")
