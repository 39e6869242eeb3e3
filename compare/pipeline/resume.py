"""Keep the finished rows of a comparison until it has finished, and take them over when it is resumed.

A row's gaps and its verdict may come from before an interruption if everything that they depend on is the same: the
settings, the model, the inputs, the machine, the versions and this code. Latency is always measured as a whole, because
its ratios are of rounds in which all runtimes take turns.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from compare.pipeline.assemble import environment_part
from compare.pipeline.bare_rows import bare_row
from compare.pipeline.context import BESIDE, ModelRun, Row, Run
from compare.pipeline.settings import Settings
from compare.report import folder as report_folder
from compare.report import unfinished
from compare.report.saved import how_to_resume
from compare.report.unfinished import SavedRow
from compare.results.runtimes import RuntimeResult
from compare.runtimes.registry import GRAPH_RUNTIME
from export.errors import BadInput, ComparisonError

#: The version of what `run.json` contains.
_FORMAT = 1

#: The project's packages, whose code a row depends on, and the folder that holds them.
_PACKAGES = ("compare", "export")
_ROOT = Path(__file__).parents[2]

#: Patterns of the names of files whose code runs.
_CODE = ("*.py", "*.mjs", "*.html")


@dataclass(frozen=True)
class Begun:
    """How an unfinished comparison began.

    folder: the report's folder. model: the name of the model, or the path of its folder; None for two ONNX files.
    settings: its settings; their paths are absolute. created: the time, in UTC. facts: what its rows depend on.
    """

    folder: Path
    model: str | None
    settings: Settings
    created: str
    facts: Mapping[str, Any]


def begun_in(folder: Path) -> Begun:
    """Return how the unfinished comparison in a folder began. Raises `BadInput` if that cannot be read."""
    content = unfinished.read_begun(folder)
    try:
        if content["format"] != _FORMAT:
            raise ValueError(f"it has format {content['format']!r}, but this version uses {_FORMAT}")
        settings = TypeAdapter(Settings).validate_python(content["settings"])
        settings = replace(settings, output=replace(settings.output, out=folder))
        return Begun(folder, content["model"], settings, content["created"], content["facts"])
    except (KeyError, TypeError, ValueError) as error:
        why = "its settings are not valid" if isinstance(error, ValidationError) else f"{error}"
        raise BadInput(f"{folder} cannot be resumed: {why}; start the comparison anew") from error


def begin(run: Run, model: str | None, settings: Settings, earlier: Begun | None) -> None:
    """Write how a prepared run begins, or take over the rows that it finished earlier, and say so in its notes.

    From here on its folder says that it is unfinished.

    model: the model's name as it was given; None for two ONNX files. earlier: how the run began that is resumed; None
    for a new one. Raises `BadInput` if the rows depend on something that has changed since.
    """
    report_folder.begin(run.out)
    if earlier is None:
        report_folder.forget(run.out)
        facts = facts_of(run) if isinstance(run, ModelRun) else {}
        begun = {
            "format": _FORMAT,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "model": model_asked_for(run, model),
            "settings": TypeAdapter(Settings).dump_python(absolute(settings), mode="json"),
            "facts": facts,
        }
        unfinished.write_begun(run.out, begun)
        return
    if not isinstance(run, ModelRun):
        return
    check_same(earlier, facts_of(run))
    rows = {row.name: unfinished.read_row(run.out, row.name) for row in run.rows if not trace_needed(run, row)}
    run.kept = {name: row for name, row in rows.items() if row is not None and row.result.error is None}
    note = resumed_words(earlier, list(run.kept))
    run.notes.append(note)
    run.progress.note(f"NOTE: {note}")


def resumed_words(earlier: Begun, rows: list[str]) -> str:
    """Return the report's note on a resumed comparison. rows: those that were finished before."""
    what = "no row was finished before" if not rows else f"gaps and verdicts of {', '.join(rows)} are from before"
    return f"resumed after an interruption: it began {earlier.created}, and {what}; everything else was measured later"


