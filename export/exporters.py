"""The exporters that there are, by name, without importing any of them."""

from export.errors import BadInput, near

#: What makes the graphs, by the name of the exporter: a module that is an `export.graphs.Exporter`.
EXPORTERS = {"dynamo": "export.dynamo", "optimum": "export.optimum_exporter"}
DEFAULT_EXPORTER = "dynamo"


def check_exporter(exporter: str) -> None:
    """Raises `BadInput` for an exporter that there is not."""
    if exporter not in EXPORTERS:
        raise BadInput(f"unknown exporter {exporter!r}; {near(exporter, EXPORTERS)}")
