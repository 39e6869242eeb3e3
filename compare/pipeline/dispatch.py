"""Run the comparison that the settings ask for: of a model's runtimes, or of two ONNX files. Or resume one."""

from pathlib import Path

from compare.pipeline.compare_files import compare_graphs
from compare.pipeline.compare_model import compare
from compare.pipeline.resume import begun_in
from compare.pipeline.setting_checks import check_compared
from compare.pipeline.settings import DEFAULT_MODEL, Settings
from compare.report.folder import finish
from compare.report.schema import PAGE_FILE, REPORT_FILE, Report
from compare.report.unfinished import can_resume
from export.errors import BadInput
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


def resume_comparison(folder: Path, progress: Progress = SILENT) -> Report:
    """Go on with the comparison in a report's folder that was interrupted, and write the report.

    A comparison that was interrupted while its page was written has a report already, which is returned. One of two
    ONNX files is measured anew. Raises `BadInput` if the folder has no unfinished comparison, or if something that
    its rows depend on has changed; and whatever `run_comparison` raises.
    """
    if (folder / REPORT_FILE).is_file():
        if (folder / PAGE_FILE).is_file():
            raise BadInput(f"{folder} is finished; python -m compare show {folder} shows it")
        report = Report.read(folder)
        finish(folder)
        return report
    if not can_resume(folder):
        raise BadInput(f"{folder} has no unfinished comparison; python -m compare list names those of the cache")
    begun = begun_in(folder)
    if begun.settings.input.baseline is not None:
        return compare_graphs(begun.settings, progress)
    if begun.model is None:
        raise BadInput(f"{folder} cannot be resumed: it does not say of which model it is; start the comparison anew")
    return compare(begun.model, begun.settings, progress, begun)
