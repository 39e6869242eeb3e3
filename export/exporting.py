"""Get the cache entry of a model by name, and export the model first if it has none."""

import hashlib
import json
import shutil
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from export import models, sources
from export.cache import Entry, cache_root, checked, entries, fingerprint, look_up, publish
from export.checkpoint import Checkpoint
from export.errors import CannotRun, NotAvailable
from export.exporters import DEFAULT_EXPORTER, EXPORTERS, check_exporter
from export.kinds import is_encoder, output_of, skipped_positions
from export.manifest import NO_LIMIT, SCHEMA, Manifest, ModelFacts
from export.memory import SMALLER, check_memory
from export.model_folder import model_files
from export.models import MiniTransformer
from export.outside import as_bad_input, is_folder
from export.pooling import Pooling
from export.progress import SILENT, Progress
from export.sources import Source

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Exporter -> the packages whose versions determine the exported graph.
_DECISIVE = {
    "dynamo": ("torch", "transformers", "onnx", "onnxscript"),
    "optimum": ("torch", "transformers", "onnx", "optimum", "optimum-onnx"),
}

#: A number that increases when this project's part of an export changes, so that older entries are not used.
_REVISION = 5


def exported(
    name: str,
    *,
    offline: bool = False,
    fallback: Literal["seeded"] | None = None,
    cache_dir: Path | None = None,
    exporter: str = DEFAULT_EXPORTER,
    progress: Progress = SILENT,
) -> Entry:
    """Return the cache entry of a model, and export the model first if it has none.

    If the model's source is missing or cannot be reached, an entry made from it earlier is used, and its notes say so.
    A model of the hub without a pin stays at the revision of its first export.

    name: a name as in `export.sources.find`. exporter: a key of `EXPORTERS`.
    cache_dir: the cache's folder; by default that of `cache_root`.
    offline: whether to use only what was downloaded before.
    fallback: with "seeded", a pinned hub model that is not available is replaced by its architecture with random
    weights; the entry's source says so.
    progress: has stages for downloading, loading and exporting; none if the model is in the cache.
    Raises `CannotRun` if there is no such model or the hub does not answer, and `BadInput` if the folder cannot be
    used or the cache entry has changed.
    """
    check_exporter(exporter)
    sources.check_name(name)
    progress.waits(f"looking for {name} in the cache")
    root = cache_root(cache_dir)
    known = _known(root, name, exporter)
    source = _same_folder(known, name) or _source(known, name)
    if isinstance(source, Entry):
        return source
    if source.revision == "main" and known:  # a hub model without a pin stays at the revision of its earlier export
        source = known[0].manifest.source
    if (entry := look_up(root, source.name, entry_key(source, exporter))) is not None:
        return entry
    try:
        transformer = models.load(source, offline=offline, progress=progress)
    except NotAvailable:
        if known:
            return _standing_in(known[0], f"{source.origin} is available neither from the hub nor as a download")
        if fallback == "seeded" and f"{source.name}-seeded" in sources.SEEDED:
            return exported(f"{source.name}-seeded", cache_dir=cache_dir, exporter=exporter, progress=progress)
        raise
    return export_model(transformer, cache_dir=cache_dir, exporter=exporter, progress=progress)


def export_model(
    transformer: MiniTransformer,
    *,
    cache_dir: Path | None = None,
    exporter: str = DEFAULT_EXPORTER,
    progress: Progress = SILENT,
) -> Entry:
    """Return the cache entry of a loaded model, and export the model first if it has none.

    A model that was changed after loading gets an entry of its own.
    Raises `BadInput` if the model is none that can be exported (`export.models.check_live`), and `CannotRun` if there
    is too little memory or disk space.
    """
    models.check_live(transformer)
    source = models.changed(transformer)
    root = cache_root(cache_dir)
    key = entry_key(source, exporter)
    if (entry := look_up(root, source.name, key)) is not None:
        return entry
    parameters = sum(p.numel() for p in transformer.model.parameters())
    weights = 4 * parameters
    _check_disk(root, 2 * weights)  # graphs can need all weights in another form too
    check_memory(2 * weights, f"the export of {source.name}", SMALLER)  # besides the model itself

    def build(folder: Path) -> Manifest:
        from export.graphs import GRAPHS
        from export.probe import layout_of

        size = (
            f"{parameters / 1e6:.1f} million parameters, {weights / 1e9:.2f} to {2 * weights / 1e9:.2f} GB on disk, "
            f"about {(weights * 3 + 5e8) / 1e9:.1f} GB of memory"
        )
        about = "; ".join([size, *layout_of(transformer.model).notes()])
        graphs = 2 if is_encoder(transformer.model.config) else len(GRAPHS)
        progress.stage(f"exporting {source.name} with {exporter}", about, of=1 + graphs)
        with progress.ticking():
            return _build(transformer, source, exporter, folder, progress)

    return publish(root, source.name, key, build, progress)


