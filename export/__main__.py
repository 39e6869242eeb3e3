"""The command `python -m export`: export models into the cache, and list, verify or remove cached ones.

It uses argparse, because starting typer, which `python -m compare` uses, takes twice as long as a look-up.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from export import cache
from export.command import finish
from export.display import Plain
from export.errors import BadInput, quoted
from export.printing import print_line
from export.removal import remove


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see {self.prog} --help")


def _folder(text: str) -> Path:
    return cache.named_folder(text, "--cache-dir")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m export",
        description="Export models into the cache and print the folder of each. Cached models are reused.",
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="names, folders or hub ids; default distilgpt2")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="list what is in the cache")
    action.add_argument(
        "--verify", action="store_true", help="check the SHA-256 of every file of these models, or of all"
    )
    action.add_argument("--remove", action="store_true", help="remove these models from the cache")
    parser.add_argument("--offline", action="store_true", help="do not contact the hub")
    parser.add_argument("--exporter", default="dynamo", help="the exporter: dynamo (default) or optimum")
    parser.add_argument("--cache-dir", type=_folder, metavar="FOLDER", help="the cache's folder")
    return parser.parse_args(arguments)


def main(given: Sequence[str] | None = None) -> None:
    """Run the command. given: its arguments; by default those of the process."""
    arguments = _arguments(given)
    root = cache.cache_root(arguments.cache_dir)
    progress = Plain()
    if arguments.list:
        _list(root, arguments.models)
    elif arguments.verify:
        for folder in _chosen(root, arguments.models):
            entry = cache.entry_in(folder)
            progress.stage("verify", f"{folder.name}, {entry.bytes / 1e6:,.1f} MB")
            with progress.ticking():
                cache.verify(entry)
            print_line(f"{folder.name}  {len(entry.manifest.files)} files as exported")
    elif arguments.remove:
        if not arguments.models:
            raise BadInput("--remove needs the name of a model; python -m export --list prints the names")
        for folder in _chosen(root, arguments.models):
            print_line(f"removed {folder.name}  {remove(folder) / 1e6:,.1f} MB")
    else:
        from export.exporting import exported

        for model in arguments.models or ["distilgpt2"]:
            with progress.ticking():
                entry = exported(
                    model,
                    offline=arguments.offline,
                    cache_dir=arguments.cache_dir,
                    exporter=arguments.exporter,
                    progress=progress,
                )
            for note in entry.notes:
                print_line(f"NOTE: {note}", sys.stderr)
            print_line(str(entry.folder))


def _list(root: Path, models: list[str]) -> None:
    """Print the entries on stdout, and on stderr those with an unreadable manifest and the command to remove them."""
    broken = cache.damaged(root)
    chosen = _chosen(root, models)
    for folder in chosen:
        if folder.name in broken:
            print_line(str(broken[folder.name]), sys.stderr)
            continue
        entry = cache.entry_in(folder)
        manifest = entry.manifest
        size = f"{entry.bytes / 1e6:,.1f} MB"
        print_line(f"{folder.name}  {size}  {manifest.exporter}  {manifest.created}  {manifest.source.label}")
    if not chosen:
        print_line(f"no models in {root / 'models'}; python -m export MODEL adds one", sys.stderr)


def _chosen(root: Path, models: list[str]) -> list[Path]:
    """Return the folders of the named entries, newest first; without names, all folders, with damaged entries last.

    A damaged entry matches only the name of its folder. Raises `BadInput` if a name matches no entry.
    """
    damaged = [root / "models" / name for name in cache.damaged(root)]
    if not models:
        return [*(entry.folder for entry in cache.entries(root)), *damaged]
    chosen = []
    for name in models:
        found = [entry.folder for entry in cache.matching(root, name)]
        found += [folder for folder in damaged if folder.name == name]
        if not found:
            raise BadInput(f"the cache has no model {quoted(name)}; python -m export --list prints the names")
        chosen += found
    return list(dict.fromkeys(chosen))


if __name__ == "__main__":
    finish(main)
