"""The probe process: say why torch cannot compute on a device, and exit.

    python -m compare.runtimes.device_probe JOB

The main process does not import torch, which takes seconds and would start CUDA in it.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from compare.lazy import TORCH_LIBRARIES
from compare.processes.child import Launch, run_child
from compare.processes.child_side import main_of_child


def why_not(device: str, *, threads: int, timeout: float) -> str:
    """Return why torch cannot compute on a device here; empty if it can.

    threads: the number of threads of the process. timeout: the most time that it may take, in seconds. Raises
    `compare.processes.child.ChildFailed` if the process crashes, hangs or raises.
    """
    with TemporaryDirectory() as folder:
        answer, log = Path(folder) / "answer", Path(folder) / "log"
        job = {"device": device, "answer": answer}
        run_child(Launch(__name__, job, threads=threads, log=log, libraries=TORCH_LIBRARIES), timeout=timeout)
        return answer.read_text(encoding="utf-8")


def _work(job: dict[str, Any]) -> None:
    from compare.runtimes.torch_model import why_not_on

    Path(job["answer"]).write_text(why_not_on(job["device"]), encoding="utf-8")


if __name__ == "__main__":
    main_of_child(_work)
