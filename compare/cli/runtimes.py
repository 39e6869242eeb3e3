"""The command `runtimes`, which lists the runtimes and what installs those that are missing."""

import typer


def runtimes() -> None:
    """List the runtimes, and how to install those that are missing."""
    from compare.runtimes.registry import listing

    found = listing()
    width = max(len(name) for name in [*found.specs, *found.broken])
    for name, spec in found.specs.items():
        missing = spec.missing()
        state = f"missing {', '.join(missing)}: {spec.install}" if missing else "here"
        kind = "hybrid" if spec.hybrid else spec.precision
        typer.echo(f"{name:<{width}}  {kind:<8}  {state:<6}  {spec.summary}")
    for name, error in found.broken.items():
        typer.echo(f"{name:<{width}}  broken    {error}")
