"""Two ONNX files against each other, without a model: what is equal bit for bit, and where they begin to differ.

Nothing tells rounding from a fault here: that takes golden, and golden takes a model. So nothing is judged but that a
graph is broken, and gaps are given in unit roundoffs of each tensor's size.
"""

import time

import numpy as np

from compare import machine
from compare.numerics.gaps import gaps
from compare.numerics.verdicts import Kind, Verdict
from compare.onnx_files.matching import check_inputs, check_logits, layers_of, vocabulary_of
from compare.pipeline import assemble, assemble_latency
from compare.pipeline.context import ONNX_BASELINE, ONNX_FILE, Row, Run, Say
from compare.pipeline.inputs import byte_inputs
from compare.pipeline.latency_stage import take_latency
from compare.pipeline.numerics_stage import make_trace
from compare.pipeline.prepare import make_report_folder, read_file, staged
from compare.pipeline.settings import Settings, check_settings
from compare.pipeline.start_series import started_series
from compare.processes.child import ChildFailed
from compare.report.gap_parts import RuntimePart
from compare.report.schema import Report
from compare.traces import Trace, write_trace
from export.errors import CannotRun


def compare_graphs(settings: Settings, say: Say = lambda _: None) -> Report:
    """Hold the ONNX file of the settings against their baseline, in ONNX Runtime, and write the report.

    Raises `BadInput` for a file or settings that cannot be used, and `CannotRun` where the baseline does not run.
    """
    started = time.monotonic()
    check_settings(settings)
    file, other = read_file(settings.onnx), read_file(settings.baseline)
    assert file is not None and other is not None
    for graph in (other, file):
        check_logits(graph)
    inputs = byte_inputs(
        vocabulary_of(other) or 256,
        text=settings.text,
        sequence=settings.sequence,
        batch=settings.batch,
        quick=settings.quick,
    )
    for graph in (other, file):
        check_inputs(graph, inputs)
    run = Run(
        inputs=inputs,
        rows=[],
        settings=settings,
        threads=settings.threads or machine.cores(),
        out=make_report_folder(settings, file.path.stem),
        say=say,
        started=started,
    )
    write_trace(run.input_folder, {"input_ids": inputs.input_ids, "attention_mask": inputs.attention_mask})
    for name, graph in ((ONNX_BASELINE, other), (ONNX_FILE, file)):
        run.rows.append(staged(run, name, graph, layers_of(graph) or 0))
    with started_series(run) as series:
        with run.phase("imports, traces, gaps"):
            for each in series:
                each.import_libraries()
            runtimes = hold_against(run)
        failed = {part.name for part in runtimes if part.error}
        latency = take_latency(run, series, seconds=settings.seconds, failed=failed)
    run.phases["in all"] = time.monotonic() - started
    report = Report(
        **assemble.circumstances(settings),
        model=None,
        input=assemble.input_part(inputs),
        environment=assemble.environment_part(run.threads, run.cpus),
        ruler=None,
        runtimes=runtimes,
        latency=assemble_latency.latency_parts(latency.series, settings.seed),
        rounds=latency.rounds,
        shifts=latency.shifts,
        disturbance=assemble_latency.disturbance_part(latency.all_series, run.max_load),
        interference=assemble_latency.interference_parts(latency.interference, settings.seed),
        self_gaps=latency.self_gaps,
        heads=[],
        phases={name: round(seconds, 3) for name, seconds in run.phases.items()},
    )
    report.write(run.out)
    return report


def hold_against(run: Run) -> list[RuntimePart]:
    """The row of the baseline, and that of the file with its gaps and what is said of them.

    Raises `CannotRun` where the baseline does not run; a file that does not is a row with an error.
    """
    baseline, mine = (part_of(row) for row in run.rows)
    try:
        expected = make_trace(run, run.rows[0])
    except ChildFailed as error:
        raise CannotRun(f"the baseline {run.settings.baseline} does not run: {error}") from error
    try:
        found = make_trace(run, run.rows[1])
    except ChildFailed as error:
        mine.error = str(error)
        return [baseline, mine]
    compare_traces(mine, found, expected, run)
    for part, row in zip((baseline, mine), run.rows, strict=True):
        assert part.graph is not None
        part.graph.found = list(row.found)
    run.say(f"{mine.name}: {mine.verdict.sentence if mine.verdict else mine.error}")
    return [baseline, mine]


def compare_traces(part: RuntimePart, found: Trace, expected: Trace, run: Run) -> None:
    """Fill in the gaps of one graph's tensors to another's, in the order in which it makes them, and the verdict."""
    guessed = {name for row in run.rows for name in row.found}
    shared = {
        name: expected[name]
        for name in execution_order(run.rows[1])
        if name in expected and not (name in guessed and found[name].shape != expected[name].shape)
    }
    for name, tensor in shared.items():
        if found[name].shape != tensor.shape:
            part.error = f"{name} has shape {found[name].shape}, the baseline's {tensor.shape}"
            part.verdict = assemble.verdict_part(Verdict(Kind.BROKEN, name, note=part.error))
            return
    between = list(gaps(found, shared, run.inputs.attention_mask))
    equal = {name: np.array_equal(found[name].view(np.uint8), shared[name].view(np.uint8)) for name in shared}
    part.gaps = [assemble.pair_gap_part(gap, bitwise=equal[gap.tensor]) for gap in between]
    part.gaps += [assemble.gap_part(name) for name in expected if name not in shared]
    nan = next((n for n in shared if np.isnan(found[n]).any() and not np.isnan(shared[n]).any()), None)
    differing = [gap for gap in between if not equal[gap.tensor]]
    if nan is not None:
        note = f"{nan} has NaN where the baseline has none"
        part.verdict = assemble.verdict_part(Verdict(Kind.BROKEN, nan, note=note))
    elif differing:
        part.verdict = assemble.not_judged(differing[0], shared)
    else:
        part.verdict = assemble.verdict_part(Verdict(Kind.IDENTICAL))


def execution_order(row: Row) -> list[str]:
    """The taps of a graph in the order in which it makes them."""
    assert row.file is not None
    made = [output for node in row.file.model.graph.node for output in node.output]
    places = {name: place for place, name in enumerate(made)}
    return [row.taps[name] for name in sorted(row.taps, key=lambda name: places.get(name, -1))]


def part_of(row: Row) -> RuntimePart:
    assert row.file is not None
    graph = assemble.graph_part(row.file, row.taps)
    return RuntimePart(name=row.name, precision=row.spec.precision, hybrid=False, named=True, graph=graph)