def entry_key(source: Source, exporter: str) -> str:
    """Return the key of an entry: twelve hexadecimal digits of a digest of everything that its content depends on."""
    parts = [source.kind, source.origin, source.revision, exporter, _REVISION, SCHEMA, *_versions(exporter).values()]
    if source.kind in ("folder", "module"):
        parts.remove(source.origin)  # only the content counts, not the path
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _build(transformer: MiniTransformer, source: Source, exporter: str, folder: Path, progress: Progress) -> Manifest:
    from export.graphs import write_graphs
    from export.probe import layout_of

    model = transformer.model
    with as_bad_input(f"{source.name} cannot be exported: its configuration lacks a size"):
        facts = facts_of(model, tokens=len(transformer.tokenizer), pooling=models.pooling_noted(transformer))
    written = write_graphs(model, folder, source.label, import_module(EXPORTERS[exporter]), progress)
    transformer.tokenizer.save_pretrained(folder)
    shutil.rmtree(folder / "additional_chat_templates", ignore_errors=True)  # an entry has no folders
    return Manifest(
        source=source,
        exporter=exporter,
        opset=written.opset,
        versions=_versions(exporter),
        model=facts,
        checkpoint=models.checkpoint_noted(transformer) if source == transformer.provenance else Checkpoint(),
        notes=[*layout_of(model).notes(), *written.notes],
        fingerprint=_fingerprint(Path(source.origin)) if source.kind == "folder" else {},
    )


def facts_of(model: "PreTrainedModel", *, tokens: int, pooling: Pooling) -> ModelFacts:
    """Return the type and sizes of a model, from its configuration.

    tokens: the size of its tokenizer's vocabulary. pooling: how embeddings are made if it is an encoder.
    Architectures name their sizes differently, and some have no attention or no limit of positions.
    """
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", 0)
    shared = [getattr(config, name, None) for name in ("num_key_value_heads", "num_kv_heads")]
    positions = [getattr(config, name, None) for name in ("max_position_embeddings", "max_seq_len")]
    return {
        "type": model.config.model_type,
        "layers": config.num_hidden_layers,
        "heads": heads,
        "key_value_heads": next(filter(None, shared), heads),
        "head_dim": getattr(config, "head_dim", None) or (config.hidden_size // heads if heads else 0),
        "hidden": config.hidden_size,
        "vocabulary": config.vocab_size,
        "positions": next(filter(None, positions), NO_LIMIT) - skipped_positions(model),
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": "bytes" if tokens == 256 else "vocabulary",
        "output": output_of(model.config),
        "pooling": pooling.modes if is_encoder(model.config) else [],
    }


def _versions(exporter: str) -> dict[str, str]:
    """Return package -> version. The version of a package that is not installed is "missing", so that no entry has the
    resulting key."""
    versions = {}
    for package in _DECISIVE[exporter]:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "missing"
    return versions


def _known(root: Path, name: str, exporter: str) -> list[Entry]:
    """Return the entries made from the model of this name with this exporter, newest first."""
    origins = {name} if sources.is_built_in(name) else {name, str(sources.path_named(name))}
    origins |= {pin.repository for short, pin in sources.PINS.items() if name in (short, pin.repository)}

    def same(entry: Entry) -> bool:
        source = entry.manifest.source
        if source.kind == "module":
            return source.name == name
        return source.kind != "seeded" and source.origin in origins

    return [entry for entry in entries(root) if same(entry) and entry.manifest.exporter == exporter]


def _same_folder(known: list[Entry], name: str) -> Source | None:
    """Return the source of a folder that is unchanged since its export, or None.

    The files are compared by size and modification time only.
    """
    if sources.is_built_in(name) or not is_folder(folder := sources.path_named(name)):
        return None
    now = _fingerprint(folder)
    same = (entry.manifest.source for entry in known if entry.manifest.fingerprint == now)
    return next((source for source in same if source.kind == "folder"), None)


def _fingerprint(folder: Path) -> dict[str, list[int]]:
    return fingerprint(folder, model_files(folder))


def _source(known: list[Entry], name: str) -> Source | Entry:
    """Return the source of a name, or an earlier entry if the name was a folder or module that no longer exists."""
    local = [entry for entry in known if entry.manifest.source.kind in ("folder", "module")]
    if local and not is_folder(sources.path_named(name)):
        entry = local[0]
        if entry.manifest.source.kind == "module":  # it was never stored anywhere else
            return checked(entry)
        return _standing_in(entry, f"the folder {Path(name).name} no longer exists")
    return sources.find(name)


def _standing_in(entry: Entry, why: str) -> Entry:
    """Return the entry after checking it, with a note that it is used instead of its source."""
    return replace(checked(entry), note=f"{why}; using its earlier export {entry.folder.name}")


def _check_disk(root: Path, needed: int) -> None:
    there = root.absolute()
    while not is_folder(there) and there != there.parent:
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < 1.2 * needed:
        raise CannotRun(
            f"the export needs {1.2 * needed / 1e9:.1f} GB in {root}, but only {free / 1e9:.1f} GB are free; "
            "remove models (python -m export --list, --remove NAME) or choose another folder: --cache-dir FOLDER"
        )
