"""Run the comparison that the settings ask for: of a model's runtimes, or of two ONNX files."""

from compare.pipeline.compare_files import compare_graphs
from compare.pipeline.compare_model import compare
from compare.pipeline.setting_checks import check_compared
from compare.pipeline.settings import DEFAULT_MODEL, Settings
from compare.report.schema import Report
from export.models import MiniTransformer
from export.progress import SILENT, Progress


def run_comparison(model: str | MiniTransformer | None, settings: Settings, progress: Progress = SILENT) -> Report:
    """Compare a model across runtimes, or two ONNX files if the settings name a baseline, and write the report.

    model: a name, or a loaded model; None means `DEFAULT_MODEL`, or no model if the settings name a baseline. progress:
    is told of each stage. Raises `BadInput` for wrong input, and `CannotRun` if the model, a named runtime or the
    baseline cannot run.
    """
    check_compared(model, settings)
    if settings.input.baseline is not None:
        return compare_graphs(settings, progress)
    return compare(DEFAULT_MODEL if model is None else model, settings, progress)
