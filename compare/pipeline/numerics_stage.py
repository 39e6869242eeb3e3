"""The numerics stage: golden, the controls, and a trace, gaps and a verdict for each runtime.

Traces and the numerics process take turns. Side by side, each would wait for the other's threads: idle threads of
OpenMP occupy a CPU while they wait for work. A trace took twice as long, and a weighing three times.
"""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compare.latency.series import Series
from compare.numerics.diagnostics.embeddings import States, embedding_changes
from compare.numerics.diagnostics.heads import choose_heads, difference_maps, golden_maps
from compare.numerics.diagnostics.next_token import decisions
from compare.numerics.gaps import WrongShape, gaps
from compare.numerics.golden_cache import GOLDEN_RUNS
from compare.numerics.padded_verdicts import worse
from compare.numerics.process import Numerics
from compare.pipeline.bare_rows import bare_row, with_taps_by_structure
from compare.pipeline.context import BESIDE, GOLDEN, INPUTS, ModelRun, Row
from compare.pipeline.padding_stage import judge_padded
from compare.pipeline.resume import save
from compare.pipeline.row_trace import fitting, make_trace, weighed
from compare.pipeline.stages import GOLDEN as GOLDEN_STAGE
from compare.pipeline.stages import TRACES
from compare.processes.child import ChildFailed
from compare.report.schema import MAPS_FILE
from compare.results.circumstances import Controls, Head, Ruler
from compare.results.embeddings import EmbeddingChanges
from compare.results.gaps import Decisions, Gap
from compare.results.machine_limits import Work
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict
from compare.runtimes.registry import GRAPH_RUNTIME
from compare.traces import Trace
from export.cache import cache_root, verify
from export.errors import CannotRun

#: The fewest distinct controls that verdicts may rest on; fewer show too little of what rounding does.
FEWEST_CONTROLS = 5


@dataclass(frozen=True)
class Measured:
    """The results of the numerics stage.

    between: tensor -> gap between the graphs of the chosen and the default exporter; empty unless both were traced.
    work: the model's work on the input, or the reason why it could not be counted; None if nothing is timed.
    """

    ruler: Ruler
    controls: Controls
    runtimes: list[RuntimeResult]
    heads: list[Head]
    between: dict[str, Gap]
    work: Work | str | None


@contextmanager
def numerics_of(run: ModelRun) -> Iterator[Numerics]:
    """Yield the numerics process of a run, and end it on exit."""
    run.progress.detail(f"the numerics process starts; log {run.log('golden')}")
    numerics = Numerics(
        run.entry.folder,
        run.input_folder,
        run.scratch / GOLDEN,
        padded=(run.padded_folder(INPUTS), run.padded_folder(GOLDEN)),
        kept=cache_root(run.output.cache_dir) / GOLDEN_RUNS,
        threads=run.threads,
        log=run.log("golden"),
        timeout=run.timeout,
    )
    try:
        yield numerics
    finally:
        numerics.end()


def measure(run: ModelRun, started: list[Series], numerics: Numerics) -> Measured:
    """Compute golden and the floors, then trace and judge each runtime. The entries' files are hashed meanwhile.

    started: the series whose processes import their libraries meanwhile. Raises `CannotRun` if golden or the controls
    cannot be computed or the ruler does not hold, and `BadInput` if a file of an entry has changed.
    """
    beside = ThreadPoolExecutor(max_workers=1)
    try:
        long_imports = [series for series in started if not series.process.forked]
        meanwhile = [beside.submit(series.import_libraries) for series in long_imports]
        meanwhile += [beside.submit(verify, entry) for entry in run.entries]
        golden, ruler, controls = make_golden(run, numerics)
        heads = choose_heads(golden)
        maps = {f"{GOLDEN}/{name}": array for name, array in golden_maps(golden).items()}
        runtimes: list[RuntimeResult] = []
        run.progress.stage(TRACES, "each runtime runs once, and its tensors are compared with golden", of=len(run.rows))
        for row in run.rows:
            part, row_maps = kept_or_judged(run, row, golden, numerics)
            if not runtimes:  # forked processes copy their memory now, because it would delay the first verdict
                meanwhile += [beside.submit(each.import_libraries) for each in started if each not in long_imports]
            runtimes.append(part)
            run.progress.results(runtimes=runtimes)
            maps |= {f"{row.name}/{name}": array for name, array in row_maps.items()}
        run.progress.waits("counting the model's work")
        work = count_work(run, numerics) if started else None
        between = compare_exporters(run, {part.name for part in runtimes if part.gaps})
        run.progress.waits("hashing the files of the cache entry, and imports")
        for future in meanwhile:
            future.result()
    finally:  # after an error nothing waits: the caller ends the processes that import
        beside.shutdown(wait=False, cancel_futures=True)
    arrays: dict[str, Any] = maps  # numpy's type hints take each keyword for a flag
    np.savez_compressed(run.out / MAPS_FILE, **arrays)
    return Measured(ruler, controls, runtimes, heads, between, work)


def count_work(run: ModelRun, numerics: Numerics) -> Work | str:
    """Return the model's work. The workers still import meanwhile. Raises `CannotRun` if the numerics process fails."""
    try:
        return numerics.work()
    except ChildFailed as error:
        raise CannotRun(f"the model's work could not be counted: {error}; see {run.log('golden')}") from error


