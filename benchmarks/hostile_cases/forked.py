"""Run cases in children of one process that has imported everything, in which a refusal takes a tenth of a second.

Only what the command decides by itself is the same as in a process of its own: variables that libraries read when they
are imported have no effect, and memory is not watched.
"""

import multiprocessing
import os
import sys
import time
from multiprocessing.context import ForkServerContext

from benchmarks.hostile_cases.case import Case
from benchmarks.hostile_cases.run import Outcome
from benchmarks.hostile_cases.sandbox import Sandbox, changes

#: What the children find imported.
_IMPORTED = [
    "compare.cli.app",
    "compare.cli.live",
    "compare.pipeline.dispatch",
    "compare.report.render.full",
    "compare.report.render.markdown",
    "compare.report.render.page.page",
    "compare.report.render.plots.figures",
    "export.__main__",
    "export.exporting",
    "onnxruntime",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.gpt2.modeling_gpt2",
    __name__,
]

#: Seconds after which a case is stopped.
_MOST = 20.0


def context() -> ForkServerContext:
    """Return the context of the children, whose parent is started with the first of them."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(_IMPORTED)
    return made


def run_forked(case: Case, place: Sandbox, children: ForkServerContext) -> Outcome:
    """Run the command of a case in a child. place: has the files of the case."""
    before = place.state(case)
    for name in ("stdout", "stderr"):
        (place.folder / name).touch()
    environment = {os.fsdecode(name): os.fsdecode(value) for name, value in place.environment(case).items()}
    words = [os.fsdecode(word) for word in case.command]
    folders = (str(place.work), str(place.folder))
    child = children.Process(target=_child, args=(words, environment, *folders))
    began = time.monotonic()
    child.start()
    child.join(_MOST)
    stopped = "" if child.exitcode is not None else f"it took more than {_MOST:g} s"
    child.kill()
    child.join()
    return Outcome(
        None if stopped else child.exitcode,
        (place.folder / "stdout").read_bytes(),
        (place.folder / "stderr").read_bytes(),
        seconds=time.monotonic() - began,
        stopped=stopped,
        outside=changes(before, place.state(case)),
        wrong=case.check(place.work),
    )


def _child(words: list[str], environment: dict[str, str], work: str, folder: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(work)
    for name, stream in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        path = os.devnull if name == "stdin" else os.path.join(folder, name)  # noqa: PTH118 (a name may be no text)
        opened = os.open(path, os.O_RDONLY if name == "stdin" else os.O_WRONLY)
        os.dup2(opened, stream)
    program, *arguments = words
    sys.argv = [program, *arguments]
    if program == "compare":
        from compare.__main__ import main

        main()
    elif program == "export":
        from export.__main__ import main as export
        from export.command import finish

        finish(export)
    else:
        exec(arguments[0], {"__name__": "__main__"})
