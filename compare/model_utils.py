"""The four functions of the course, thin over the rest of the project (docs/seed.md)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from compare.pipeline.settings import (
    DEFAULT_MODEL,
    CheckSettings,
    InputSettings,
    LatencySettings,
    OutputSettings,
    RuntimeSettings,
    Settings,
)
from export.models import MiniTransformer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from compare.report.schema import Report


def load_mini_transformer(
    name: str = DEFAULT_MODEL,
    *,
    offline: bool = False,
    fallback: Literal["seeded"] | None = None,
    cache_dir: Path | None = None,
) -> MiniTransformer:
    """Load a causal language model by way of the cache, exporting it there first where it is new.

    name: "distilgpt2", "distilgpt2-seeded", "byte-gpt2", a folder or a hub id. offline: never ask the hub. fallback:
    with "seeded", a pinned hub model that cannot be had is replaced by its architecture with random weights, and
    `provenance` says so.

    Returns (model, tokenizer, provenance). Raises `export.errors.CannotRun` where the model cannot be had, and
    `export.errors.BadInput` for a folder that cannot be used.

    >>> model, tokenizer, provenance = load_mini_transformer("byte-gpt2")
    >>> model.config.n_layer, provenance.kind, tokenizer.tokenize("Hi!")
    (4, 'byte-gpt2', ['H', 'i', '!'])
    """
    from export.exporting import exported
    from export.models import load_exported

    entry = exported(name, offline=offline, fallback=fallback, cache_dir=cache_dir)
    return load_exported(entry.folder, entry.manifest.source, entry.manifest.checkpoint)


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
    threads: int | None = None,
    timeout: float = RuntimeSettings.timeout,
    latency: bool = CheckSettings.latency,
    decode: bool = CheckSettings.decode,
    quick: bool = CheckSettings.quick,
    fail_on: str = CheckSettings.fail_on,
    time: float | None = None,
    precision: float = LatencySettings.precision,
    min_rounds: int = LatencySettings.min_rounds,
    max_load: float | None = None,
    seed: int = LatencySettings.seed,
    pin: bool = LatencySettings.pin,
    memory: float | None = None,
    interference: bool = LatencySettings.interference,
    grid: str | None = None,
    out: Path | None = None,
    keep_traces: bool = OutputSettings.keep_traces,
    cache_dir: Path | None = None,
) -> "Report":
    """Compare a model across runtimes: gaps to the golden run in float64, and latency.

    The options are those of `python -m compare`, and have the same names and defaults.

    model: a name, a folder, or what `load_mini_transformer` returned, which is compared as it is now: change a weight
        and the changed model is compared. By default distilgpt2.
    text: what runs through it, by default a text that ships with the project.
    runtimes: names as `python -m compare runtimes` lists them, by default all.
    sequence, batch: tokens in each sequence, by default all of the text given or 128 of the one that ships; sequences.
    exporter: makes the graphs. "optimum" adds a row with our graph, and compares the two.
    onnx: an ONNX file, which is compared with the model in a row of its own.
    baseline: another one that it is compared with instead of a model.
    offline: never ask the hub.
    fallback: as of `load_mini_transformer`.
    threads: of each runtime, by default one for each core.
    timeout: seconds that a process may take for one answer before it counts as failed.
    latency, decode: whether runtimes are timed, and whether decoding is timed and checked.
    quick: 32 tokens, 5 seconds, torch-eager and onnxruntime, unless these are given.
    fail_on: the verdict from which on `report.exit_code()` is 1.
    time: seconds after which the rounds end at the latest, by default 30.
    precision: the rounds end before that once every ratio is known to this share of it.
    min_rounds: rounds that are taken even if they take longer than `time`.
    max_load: the share of the CPU that other processes may use in a turn that counts, by default 0.05.
    seed: of the order of turns, and of the intervals.
    pin: pin each timed process to one CPU per thread.
    memory: GB that the timed processes may use together, by default what is free.
    interference: time each runtime while the others are not suspended, too.
    grid: further sequences and batches to time, such as "32,128x1,4".
    out: the folder for the report, by default a new one in the cache.
    keep_traces: keep the tensors of every run in that folder.
    cache_dir: the folder of the cache.

    Returns the report, which is in `report.folder` too, as `report.json`. Raises `export.errors.ComparisonError` for
    what a person can mend; a runtime that fails is a row of the report.

    >>> report = compare_attention_implementations(
    ...     "byte-gpt2", "To be or not to be", ["torch-eager", "onnxruntime"], latency=False)
    >>> [runtime.name for runtime in report.runtimes if runtime.name not in report.untrusted]
    ['torch-eager', 'onnxruntime']
    """
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
        threads=threads,
        timeout=timeout,
        latency=latency,
        decode=decode,
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
    )
    return run_comparison(model, settings)


def visualize_model_comparison(report: "Report", out: Path | None = None) -> "dict[str, Figure]":
    """The figures of a comparison: gap by layer, latency (if timed) against gap, golden's heads beside each runtime's.

    Returns matplotlib figures by name; with `out`, writes each into that folder as NAME.png.

    >>> report = compare_attention_implementations("byte-gpt2", "Two words", ["torch-eager"], latency=False)
    >>> sorted(visualize_model_comparison(report))
    ['gap_by_layer', 'heads_torch-eager']
    """
    from compare.report.render.plots import draw_figures, save_figures

    figures = draw_figures(report)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        save_figures(figures, out)
    return figures