def make_golden(run: ModelRun, numerics: Numerics) -> tuple[Trace, Ruler, Controls]:
    """Compute golden, check the ruler, and compute the controls.

    Raises `CannotRun` if any of this fails, or if too few controls are distinct.
    """
    run.progress.stage(GOLDEN_STAGE, "the model runs in float64, and every runtime is compared with that run", of=2)
    try:
        golden, ruler = numerics.golden()
        run.progress.step(str(ruler))
        if not ruler.holds:
            raise CannotRun(ruler.why_not())
        run.progress.waits("controls, float32 runs that show what rounding does")
        names, distinct = numerics.controls()
    except ChildFailed as error:
        raise CannotRun(f"the golden run failed: {error}; its log is {run.log('golden')}") from error
    if distinct < FEWEST_CONTROLS:
        raise CannotRun(
            f"only {distinct} of {len(names)} controls are distinct, too few to show what rounding does (at least "
            f"{FEWEST_CONTROLS}); give a longer text"
        )
    run.progress.step(f"{distinct} distinct controls show what rounding does")
    return golden, ruler, Controls(names=names, distinct=distinct)


def kept_or_judged(
    run: ModelRun, row: Row, golden: Trace, numerics: Numerics
) -> tuple[RuntimeResult, Mapping[str, Any]]:
    """Return the result of a row and the maps of its attention: those from before an interruption, or new ones."""
    if (kept := run.kept.get(row.name)) is not None:
        run.progress.step(f"{row.name}: from before the interruption")
        if kept.lower is not None:
            run.found_lower[row.name] = kept.lower
        return kept.result, kept.maps
    result, found = traced_and_judged(run, row, golden, numerics)
    maps = {} if found is None else difference_maps(found, golden)
    save(run, result, maps)
    return result, maps


def traced_and_judged(run: ModelRun, row: Row, golden: Trace, numerics: Numerics) -> tuple[RuntimeResult, Trace | None]:
    """Trace a runtime and judge it. Return its row and its trace; None for the trace if the row has an error."""
    bare = bare_row(row)
    if row.unusable:
        run.progress.step(f"{row.name}: {row.unusable}")
        return replace(bare, error=row.unusable), None
    run.progress.waits(f"{row.name} runs")
    try:
        trace = fitting(make_trace(run, row), row, golden)
    except (ChildFailed, CannotRun, WrongShape) as error:
        run.progress.step(f"{row.name}: {error}")
        verdict = Verdict(kind="broken", note=str(error)) if isinstance(error, WrongShape) else None
        return replace(bare, error=str(error), verdict=verdict), None
    run.progress.waits(f"{row.name} is compared")
    trace, known, verdict = weighed(run, row, trace, numerics)
    output = known[run.output_name]
    choices = decided(run, output, trace, golden) if run.causal and run.entry.manifest.source.trained else None
    run.phases.setdefault("until first gap row", time.monotonic() - run.started)
    run.progress.waits(f"{row.name}: {verdict.kind}; it is compared on the padded input")
    padding = judge_padded(run, row, verdict, trace, numerics)
    run.progress.step(f"{row.name}: {worse(padding).kind}, {output.tensor} {output.max:.1e} from golden")
    weighed_row = replace(
        with_taps_by_structure(bare, [name for name in row.found if name in trace]),
        verdict=worse(padding),
        padding=padding,
        decisions=choices,
        embeddings=None if run.causal else embedded(run, row, output, trace, golden),
        facts={**row.converted, **trace.facts["facts"]},
        gaps=[known.get(name) or Gap(tensor=name, exposed=False) for name in golden],
    )
    return weighed_row, trace


def decided(run: ModelRun, logits: Gap, trace: Trace, golden: Trace) -> Decisions:
    """Return how a run's predicted next tokens differ from golden's."""
    inputs, rounding = run.inputs, rounding_of(logits)
    return decisions(trace["logits"], golden["logits"], inputs.input_ids, inputs.attention_mask, rounding=rounding)


def embedded(run: ModelRun, row: Row, states: Gap, trace: Trace, golden: Trace) -> EmbeddingChanges | None:
    """Return how a run's embeddings differ from golden's; None if there is only one text.

    states: the gap of the last hidden states. trace, golden: those of the text. The texts of the padded input count
    too, unless the row did not run on it.
    """
    name, padded = run.output_name, run.padded
    inputs = [States(trace[name], golden[name], run.inputs.attention_mask)]
    folders = run.padded_folder(trace.folder.name), run.padded_folder(GOLDEN)
    if padded is not None and not row.unpadded and all(folder.is_dir() for folder in folders):
        found, truth = map(Trace, folders)
        if name in found and found[name].shape == truth[name].shape:
            inputs.append(States(found[name], truth[name], padded.attention_mask))
    return embedding_changes(inputs, run.entry.manifest.model["pooling"], rounding=rounding_of(states))


def rounding_of(output: Gap) -> float:
    """Return the largest gap of the controls' output, from the gap of a run's output and its evidence."""
    assert output.max is not None and output.evidence is not None
    multiple = output.evidence.accumulated.max
    return output.max / multiple if multiple else 0.0


def compare_exporters(run: ModelRun, traced: set[str]) -> dict[str, Gap]:
    """Return the gap of each tensor between two exporters' graphs in one runtime; empty unless both were traced.

    traced: the rows that have gaps.
    """
    pair = (GRAPH_RUNTIME, BESIDE)
    if run.beside is None or not traced.issuperset(pair):
        return {}
    chosen, default = (Trace(run.scratch / name) for name in pair)
    return {gap.tensor: gap for gap in gaps(chosen, default, run.inputs.attention_mask, causal=run.causal)}
