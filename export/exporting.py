"""A model's name becomes an entry of the cache: looked up where it is there, exported where it is not."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Literal

from export import models, sources
from export.cache import Entry, cache_root, checked, entries, fingerprint, look_up, publish
from export.checkpoint import Checkpoint
from export.errors import BadInput, CannotRun
from export.exporters import DEFAULT_EXPORTER, EXPORTERS, check_exporter
from export.manifest import SCHEMA, Manifest, ModelFacts
from export.model_folder import model_files
from export.models import MiniTransformer
from export.sources import Source

#: The packages whose version decides what an exported graph looks like.
_DECISIVE = {
    "dynamo": ("torch", "transformers", "onnx", "onnxscript"),
    "optimum": ("torch", "transformers", "onnx", "optimum", "optimum-onnx"),
}

#: Raised when our own part of an export changes, so that older entries are not taken for it.
_REVISION = 3


def exported(
    name: str,
    *,
    offline: bool = False,
    fallback: Literal["seeded"] | None = None,
    cache_dir: Path | None = None,
    exporter: str = DEFAULT_EXPORTER,
    say: Callable[[str], None] = lambda _: None,
) -> Entry:
    """The cache entry of a model, by the names of `export.sources.find`; exports it first where it is not there.

    A model whose source is gone, or cannot be reached, is taken from the cache where it was exported before; the
    entry's notes say so. With `fallback="seeded"` a pinned hub model that cannot be had is replaced by its seeded
    stand-in; the entry's source says so. Raises `CannotRun` (no such model, hub silent) and `BadInput` (folder
    unusable, cache entry changed).
    """
    check_exporter(exporter)
    sources.check_name(name)
    root = cache_root(cache_dir)
    known = _known(root, name, exporter)
    source = _same_folder(known, name) or _source(known, name)
    if isinstance(source, Entry):
        return source
    if (entry := look_up(root, source.name, entry_key(source, exporter))) is not None:
        return entry
    if source.revision == "main" and known:  # a hub model without a pin: what was exported is what is compared
        return checked(known[0])
    try:
        transformer = models.load(source, offline=offline, say=say)
    except CannotRun:
        if known:
            return _standing_in(known[0], f"{source.origin} can be had neither from the hub nor from a download")
        if fallback == "seeded" and f"{source.name}-seeded" in sources.SEEDED:
            return exported(f"{source.name}-seeded", cache_dir=cache_dir, exporter=exporter, say=say)
        raise
    return export_model(transformer, cache_dir=cache_dir, exporter=exporter, say=say)


def export_model(
    transformer: MiniTransformer,
    *,
    cache_dir: Path | None = None,
    exporter: str = DEFAULT_EXPORTER,
    say: Callable[[str], None] = lambda _: None,
) -> Entry:
    """The cache entry of a loaded model. One that was changed after loading is exported as changed.

    Raises `BadInput` where its parameters are not float32, and `CannotRun` where the disk is too full.
    """
    for name, parameter in transformer.model.named_parameters():
        if str(parameter.dtype) != "torch.float32":
            raise BadInput(
                f"parameter {name} is {parameter.dtype}; models are exported from float32: call model.float()"
            )
    source = models.changed(transformer)
    root = cache_root(cache_dir)
    key = entry_key(source, exporter)
    if (entry := look_up(root, source.name, key)) is not None:
        return entry
    parameters = sum(p.numel() for p in transformer.model.parameters())
    _check_disk(root, 4 * parameters)

    def build(folder: Path) -> Manifest:
        say(
            f"exporting {source.name} with {exporter}: {parameters / 1e6:.1f} million parameters, "
            f"{4 * parameters / 1e9:.2f} GB on disk, about {(4 * parameters * 2.5 + 5e8) / 1e9:.1f} GB of memory"
        )
        return _build(transformer, source, exporter, folder)

    return publish(root, source.name, key, build, say)


def entry_key(source: Source, exporter: str) -> str:
    """Twelve hexadecimal digits that change with anything that decides what an entry holds."""
    parts = [source.kind, source.origin, source.revision, exporter, _REVISION, SCHEMA, *_versions(exporter).values()]
    if source.kind in ("folder", "module"):
        parts.remove(source.origin)  # the content counts, not where it lies
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _build(transformer: MiniTransformer, source: Source, exporter: str, folder: Path) -> Manifest:
    from export.graphs import cache_sizes, write_graphs

    opset = write_graphs(transformer.model, folder, source.label, import_module(EXPORTERS[exporter]))
    transformer.tokenizer.save_pretrained(folder)
    config = transformer.model.config
    layers, key_value_heads, head_dim = cache_sizes(config)
    facts: ModelFacts = {
        "type": config.model_type,
        "layers": layers,
        "heads": config.num_attention_heads,
        "key_value_heads": key_value_heads,
        "head_dim": head_dim,
        "hidden": config.hidden_size,
        "vocabulary": config.vocab_size,
        "positions": config.max_position_embeddings,
        "parameters": sum(p.numel() for p in transformer.model.parameters()),
        "tokens": "bytes" if len(transformer.tokenizer) == 256 else "vocabulary",
    }
    return Manifest(
        source=source,
        exporter=exporter,
        opset=opset,
        versions=_versions(exporter),
        model=facts,
        checkpoint=models.checkpoint_noted(transformer) if source == transformer.provenance else Checkpoint(),
        fingerprint=fingerprint(model_files(Path(source.origin))) if source.kind == "folder" else {},
    )


def _versions(exporter: str) -> dict[str, str]:
    """Package -> version, "missing" where it is not installed: then there is nothing to find under that key."""
    versions = {}
    for package in _DECISIVE[exporter]:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "missing"
    return versions


def _known(root: Path, name: str, exporter: str) -> list[Entry]:
    """The entries made from what this name means, newest first."""
    origins = {name, str(Path(name).expanduser().resolve())}
    origins |= {pin.repository for short, pin in sources.PINS.items() if name in (short, pin.repository)}

    def same(entry: Entry) -> bool:
        source = entry.manifest.source
        if source.kind == "module":
            return source.name == name
        return source.kind != "seeded" and source.origin in origins

    return [entry for entry in entries(root) if same(entry) and entry.manifest.exporter == exporter]


def _same_folder(known: list[Entry], name: str) -> Source | None:
    """The source of a folder model that has the same files as when it was exported, told by size and time alone."""
    if not Path(name).expanduser().is_dir():
        return None
    now = fingerprint(model_files(Path(name).expanduser()))
    same = (entry.manifest.source for entry in known if entry.manifest.fingerprint == now)
    return next((source for source in same if source.kind == "folder"), None)


def _source(known: list[Entry], name: str) -> Source | Entry:
    """What the name means now; an entry, where it was a folder or a module that is gone."""
    local = [entry for entry in known if entry.manifest.source.kind in ("folder", "module")]
    if local and not Path(name).expanduser().is_dir():
        entry = local[0]
        if entry.manifest.source.kind == "module":  # it never was anywhere else
            return checked(entry)
        return _standing_in(entry, f"the folder {Path(name).name} is not there any more")
    return sources.find(name)


def _standing_in(entry: Entry, why: str) -> Entry:
    """The entry, checked, with the note that it stands in for its source."""
    return replace(checked(entry), note=f"{why}; using what was exported from it: {entry.folder.name}")


def _check_disk(root: Path, needed: int) -> None:
    there = root
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < 1.2 * needed:
        raise CannotRun(
            f"the export needs {1.2 * needed / 1e9:.1f} GB in {root}, {free / 1e9:.1f} GB are free; "
            "make room (python -m export --list, --remove NAME) or give another folder: --cache-dir FOLDER"
        )
