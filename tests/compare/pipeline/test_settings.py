"""Test that the command line and Python have the same options with the same defaults."""

import inspect
from dataclasses import fields
from typing import Any, get_args

import pytest

from compare import compare_attention_implementations
from compare.cli.compare import compare as command
from compare.latency.disturbance import MAX_LOAD
from compare.pipeline.settings import (
    QUICK_RUNTIMES,
    CheckSettings,
    InputSettings,
    LatencySettings,
    OutputSettings,
    RuntimeSettings,
    Settings,
)
from export.errors import BadInput

GROUPS = {
    "Input": InputSettings,
    "Runtimes": RuntimeSettings,
    "Checks": CheckSettings,
    "Latency": LatencySettings,
    "Output": OutputSettings,
}

#: Settings that only one side has: what to print, where the text is, and what the command line decides.
COMMAND_ALONE = {"text_file", "format_", "full", "quiet", "json", "verbose", "resume", "explain", "_version"}
PYTHON_ALONE = {"fallback"}

#: Parameters of the Python API that are not settings of the comparison.
NO_SETTINGS = {"progress": None}

#: The field of the settings that says how the comparison was asked for.
NO_OPTION = "command"

#: Settings that the command line takes in percent.
PERCENT = {"precision", "max_load"}


def defaults(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    return {name: each.default for name, each in parameters.items() if name not in ("context", "model")}


def settings() -> dict[str, Any]:
    """Return option -> default, from the settings; `time` has two."""
    found = {field.name: field.default for group in GROUPS.values() for field in fields(group)}
    del found[NO_OPTION]
    return {"runtimes": found.pop("names"), **found, "time": None}


def test_python_has_every_setting_with_its_default() -> None:
    assert defaults(compare_attention_implementations) == settings() | NO_SETTINGS


def test_the_command_line_has_every_setting_with_its_default() -> None:
    expected = {name: default for name, default in settings().items() if name not in PYTHON_ALONE}
    found = {name: default for name, default in defaults(command).items() if name not in COMMAND_ALONE}
    for name in PERCENT:
        found[name] = found[name] and found[name] / 100
    assert found == expected


def test_each_option_is_in_the_panel_of_its_group() -> None:
    groups = {field.name: panel for panel, group in GROUPS.items() for field in fields(group)}
    groups["runtimes"] = groups.pop("names")
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            assert get_args(parameter.annotation)[1].rich_help_panel == groups[name], name


def test_the_load_that_help_names_is_the_default() -> None:
    option = get_args(inspect.signature(command).parameters["max_load"].annotation)[1]
    assert option.show_default == f"{100 * MAX_LOAD:g}"


def test_an_option_goes_to_its_group() -> None:
    found = Settings.of(text="a", runtimes=["x"], timeout=3.0, decode=False, time=None, seed=7, keep_traces=True)
    assert found == Settings(
        InputSettings(text="a"),
        RuntimeSettings(names=["x"], timeout=3.0),
        CheckSettings(decode=False),
        LatencySettings(seed=7),
        OutputSettings(keep_traces=True),
    )
    assert Settings.of() == Settings()
    with pytest.raises(TypeError, match="no such settings: seconds"):
        Settings.of(seconds=3)


def test_quick_takes_what_was_not_given() -> None:
    quick = Settings.of(quick=True)
    assert (quick.runtimes.names, quick.latency.time) == (QUICK_RUNTIMES, 5)
    chosen = Settings.of(quick=True, runtimes=[], time=9.0)
    assert (chosen.runtimes.names, chosen.latency.time) == ([], 9)
    assert Settings.of(quick=True, baseline="b.onnx").runtimes.names is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"onnx": "a.onnx"}, "onnx needs model or baseline, which names what to compare it with"),
        ({"baseline": "b.onnx"}, "baseline needs onnx, the ONNX file to compare with it"),
        (
            {"model": "tiny", "onnx": "a", "baseline": "b"},
            "model and baseline exclude each other, because onnx is",
        ),
        ({"onnx": "a", "baseline": "b", "runtimes": ["all"]}, "runtimes cannot be used with baseline"),
        ({"time": 0.0}, "time is 0 seconds; it must be above 0"),
        ({"min_rounds": 0}, "min_rounds is 0; it must be at least 1"),
    ],
)
def test_python_is_refused_by_the_names_that_it_knows(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        compare_attention_implementations(**options)
    assert str(refused.value).startswith(message)
