"""Check that two reports can be compared, and name the circumstances in which they differ."""

from collections.abc import Iterator

from compare.report.schema import Report
from compare.results.circumstances import Environment
from export.errors import BadInput


def check_comparable(older: Report, newer: Report) -> None:
    """Raise `BadInput`, with both values, unless the two reports are of one model on one input."""
    _check("models", _model(older), _model(newer), "give both runs the same --model")
    if older.model is None:
        _check("baselines", _graph(older), _graph(newer), "give both runs the same --baseline FILE")
    if older.quick != newer.quick:
        _check("extents", _extent(older), _extent(newer), "run both with --quick, or both without")
    what_mends = "give both runs the same --text or --text-file, --sequence and --batch"
    _check("inputs", _input(older), _input(newer), what_mends)


def _check(what: str, older: str, newer: str, what_mends: str) -> None:
    if older != newer:
        raise BadInput(f"the two reports are of different {what}: A of {older}, B of {newer}; {what_mends}")


def _model(report: Report) -> str:
    if report.model is None:
        return "no model but two ONNX files"
    return f"{report.model.name} ({report.model.provenance}; vocabulary {report.model.vocabulary:,})"


def _graph(report: Report) -> str:
    """Return the baseline of a comparison without a model. Only the other file may differ between reports."""
    graph = report.runtimes[0].graph
    return "none" if graph is None else f"{graph.file} (SHA-256 {graph.sha256[:12]})"


def _extent(report: Report) -> str:
    return "a quick run" if report.quick else "a whole run"


def _input(report: Report) -> str:
    part = report.input
    return f"{part.batch} x {part.sequence} {report.token_word} (SHA-256 {part.sha256[:12]})"


def circumstances(older: Report, newer: Report) -> list[str]:
    """Return a sentence for each circumstance that differs: hardware, threads, packages, exporter."""
    then, now = older.environment, newer.environment
    sentences = []
    for what, first, second in (
        ("the processor", then.processor, now.processor),
        ("the number of threads", then.threads, now.threads),
        ("the number of cores", then.cores, now.cores),
        ("the device", _device(then), _device(now)),
    ):
        if first != second:
            sentences.append(f"{what} differs: {first} then, {second} now; that alone may change ratios")
    sentences += [
        f"options of {name} differ: {first or 'none'} then, {second or 'none'} now"
        for name, first, second in _options(older, newer)
        if first != second
    ]
    if packages := _packages(then, now):
        sentences.append(f"packages differ: {packages}")
    if older.model and newer.model and older.model.exporter != newer.model.exporter:
        sentences.append(f"the exporter differs: {older.model.exporter} then, {newer.model.exporter} now")
    return sentences


def _device(part: Environment) -> str:
    return "; ".join([part.device, *part.gpus])


def _options(older: Report, newer: Report) -> Iterator[tuple[str, str, str]]:
    """Yield each runtime of both reports with its options in each of them, as text."""
    then, now = (
        {
            runtime.name: ", ".join(f"{key}={value}" for key, value in sorted(runtime.options.items()))
            for runtime in rows
        }
        for rows in (older.runtimes, newer.runtimes)
    )
    yield from ((name, then[name], now[name]) for name in then if name in now)


def _packages(then: Environment, now: Environment) -> str:
    """Return the packages whose versions differ, including Python, each with both versions; empty if none differ."""
    first, second = ({"python": part.python, **part.packages} for part in (then, now))
    names = [name for name in dict.fromkeys([*first, *second]) if first.get(name) != second.get(name)]
    absent = "not installed"
    return ", ".join(f"{name} {first.get(name, absent)} then, {second.get(name, absent)} now" for name in names)
