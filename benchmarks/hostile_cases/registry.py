"""All cases, in order."""

from collections import defaultdict
from collections.abc import Iterator

from benchmarks.hostile_cases import (
    argv,
    attention_maps,
    bounds,
    cache_entries,
    downloads,
    environments,
    external_data,
    listed_reports,
    model_configurations,
    model_folders,
    model_weights,
    onnx_inputs_and_outputs,
    onnx_names,
    onnx_operators,
    onnx_structures,
    python_calls,
    report_folders,
    report_texts,
    runtime_options,
    saved_reports,
    streams,
    texts,
    tokenizer_files,
    unusual_models,
)
from benchmarks.hostile_cases.case import Case

_KINDS = (
    argv,
    texts,
    model_configurations,
    model_folders,
    model_weights,
    unusual_models,
    tokenizer_files,
    onnx_structures,
    onnx_inputs_and_outputs,
    onnx_operators,
    onnx_names,
    external_data,
    cache_entries,
    downloads,
    saved_reports,
    report_texts,
    listed_reports,
    attention_maps,
    report_folders,
    runtime_options,
    environments,
    streams,
    bounds,
    python_calls,
)


def every_case() -> list[Case]:
    """Return all cases. Each has a name of its own."""
    return [case for kind in _KINDS for case in kind.cases()]


def spread(cases: list[Case], most: int) -> list[Case]:
    """Return at most so many cases of each mechanism, spread evenly over them, in order.

    >>> from benchmarks.hostile_cases.case import mechanism
    >>> of = mechanism("a number that is none")
    >>> [case.detail for case in spread([of(letter, "compare") for letter in "abcdef"], 3)]
    ['a', 'c', 'e']
    """
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.mechanism].append(case)
    chosen = (group[place * len(group) // most] for group in groups.values() for place in range(most))
    names = {case.name for case in chosen}
    return [case for case in cases if case.name in names]


def named(cases: list[Case], pattern: str) -> Iterator[Case]:
    """Yield the cases whose name contains a text."""
    return (case for case in cases if pattern in case.name)
