"""What the settings `device`, `providers` and `options` make of the rows of a comparison."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from compare.pipeline.context import Row
from compare.pipeline.rows import planned_rows, provider_row
from compare.pipeline.settings import RuntimeSettings, Settings
from compare.processes.child import ChildFailed
from compare.runtimes.device_probe import why_not
from compare.runtimes.onnx_profile import CPU
from compare.runtimes.registry import GRAPH_RUNTIME, spec_of
from compare.runtimes.spec import DEVICES, Device, Spec
from export.errors import BadSetting, CannotRun, near
from export.telemetry import turn_off

#: Execution providers that compute no model, and why.
NOT_COMPUTING = {"AzureExecutionProvider": "it sends requests to models on Azure and computes nothing here"}


def rows_of(specs: Sequence[Spec], settings: RuntimeSettings, folder: Path) -> list[Row]:
    """Return a row for each runtime and for each execution provider. folder: the folder of the model's cache entry."""
    named = settings.names or ()
    rows = [Row(spec.name, spec, folder, named=spec.name in named) for spec in specs]
    for provider in dict.fromkeys(settings.providers or ()):
        key = "provider" if provider in available_providers() else "plugin"
        rows.append(Row(provider_row(provider), spec_of(GRAPH_RUNTIME), folder, named=True, options={key: provider}))
    return rows


def configured(row: Row, settings: RuntimeSettings) -> Row:
    """Return a row with its device and its options; unusable if its runtime cannot compute on the device."""
    options = {**row.options, **(settings.options or {}).get(row.name, {})}
    on_cpu = options.get("provider") == CPU
    device = cast(Device, "cpu" if on_cpu else settings.device)  # `check_row_settings` has checked it
    if device not in row.spec.devices:
        return replace(row, options=options, unusable=f"it computes on the CPU alone, and the device is {device}")
    return replace(row, options=options, device=device)


def option_notes(settings: RuntimeSettings) -> list[str]:
    """Return a note for each row with options, which says that it does not run as by default."""
    return [
        f"{name} does not run as by default: {', '.join(f'{key}={value}' for key, value in options.items())}"
        for name, options in (settings.options or {}).items()
    ]


def check_row_settings(specs: Sequence[Spec], settings: Settings) -> None:
    """Raise `BadInput` for a device, a provider or an option that no row can have.

    specs: the runtimes that were chosen. An option that only the runtime's library knows is not checked here.
    """
    device = settings.runtimes.device
    if device not in DEVICES:
        raise BadSetting("{device} is {value!r}; it must be {known}", value=device, known=" or ".join(DEVICES))
    names = {spec.name for spec in specs}
    for provider in dict.fromkeys(settings.runtimes.providers or ()):
        check_provider(provider)
        if (name := provider_row(provider)) in names:
            raise BadSetting(
                "{providers} {provider} would have the row {name}, which is another one's; rename the plug-in's file",
                provider=provider,
                name=name,
            )
        names.add(name)
    rows = planned_rows(specs, settings)
    for name, options in (settings.runtimes.options or {}).items():
        if name not in rows:
            raise BadSetting(
                "{options}: the comparison has no row {name!r}; {known}", name=name, known=near(name, rows)
            )
        for key, value in options.items():
            rows[name].check_option(key, value)


def check_provider(provider: str) -> None:
    """Raise `BadInput` for a provider that computes nothing, or that the installed build does not have."""
    if provider in NOT_COMPUTING:
        why = NOT_COMPUTING[provider]
        raise BadSetting("{providers} {provider} cannot have a row: {why}", provider=provider, why=why)
    if provider in available_providers() or _is_file(provider) or _is_package(provider):
        return
    raise BadSetting(
        "{providers} {provider} is no installed package or file of a plug-in, and ONNX Runtime has no such provider; "
        "this build has {known}",
        provider=provider,
        known=", ".join(name for name in available_providers() if name not in NOT_COMPUTING),
    )


def check_device(device: str, *, threads: int, timeout: float) -> None:
    """Raise `CannotRun` if torch cannot compute on a device here, because then there is no baseline.

    threads: the number of threads of a process that finds out. timeout: the most time that it may take, in seconds.
    """
    if device == "cpu":
        return
    try:
        why = why_not(device, threads=threads, timeout=timeout)
    except ChildFailed as error:
        why = str(error)
    if why:
        raise CannotRun(f"the device {device} cannot be used: {why}")


def available_providers() -> list[str]:
    """Return the execution providers of the installed build of ONNX Runtime."""
    spec_of(GRAPH_RUNTIME).check_installed()
    turn_off()
    import onnxruntime  # only if a provider is asked for

    found: list[str] = onnxruntime.get_available_providers()
    return found


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # no file can have this name
        return False


def _is_package(name: str) -> bool:
    module = name.replace("-", "_")
    try:
        return module.isidentifier() and find_spec(module) is not None
    except ValueError:  # it is a module without a specification, such as __main__
        return False