def trace_needed(run: ModelRun, row: Row) -> bool:
    """Whether a row's trace is needed after its verdict, so that it must be traced again.

    Other rows are compared with the baseline bit for bit; two exporters' graphs are compared with each other; and the
    observer effect is the gap between two graphs of one row. With `keep_traces` each trace is part of the result.
    """
    pair = (GRAPH_RUNTIME, BESIDE) if run.beside is not None or run.checks.thorough else ()
    return row.is_baseline or row.name in pair or run.output.keep_traces


def save(run: ModelRun, row: RuntimeResult, maps: Mapping[str, Any] | None = None) -> None:
    """Save a finished row. maps: those of its attention; None keeps the ones that were saved with it.

    If it cannot be saved, because the disk is full, the run goes on, and a note of its progress says why.
    """
    if maps is None:
        known = run.kept.get(row.name) or unfinished.read_row(run.out, row.name)
        maps = known.maps if known else {}
    try:
        unfinished.write_row(run.out, SavedRow(row, run.found_lower.get(row.name), maps))
    except OSError as error:
        run.progress.note(f"NOTE: the row {row.name} cannot be saved for --resume: {error.strerror}")


@contextmanager
def until_finished(run: Run) -> Iterator[None]:
    """Say how to go on if the `with` block, which measures, is interrupted. If it fails without a row, keep nothing."""
    try:
        yield
    except ComparisonError:
        if not unfinished.saved_names(run.out):
            report_folder.forget(run.out)
        raise
    except KeyboardInterrupt:
        with suppress(OSError, ValueError):  # the terminal may be closed
            rows = unfinished.saved_names(run.out)
            run.progress.note(f"{len(rows)} of {len(run.rows)} rows are saved; {how_to_resume(run.out)}")
        raise


def check_same(earlier: Begun, facts: Mapping[str, Any]) -> None:
    """Raise `BadInput` if something that rows depend on has changed; the message names the first of these."""
    for name in [*earlier.facts, *(facts.keys() - earlier.facts.keys())]:
        was, now = earlier.facts.get(name), facts.get(name)
        if was != now:
            command = earlier.settings.output.command
            raise BadInput(
                f"{earlier.folder} cannot be resumed, because its rows would not fit: {name} was {_short(was)}, and "
                f"now it is {_short(now)}; start the comparison anew{f': {command}' if command else ''}"
            )


def facts_of(run: ModelRun) -> dict[str, Any]:
    """Return what the rows of a run depend on apart from its settings, in words -> value."""
    environment = asdict(environment_part(run.threads, run.cpus, run.baseline.device))
    packages = environment.pop("packages")
    facts = {
        "the cache entry": run.entry.folder.name,
        "the digest of the input": run.inputs.sha256,
        "the digest of the padded input": run.padded.sha256 if run.padded else None,
        **{name.replace("_", " "): value for name, value in environment.items()},
        **packages,
        "onnx-attention-compare": metadata.version("onnx-attention-compare"),
        "the digest of its code": code_digest(_ROOT),
        **{f"the row {row.name}": asdict(bare_row(row)) for row in run.rows},
    }
    found: dict[str, Any] = json.loads(json.dumps(facts))
    return found


def code_digest(root: Path) -> str:
    """Return the digest of this project's code. root: the folder that holds its packages."""
    digest = hashlib.sha256()
    files = (path for package in _PACKAGES for kind in _CODE for path in (root / package).rglob(kind))
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root)} {len(content)} ".encode() + content)
    return digest.hexdigest()


def model_asked_for(run: Run, model: str | None) -> str | None:
    """Return the name by which a model is found in any working folder.

    This is the name that was given, the path of its folder, or for a loaded model the name of its entry in the cache.
    """
    source = run.entry.manifest.source if isinstance(run, ModelRun) else None
    if source is not None and source.kind == "module":
        return source.name
    return source.origin if source is not None and source.kind == "folder" else model


def absolute(settings: Settings) -> Settings:
    """Return settings whose paths are absolute, so that they hold in any working folder."""

    def full(path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()

    files = replace(settings.input, onnx=full(settings.input.onnx), baseline=full(settings.input.baseline))
    output = replace(settings.output, out=full(settings.output.out), cache_dir=full(settings.output.cache_dir))
    return replace(settings, input=files, output=output)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
