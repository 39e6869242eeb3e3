"""Series of samples that no process was needed for."""

from types import SimpleNamespace

from compare.latency.series import Role, Series


def series_of(name: str, role: Role = Role.RUNTIME, *, decodes: bool = False, **more) -> Series:
    """A series of the row of that name; more: its other fields."""
    process = SimpleNamespace(name=name)  # it can be asked for nothing
    graph = "decode" if decodes else role.graph
    return Series(process, role, graph, **more)  # type: ignore[arg-type]
