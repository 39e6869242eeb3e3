"""The command `runtimes`, which lists the runtimes and what installs those that are missing."""

from collections.abc import Mapping
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Annotated

import typer

from export.errors import BadInput
from export.printing import print_line, print_lines

if TYPE_CHECKING:
    from compare.runtimes.spec import Option, Spec


def runtimes(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the built-in runtimes, and their options, as Markdown tables.")
    ] = False,
    install: Annotated[
        str | None, typer.Option(metavar="NAME", help="Install what pip cannot: npm packages, or an environment.")
    ] = None,
) -> None:
    """List the runtimes, and how to install the missing ones.

    Exit codes: 0 success, 2 wrong input, 3 a runtime cannot be installed.
    """
    from compare.report.formatting import Table
    from compare.report.render.tables import print_table, stdout
    from compare.runtimes.registry import listing

    if markdown:
        print_lines(f"{as_markdown()}\n\n{options_as_markdown()}")
        return
    if install is not None:
        print_line(install_runtime(install))
        return
    found = listing()
    columns = ["runtime", "engine", "type", "exposes", "decode"]
    rows = [[spec.name, engine_of(spec), *facts_of(spec)] for spec in found.specs.values()]
    rows += [[name, "broken", *["–"] * 3] for name in found.broken]
    print_table(Table("Runtimes", columns, rows), stdout())
    for name, spec in found.specs.items():
        if missing := spec.missing():
            print_line(f"{name} is missing {', '.join(missing)}: {spec.install}")
    for name, error in found.broken.items():
        print_line(f"{name} is broken: {error}")
    hybrids = [name for name, spec in found.specs.items() if spec.hybrid]
    print_line(f"Hybrids compute the attention in another library and are not timed: {', '.join(hybrids)}.")
    usual = [name for name, spec in found.specs.items() if spec.default]
    print_line(f"Without --runtimes, a comparison runs {', '.join(usual)}.")


def install_runtime(name: str) -> str:
    """Install what a runtime needs besides this environment's packages, and return a sentence that says where it is.

    Raises `BadInput` if there is no such runtime, or if it needs Python packages alone; `CannotRun` if something cannot
    be installed.
    """
    from compare.cli.live import command_progress
    from compare.runtimes.registry import spec_of

    spec = spec_of(name)
    needed = spec.npm or spec.environment
    if needed is None:
        raise BadInput(f"runtime {name} needs Python packages alone; install it with: {spec.install}")
    with command_progress() as progress:
        needed.make(progress)
    return f"{name} is installed in {needed.folder}"


def as_markdown() -> str:
    """Return the table of the built-in runtimes that docs/runtimes.md shows."""
    from compare.runtimes.registry import BUILT_IN

    rows = [["runtime", "what it runs", "engine", "type", "exposes", "decodes", "install"], ["---"] * 7]
    rows += [[f"`{s.name}`", s.summary, s.engine, *facts_of(s), f"`{s.install}`"] for s in BUILT_IN]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def options_as_markdown() -> str:
    """Return the table of the runtimes' options that docs/runtimes.md shows; each option has one row."""
    from compare.runtimes.registry import BUILT_IN

    takers: dict[Option, list[str]] = {}
    for spec in BUILT_IN:
        for option in spec.options:
            takers.setdefault(option, []).append(f"`{spec.name}`")
    rows = [["option", "what it sets", "values", "runtimes"], ["---"] * 4]
    rows += [[f"`{o.key}`", o.meaning, ", ".join(o.values) or "any", ", ".join(names)] for o, names in takers.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def facts_of(spec: "Spec") -> list[str]:
    """Return the type that a runtime computes in, what it exposes, and whether it decodes, as cells."""
    return [
        spec.precision,
        spec.exposes if "inspect" in spec.graphs else "–",
        "yes" if "decode" in spec.graphs else "–",
    ]


def engine_of(spec: "Spec") -> str:
    """Return the library whose kernels a runtime runs, with its version, or "missing" if it cannot run here.

    A library that is no package of its own has the version of the one that contains it, such as jax for XLA. For a
    runtime in JavaScript, it is that of its npm package; for one with an environment of its own, that of the first
    package there. A runtime that does not name its engine has the first package that it requires in its place.
    """
    package = spec.requires[0].partition(".")[0] if spec.requires else spec.target.partition(".")[0]
    engine = spec.engine or package
    if spec.missing():
        return f"{spec.engine} missing".strip()
    if spec.npm is not None:
        return f"{engine} {spec.npm.version}"
    if spec.environment is not None:
        return f"{engine} {spec.environment.requirements[0].partition('==')[2]}"
    own = version_of(engine.lower().replace(" ", ""))
    return f"{engine} {own}".strip() if own or engine == package else f"{engine} ({package} {version_of(package)})"


def version_of(package: str) -> str:
    """Return the public version of the distribution that has a package; empty if none is known.

    >>> version_of("no_such_package_9")
    ''
    """
    names = _distributions().get(package, [])
    return metadata.version(names[0]).partition("+")[0] if names else ""


@cache
def _distributions() -> Mapping[str, list[str]]:
    """Return package -> the distributions that have it. To read all of them takes a fifth of a second."""
    return metadata.packages_distributions()
