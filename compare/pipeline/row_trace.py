"""Trace a row's runtime once, weigh the trace, and judge it.

The numerics stage does this for each row's first run, and the second look for its further runs.
"""

from pathlib import Path

from compare.numerics.gaps import WrongShape, check_shapes
from compare.numerics.process import Numerics
from compare.numerics.verdicts import judge
from compare.onnx_files.structure import misplaced
from compare.pipeline.context import INPUTS, ModelRun, Row, Run
from compare.processes.child import ChildFailed
from compare.results.gaps import Gap, evidence_of
from compare.results.precisions import OWN_CONTROLS
from compare.results.verdicts import Verdict
from compare.runtimes.tracer import Second, trace
from compare.traces import Trace, forget, same_bits
from export.errors import CannotRun
from export.kinds import output_among


def make_trace(run: Run, row: Row, out: Path | None = None) -> Trace:
    """Trace a row's runtime in a process of its own.

    out: the folder of the trace; by default one with the row's name in the scratch folder. The same process also traces
    the padded input, if the row takes it, into the padded folder of the same name. Raises `ChildFailed` if the process
    fails, and `CannotRun` if the runtime is not installed.
    """
    out = out or run.scratch / row.name
    run.progress.detail(f"{out.name} is traced; log {run.log(out.name)}")
    row.spec.check_installed()
    second = None
    if run.padded is not None and not row.unpadded:
        at_once = row.at_once or len(run.padded.input_ids)
        second = Second(run.padded_folder(INPUTS), run.padded_folder(out.name), at_once)
    return trace(
        row.spec.name,
        row.folder,
        run.input_folder,
        out,
        arguments=row.arguments,
        second=second,
        threads=run.threads,
        log=run.log(out.name),
        timeout=run.timeout,
        memory=run.memory_of(row),
    )


def fitting(found: Trace, row: Row, golden: Trace) -> Trace:
    """Return a trace without the taps that were located by structure alone and do not have golden's shape.

    Those that golden does not have are left out too: a model may expose less than the structure of its graph shows.

    Raises `WrongShape` if the trace has no output of the model, or if another tensor does not have golden's shape.
    """
    if unfit := [name for name in row.found if name not in golden or found[name].shape != golden[name].shape]:
        found = forget(found.folder, unfit)
    check_output(found, golden)
    return found


def check_output(found: Trace, golden: Trace) -> None:
    """Raise `WrongShape` if a trace has no output of the model, or if a tensor does not have golden's shape."""
    if (output := output_among(golden)) not in found:
        raise WrongShape(f"the run gave no {output}")
    check_shapes(found, golden)


def weighed(run: ModelRun, row: Row, found: Trace, numerics: Numerics) -> tuple[Trace, dict[str, Gap], Verdict]:
    """Weigh and judge a trace. Return it, the gap of each tensor, and the verdict.

    Taps that were located in the wrong place are left out. If the errors show a lower precision that the row does not
    declare, they are also weighed in floors of that precision, here and in the row's later runs. Raises `CannotRun` if
    the numerics process fails.
    """
    found, known = _weighed(run, row, found, numerics)
    verdict = _judged(run, row, found, known)
    if verdict.kind == "reduced precision" and not verdict.own and verdict.precision in OWN_CONTROLS:
        run.found_lower[row.name] = verdict.precision
        found, known = _weighed(run, row, found, numerics)
        verdict = _judged(run, row, found, known)
    return found, known, verdict


def _weighed(run: ModelRun, row: Row, found: Trace, numerics: Numerics) -> tuple[Trace, dict[str, Gap]]:
    precision = run.precision_of(row.name)
    try:
        known = numerics.weigh(found.folder, precision)
        relative = {name: gap.rms / gap.size if gap.rms and gap.size else 0.0 for name, gap in known.items()}
        if wrong := misplaced(relative, row.found):
            found = forget(found.folder, wrong)
            known = numerics.weigh(found.folder, precision)
    except ChildFailed as error:
        raise CannotRun(f"the gaps of {row.name} could not be computed: {error}; see {run.log('golden')}") from error
    return found, known


def _judged(run: ModelRun, row: Row, trace: Trace, known: dict[str, Gap]) -> Verdict:
    """Return the verdict on one run of a row. Bitwise equality is checked against the baseline's first run."""
    bitwise = row != run.baseline and same_bits(trace, run.scratch / run.baseline.name)
    return judge(evidence_of(known.values()), bitwise=bitwise, quantized=row.quantized)
