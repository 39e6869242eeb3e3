"""The public Python API: load a model, compare it across runtimes, and draw the figures (docs/seed.md)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from compare.pipeline.call import written_call
from compare.pipeline.paths import make_folder, path_of
from compare.pipeline.settings import (
    DEFAULT_MODEL,
    CheckSettings,
    InputSettings,
    LatencySettings,
    OutputSettings,
    RuntimeSettings,
    Settings,
)
from export.display import default_progress
from export.models import MiniTransformer
from export.progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from compare.report.schema import Report


def load_mini_transformer(
    name: str = DEFAULT_MODEL,
    *,
    offline: bool = False,
    fallback: Literal["seeded"] | None = None,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> MiniTransformer:
    """Load a causal language model or an encoder from the cache. If it is not in the cache yet, it is exported first.

    name: "distilgpt2", "distilgpt2-seeded", "byte-gpt2", a folder or a hub id.
    offline: do not contact the hub.
    fallback: with "seeded", a pinned hub model that cannot be loaded is replaced by its architecture with random
        weights, and `provenance` says so.
    cache_dir: the folder of the cache; None is the default one.
    progress: shows the stages of an export. By default, a notebook shows lines, and a script shows nothing.

    Returns (model, tokenizer, provenance). Raises `export.errors.CannotRun` if the model cannot be loaded, and
    `export.errors.BadInput` if a folder cannot be used.

    >>> model, tokenizer, provenance = load_mini_transformer("byte-gpt2")
    >>> model.config.n_layer, provenance.kind, tokenizer.tokenize("Hi!")
    (4, 'byte-gpt2', ['H', 'i', '!'])
    """
    from export.exporting import exported
    from export.models import load_exported

    shown = default_progress() if progress is None else progress
    with shown.ticking():
        entry = exported(name, offline=offline, fallback=fallback, cache_dir=cache_dir, progress=shown)
    manifest = entry.manifest
    return load_exported(entry.folder, manifest.source, manifest.checkpoint, manifest.model["pooling"])


def compare_attention_implementations(
    model: str | MiniTransformer | None = None,
    text: str | None = None,
    runtimes: Sequence[str] | None = None,
    *,
    sequence: int | None = None,
    batch: int = InputSettings.batch,
    exporter: str = InputSettings.exporter,
    onnx: Path | None = None,
    baseline: Path | None = None,
    offline: bool = InputSettings.offline,
    fallback: Literal["seeded"] | None = None,
    providers: Sequence[str] | None = None,
    device: str = RuntimeSettings.device,
    options: Mapping[str, Mapping[str, str]] | None = None,
    threads: int | None = None,
    timeout: float = RuntimeSettings.timeout,
    latency: bool = CheckSettings.latency,
    decode: bool = CheckSettings.decode,
    thorough: bool = CheckSettings.thorough,
    quick: bool = CheckSettings.quick,
    fail_on: str = CheckSettings.fail_on,
    time: float | None = None,
    precision: float = LatencySettings.precision,
    min_rounds: int | None = None,
    max_load: float | None = None,
    seed: int = LatencySettings.seed,
    pin: bool = LatencySettings.pin,
    memory: float | None = None,
    interference: bool = LatencySettings.interference,
    grid: str | None = None,
    out: Path | None = None,
    keep_traces: bool = OutputSettings.keep_traces,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> "Report":
    """Compare a model across runtimes: gaps to a float64 run, latency, and decoding.

    The parameters have the names and the defaults of the options of `python -m compare`.

    model: a name, a folder, or the result of `load_mini_transformer`, which is compared in its current state: if you
        change a weight, the changed model is compared. By default distilgpt2.
    text: the text that runs through the model, by default one that ships with the project.
    runtimes: names from the list of `python -m compare runtimes`, or "all"; by default those that run by default.
    sequence: tokens in each sequence, by default the whole `text`, or 128 tokens of the text that ships with the
    project.
    batch: the number of sequences in a batch.
    exporter: makes the graphs, by default dynamo. "optimum" adds a row with dynamo's graph, and compares the two.
    onnx: an ONNX file, which is compared with the model in a row of its own.
    baseline: the ONNX file that `onnx` is compared with instead of a model.
    offline: do not contact the hub.
    fallback: see `load_mini_transformer`.
    providers: execution providers of ONNX Runtime, or plug-ins with one; each gets a row.
    device: what the runtimes compute on, "cpu" or "cuda".
    options: row -> key -> value of options of its runtime, such as {"torch-eager": {"matmul_precision": "high"}}.
    threads: threads in each runtime, by default one for each core.
    timeout: seconds that a process may take for one answer before it counts as failed.
    latency: whether runtimes are timed.
    decode: whether decoding with a cache is timed and checked.
    thorough: rerun also with other batches, padding and numbers of threads, check caches after three prefills, and
        time the graphs that expose every tap or only the last position's logits.
    quick: compare 32 tokens in torch-eager and onnxruntime for 5 seconds, unless these are given.
    fail_on: the mildest verdict for which `report.exit_code()` is 1.
    time: the time limit of the rounds, in seconds; by default 30, or 4 for each runtime if that is more.
    precision: the rounds end early once every ratio is known to this share of itself.
    min_rounds: the fewest rounds, even if they take longer than `time`; by default 4.
    max_load: a turn counts if other processes use at most this share of the CPU time; by default 0.05.
    seed: seed of the order of turns, and of the intervals.
    pin: pin each timed process to one CPU per thread.
    memory: GB that the timed processes may use together, by default what is free.
    interference: also time each runtime while the others are not suspended.
    grid: further sequences and batches to time, such as "32,128x1,4".
    out: the folder for the report, by default a new one in the cache.
    keep_traces: whether the tensors of every run are kept in that folder.
    cache_dir: the folder of the cache.
    progress: shows the stages of the comparison (`export.progress.Progress`). By default, a notebook shows lines, and
        a script shows nothing; `export.display.Plain()` prints lines to stderr.

    Returns the report, which is also saved as `report.json` in `report.folder`. Raises `export.errors.ComparisonError`
    for wrong input, and if the model or a named runtime cannot run. A runtime that fails later is a row with an error.

    >>> report = compare_attention_implementations(
    ...     "byte-gpt2", "To be or not to be", ["torch-eager", "onnxruntime"], latency=False)
    >>> [runtime.name for runtime in report.runtimes if runtime.name not in report.untrusted]
    ['torch-eager', 'onnxruntime']

    >>> from export.progress import Progress
    >>> class Stages(Progress):
    ...     def stage(self, name, what="", of=None):
    ...         print(name, "" if of is None else f"({of} steps)")
    >>> report = compare_attention_implementations(
    ...     "byte-gpt2", "To be or not to be", ["onnxruntime"], latency=False, progress=Stages())
    golden (2 steps)
    traces (2 steps)
    """
    given = {name: value for name, value in locals().items() if name != "progress"}
    from compare.pipeline.dispatch import run_comparison

    settings = Settings.of(
        text=text,
        runtimes=runtimes,
        sequence=sequence,
        batch=batch,
        exporter=exporter,
        onnx=onnx,
        baseline=baseline,
        offline=offline,
        fallback=fallback,
        providers=providers,
        device=device,
        options=options,
        threads=threads,
        timeout=timeout,
        latency=latency,
        decode=decode,
        thorough=thorough,
        quick=quick,
        fail_on=fail_on,
        time=time,
        precision=precision,
        min_rounds=min_rounds,
        max_load=max_load,
        seed=seed,
        pin=pin,
        memory=memory,
        interference=interference,
        grid=grid,
        out=out,
        keep_traces=keep_traces,
        cache_dir=cache_dir,
        command=written_call(compare_attention_implementations, given),
    )
    return run_comparison(model, settings, default_progress() if progress is None else progress)


def visualize_model_comparison(
    report: "Report", out: Path | None = None, *, layer: int | None = None, head: int | None = None
) -> "dict[str, Figure]":
    """Draw the figures of a comparison, or the attention of one head.

    out: a folder, into which each figure is also written as NAME.png and NAME.svg.
    layer, head: counted from 0. With both, the figures are one for each runtime that exposes its attention,
        `layerLAYER_headHEAD_RUNTIME`: this head in golden and in the runtime, and the difference. Without them, the
        figures are those of the report: errors by layer, times if they were measured, and three heads of each runtime.

    Returns matplotlib figures by name. Raises `export.errors.BadInput` if only one of `layer` and `head` is given, or
    if the model has no such head.

    >>> report = compare_attention_implementations("byte-gpt2", "Two words", ["torch-eager"], latency=False)
    >>> sorted(visualize_model_comparison(report))
    ['gap_by_layer', 'heads_torch-eager']
    >>> list(visualize_model_comparison(report, layer=3, head=0))
    ['layer3_head0_torch-eager']
    """
    from compare.report.head_maps import head_asked_for, maps_of_head

    asked_for = head_asked_for(layer, head)
    maps = {} if asked_for is None else maps_of_head(report, asked_for)
    if out is not None:
        out = path_of("out", out)
        make_folder(out)
    # Only after the checks: the first import of matplotlib writes a list of the fonts into the user's home.
    from compare.report.render.plots.figures import draw_figures, save_figures
    from compare.report.render.plots.heads import pages_of

    figures = draw_figures(report) if asked_for is None else pages_of(report, asked_for, maps)
    if out is not None:
        save_figures(figures, out)
    return figures
