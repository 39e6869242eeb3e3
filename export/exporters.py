"""The names of the exporters. Importing this module imports no exporter."""

from export.errors import BadInput, near

#: Exporter name -> the module that implements `export.graphs.Exporter`.
EXPORTERS = {"dynamo": "export.dynamo", "optimum": "export.optimum_exporter"}
DEFAULT_EXPORTER = "dynamo"


def check_exporter(exporter: str) -> None:
    """Raise `BadInput` if there is no exporter of this name."""
    if exporter not in EXPORTERS:
        raise BadInput(f"unknown exporter {exporter!r}; {near(exporter, EXPORTERS)}")
