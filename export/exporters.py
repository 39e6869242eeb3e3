"""The names of the exporters, and what each needs. Importing this module imports no exporter."""

from importlib import metadata

from export.errors import BadInput, CannotRun, near
from export.extras import install_command

#: Exporter name -> the module that implements `export.graphs.Exporter`.
EXPORTERS = {"dynamo": "export.dynamo", "optimum": "export.optimum_exporter"}
DEFAULT_EXPORTER = "dynamo"

#: Exporter name -> the package that an extra of the same name installs for it.
_EXTRAS = {"optimum": "optimum-onnx"}


def check_exporter(exporter: str) -> None:
    """Raise `BadInput` if there is no exporter of this name, and `CannotRun` if its package is not installed."""
    if exporter not in EXPORTERS:
        raise BadInput(f"unknown exporter {exporter!r}; {near(exporter, EXPORTERS)}")
    package = _EXTRAS.get(exporter)
    if package is not None and not any(metadata.distributions(name=package)):
        raise CannotRun(
            f"the exporter {exporter} needs {package} (not installed); install with: {install_command(exporter)}"
        )
