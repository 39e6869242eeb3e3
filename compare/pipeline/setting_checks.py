"""Check settings before any work is done. Each function raises `BadInput` for a setting that cannot be used."""

import os
from collections.abc import Sized
from pathlib import Path

from compare import machine
from compare.pipeline.inputs import check_text
from compare.pipeline.paths import LONGEST_PATH, check_cache, check_folder, why_no_name
from compare.pipeline.report_folder import check_own
from compare.pipeline.settings import CheckSettings, LatencySettings, Settings
from compare.pipeline.shapes import shapes_of
from compare.results.verdicts import VERDICTS
from export.errors import BadSetting, near, quoted
from export.exporters import check_exporter
from export.models import MiniTransformer

#: The longest time that anything is given, in seconds: a week.
WEEK = 7 * 24 * 3600.0

#: The most threads of a process: this many, or `THREADS_PER_CORE` for each core if that is more. Libraries start them
#: all at once, and crash if the system has no room for their stacks. More than one for each core wait for one another.
MOST_THREADS, THREADS_PER_CORE = 64, 4

#: The most sequences of a batch. The memory that they need is checked when the model is known.
MOST_SEQUENCES = 2**16

#: The most rounds that can be asked for. If a turn takes a millisecond, they take minutes.
MOST_ROUNDS = 100_000

#: The largest seed: readers of JSON in other languages hold larger integers only roughly.
LARGEST_SEED = 2**53 - 1

#: The least and the most memory of all timed processes that can be asked for, in GB. Python alone takes 0.01.
LEAST_MEMORY, MOST_MEMORY = 0.01, 1e6

#: The most runtimes, providers, or options of a runtime; the most characters of a name, and of an option's value.
MOST_VALUES, LONGEST_NAME, LONGEST_VALUE = 1000, 200, 4096


def check_compared(model: str | MiniTransformer | None, settings: Settings) -> None:
    """Raise `BadInput` unless a model, an ONNX file and a model, or two ONNX files are to be compared."""
    if not isinstance(model, str | MiniTransformer | None):
        raise BadSetting(
            "{model} is {value}; it must be a name, or what load_mini_transformer returns", value=quoted(model)
        )
    onnx, baseline = settings.input.onnx, settings.input.baseline
    if baseline is None:
        if onnx is not None and model is None:
            raise BadSetting("{onnx} needs {model} or {baseline}, which names what to compare it with")
    elif onnx is None:
        raise BadSetting("{baseline} needs {onnx}, the ONNX file to compare with it")
    elif model is not None:
        raise BadSetting(
            "{model} and {baseline} exclude each other, because {onnx} is compared with only one; leave one out"
        )
    elif settings.runtimes.names is not None:
        raise BadSetting("{runtimes} cannot be used with {baseline}, because onnxruntime runs both files; leave it out")
    elif settings.runtimes.providers:
        raise BadSetting(
            "{providers} cannot be used with {baseline}; set the option provider of the rows onnx-file and "
            "onnx-baseline"
        )


def check_settings(settings: Settings) -> None:
    """Raise `BadInput` for a setting that is wrong for any model."""
    check_names(settings)
    check_threads(settings.runtimes.threads)
    check_at_least(1, "sequence", settings.input.sequence)
    check_between(1, MOST_SEQUENCES, "batch", settings.input.batch)
    check_seconds("timeout", settings.runtimes.timeout)
    check_latency(settings.latency)
    if settings.latency.grid is not None:
        check_grid(settings.latency.grid, settings.input.baseline)
    check_timed(settings.checks, settings.latency)
    if settings.latency.pin:
        cpus_for(settings.runtimes.threads or machine.cores())
    check_fail_on(settings.checks.fail_on)
    check_exporter(settings.input.exporter)
    check_text(settings.input.text)
    check_cache(settings.output.cache_dir)
    if settings.output.out is not None:
        check_folder(settings.output.out)
        check_own(settings.output.out)


def check_names(settings: Settings) -> None:
    """Raise `BadInput` for a name, an option or a value that is too long or cannot be printed, or if there are many."""
    runtimes = settings.runtimes
    check_name("exporter", settings.input.exporter)
    check_name("device", runtimes.device)
    check_name("fail_on", settings.checks.fail_on)
    for setting, names in (("runtimes", runtimes.names or ()), ("providers", runtimes.providers or ())):
        check_count(setting, names)
        for name in names:
            check_name(setting, name, LONGEST_PATH if os.sep in name else LONGEST_NAME)
    for row, options in (runtimes.options or {}).items():
        check_count("options", options)
        for word in (row, *options):
            check_name("options", word)
        for value in options.values():
            check_name("options", value, LONGEST_VALUE)


