"""Check settings before any work is done. Each function raises `BadInput` for a setting that cannot be used."""

import tempfile
from pathlib import Path

from compare import machine
from compare.pipeline.inputs import check_text
from compare.pipeline.settings import CheckSettings, LatencySettings, Settings
from compare.pipeline.shapes import shapes_of
from compare.results.verdicts import VERDICTS
from export.errors import BadInput, BadSetting, near
from export.exporters import check_exporter
from export.models import MiniTransformer


def check_compared(model: str | MiniTransformer | None, settings: Settings) -> None:
    """Raise `BadInput` unless a model, an ONNX file and a model, or two ONNX files are to be compared."""
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
    check_at_least(1, "threads", settings.runtimes.threads)
    check_at_least(1, "sequence", settings.input.sequence)
    check_at_least(1, "batch", settings.input.batch)
    check_above_zero("timeout", settings.runtimes.timeout, " seconds")
    check_latency(settings.latency)
    if settings.latency.grid is not None:
        check_grid(settings.latency.grid, settings.input.baseline)
    check_timed(settings.checks, settings.latency)
    if settings.latency.pin:
        cpus_for(settings.runtimes.threads or machine.cores())
    check_fail_on(settings.checks.fail_on)
    check_exporter(settings.input.exporter)
    check_text(settings.input.text)
    if settings.output.out is not None:
        check_folder(settings.output.out)


def check_latency(latency: LatencySettings) -> None:
    """Raise `BadInput` for a latency setting that is out of its range."""
    if latency.time is not None:
        check_above_zero("time", latency.time, " seconds")
    check_above_zero("precision", 100 * latency.precision, " %")
    check_at_least(1, "min_rounds", latency.min_rounds)
    if latency.max_load is not None and not 0 < latency.max_load <= 1:
        raise BadSetting(
            "{max_load} is {percent:g} %; it must be above 0 % and at most 100 %", percent=100 * latency.max_load
        )
    if latency.memory is not None:
        check_above_zero("memory", latency.memory, " GB")
    check_at_least(0, "seed", latency.seed)


def check_timed(checks: CheckSettings, latency: LatencySettings) -> None:
    """Raise `BadInput` if `grid` or `interference` is set and latency is off."""
    for name, asked in (("grid", latency.grid is not None), ("interference", latency.interference)):
        if asked and not checks.latency:
            raise BadSetting(f"{{{name}}} needs latency, which is off")


def check_at_least(least: int, name: str, value: int | None) -> None:
    """Raise `BadInput` if a setting's value is less than `least`. None means that the setting was not given."""
    if value is not None and value < least:
        raise BadSetting(f"{{{name}}} is {{value}}; it must be at least {least}", value=value)


def check_above_zero(name: str, value: float, unit: str) -> None:
    """Raise `BadInput` if a setting's value is not above 0."""
    if not value > 0:
        raise BadSetting(f"{{{name}}} is {{value:g}}{unit}; it must be above 0", value=value)


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


def check_folder(folder: Path) -> None:
    """Raise `BadInput` if a folder could not be written to. Does not make the folder."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder. Raises `BadInput` if it cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    check_folder(folder)


def _unwritable(folder: Path, error: OSError) -> BadInput:
    return BadSetting(
        "the folder {folder} cannot be written to: {why}; set {out} to another folder",
        folder=folder,
        why=error.strerror,
    )
