"""Series of samples without a process, for tests."""

from types import SimpleNamespace

from compare.latency.series import Role, Series


def series_of(name: str, role: Role = Role.RUNTIME, *, decodes: bool = False, **more) -> Series:
    """Return a series for the row of that name. more: its other fields."""
    process = SimpleNamespace(name=name)  # stands in for the process and cannot run
    graph = "decode" if decodes else role.graph
    return Series(process, role, graph, **more)  # type: ignore[arg-type]