def check_name(setting: str, value: str, most: int = LONGEST_NAME) -> None:
    """Raise `BadInput` if a setting's value, or one of several, cannot be a name. most: the most characters."""
    if why := why_no_name(value, most):
        raise BadSetting(f"{{{setting}}} cannot be {{value}}: {{why}}", value=quoted(value), why=why)


def check_count(setting: str, values: Sized) -> None:
    """Raise `BadInput` if a setting has more than `MOST_VALUES` values."""
    if len(values) > MOST_VALUES:
        words = f"{{{setting}}} has {{count:,}} values; at most {{most:,}} are allowed"
        raise BadSetting(words, count=len(values), most=MOST_VALUES)


def check_latency(latency: LatencySettings) -> None:
    """Raise `BadInput` for a latency setting that is out of its range."""
    if latency.time is not None:
        check_seconds("time", latency.time)
    check_above_zero("precision", 100 * latency.precision, " %", most=100.0)
    check_between(1, MOST_ROUNDS, "min_rounds", latency.min_rounds)
    if latency.max_load is not None and not 0 < latency.max_load <= 1:
        raise BadSetting(
            "{max_load} is {percent:g} %; it must be above 0 % and at most 100 %", percent=100 * latency.max_load
        )
    if latency.memory is not None and not LEAST_MEMORY <= latency.memory <= MOST_MEMORY:
        check_above_zero("memory", latency.memory, " GB", most=MOST_MEMORY)
        raise BadSetting(
            "{memory} is {value:g} GB; a process takes at least {least:g}", value=latency.memory, least=LEAST_MEMORY
        )
    check_between(0, LARGEST_SEED, "seed", latency.seed)


def check_timed(checks: CheckSettings, latency: LatencySettings) -> None:
    """Raise `BadInput` if `grid` or `interference` is set and latency is off."""
    for name, asked in (("grid", latency.grid is not None), ("interference", latency.interference)):
        if asked and not checks.latency:
            raise BadSetting(f"{{{name}}} needs latency, which is off")


def check_at_least(least: int, name: str, value: int | None) -> None:
    """Raise `BadInput` if a setting's value is less than `least`. None means that the setting was not given."""
    if value is not None and value < least:
        raise BadSetting(f"{{{name}}} is {{value}}; it must be at least {least}", value=quoted(value))


def check_between(least: int, most: int, name: str, value: int | None) -> None:
    """Raise `BadInput` if a setting's value is less than `least` or more than `most`. None means that it was not given.

    >>> check_between(1, 64, "threads", 100000)
    Traceback (most recent call last):
    ...
    export.errors.BadSetting: threads is 100000; it must be at most 64
    """
    check_at_least(least, name, value)
    if value is not None and value > most:
        raise BadSetting(f"{{{name}}} is {{value}}; it must be at most {most}", value=quoted(value))


def check_threads(threads: int | None) -> None:
    """Raise `BadInput` if a process cannot have so many threads. None means that the setting was not given."""
    check_between(1, max(MOST_THREADS, THREADS_PER_CORE * machine.cores()), "threads", threads)


def check_seconds(name: str, value: float) -> None:
    """Raise `BadInput` if a setting's value is not above 0, or more than a week."""
    check_above_zero(name, value, " seconds", most=WEEK)


def check_above_zero(name: str, value: float, unit: str, *, most: float) -> None:
    """Raise `BadInput` if a setting's value is not above 0, or more than `most`."""
    if not value > 0:
        raise BadSetting(f"{{{name}}} is {{value:g}}{unit}; it must be above 0", value=value)
    if value > most:
        raise BadSetting(f"{{{name}}} is {{value:g}}{unit}; it must be at most {most:,.0f}", value=value)


def check_grid(grid: str, baseline: Path | None) -> None:
    """Raise `BadInput` if a grid cannot be parsed, or if two ONNX files are compared."""
    shapes_of(grid)
    if baseline is not None:
        raise BadSetting("{grid} needs a model, whose tokenizer makes the inputs; leave out {grid} or {baseline}")


def cpus_for(threads: int) -> list[int]:
    """Return the CPUs to pin workers to, one for each thread.

    Raises `BadInput` if there are too few, or if the system does not pin processes to CPUs.
    """
    cpus = machine.usable_cpus()
    if cpus is None:
        raise BadSetting("{pin} is not available: this system does not pin processes to CPUs; leave it out")
    if threads > len(cpus):
        raise BadSetting(
            "{pin} needs one CPU for each of {wanted} threads, and this process may use {available}; "
            "set {threads} to {available} or less",
            wanted=threads,
            available=len(cpus),
        )
    return cpus[:threads]


def check_fail_on(fail_on: str) -> None:
    """Raise `BadInput` if `fail_on` is not a verdict."""
    if fail_on not in VERDICTS:
        raise BadSetting("{fail_on} is {value!r}; {verdicts}", value=fail_on, verdicts=near(fail_on, VERDICTS))
