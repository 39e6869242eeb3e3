"""Runtimes that fail in every way, as another package would add them. Their class is that of torch-eager.

`install` writes the metadata with which they are found, if its folder is on PYTHONPATH.
"""

import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.lazy import TORCH_LIBRARIES
from compare.runtimes.spec import Spec
from compare.runtimes.torch_runtimes import TorchEager

Arrays = dict[str, NDArray[Any]]
Array = NDArray[Any]


class Crashes(TorchEager):
    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        os.kill(os.getpid(), signal.SIGSEGV)
        return {}


class CrashesLater(TorchEager):
    """Is right when it is traced, and crashes when it is timed."""

    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        if self.graph != "inspect":
            os.kill(os.getpid(), signal.SIGABRT)
        return super().run(input_ids, attention_mask)


class Exits(TorchEager):
    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        os._exit(0)


class Hangs(TorchEager):
    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        time.sleep(3600)
        return {}


class HangsLater(TorchEager):
    """Is right when it is traced, and hangs when it is timed."""

    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        if self.graph != "inspect":
            time.sleep(3600)
        return super().run(input_ids, attention_mask)


class Greedy(TorchEager):
    """Needs more memory than its process may have."""

    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
        return {"logits": np.ones(2**30)}


class Prints(TorchEager):
    """Writes to stdout, also below Python, where the answers to its parent would be."""

    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        print('{"logits": "from Python"}', flush=True)
        os.write(1, b'{"logits": "from C"}\n' * 100)
        sys.stdout.write("half a line")
        return super().run(input_ids, attention_mask)


class GivesNaN(TorchEager):
    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        found = super().run(input_ids, attention_mask)
        return found | {"logits": np.full_like(found["logits"], np.nan)}


class WrongShape(TorchEager):
    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        found = super().run(input_ids, attention_mask)
        return found | {"logits": found["logits"][:, :-1]}


class TooFew(TorchEager):
    """Lacks the output that is compared."""

    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        found = super().run(input_ids, attention_mask)
        return {name: array for name, array in found.items() if name != "logits"}


class Nothing(TorchEager):
    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        return {}


class WrongKind(TorchEager):
    """Gives lists in place of arrays."""

    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        found: Any = {"logits": [1.0, 2.0]}
        return found  # type: ignore[no-any-return]


class FailsToLoad(TorchEager):
    def __init__(self, *_: Any, **__: Any) -> None:
        raise RuntimeError("no kernel\nfor this processor\x1b[2J")


class LeavesProcesses(TorchEager):
    """Starts a process that outlives it, in a session of its own."""

    def run(self, input_ids: Array, attention_mask: Array) -> Arrays:
        if os.fork() == 0:
            os.setsid()
            time.sleep(3600)
        return super().run(input_ids, attention_mask)


#: Name -> class, where its row says what is wrong (its trace, its verdict or its latency), and what it has to say.
RUNTIMES: dict[str, tuple[type[TorchEager], str, str]] = {
    "crashes": (Crashes, "trace", "killed by SIGSEGV"),
    "exits": (Exits, "trace", "ended with exit code 0"),
    "hangs": (Hangs, "trace", "no answer within"),
    "greedy": (Greedy, "trace", "MemoryError"),
    "givesnan": (GivesNaN, "verdict", "NaN"),
    "wrongshape": (WrongShape, "trace", "has shape"),
    "toofew": (TooFew, "trace", "gave no logits"),
    "nothing": (Nothing, "trace", "gave no logits"),
    "wrongkind": (WrongKind, "trace", "list"),
    "failstoload": (FailsToLoad, "trace", "no kernel for this processor"),
    "crasheslater": (CrashesLater, "latency", "killed by SIGABRT"),
    "hangslater": (HangsLater, "latency", "no answer"),
    "prints": (Prints, "right", ""),
    "leavesprocesses": (LeavesProcesses, "right", ""),
}


def spec_of(name: str) -> Spec:
    """Return the spec of a bad runtime."""
    target = f"benchmarks.faultload.bad_runtimes:{RUNTIMES[name][0].__name__}"
    return Spec(name, target, "a bad runtime", ("torch",), "pip install bad", libraries=TORCH_LIBRARIES)


def install(folder: Path) -> None:
    """Write the metadata of a package with these runtimes into a folder."""
    info = folder / "bad_runtimes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-runtimes\nVersion: 1.0\n")
    points = "\n".join(f"{name} = benchmarks.faultload.bad_runtimes:{name}" for name in RUNTIMES)
    (info / "entry_points.txt").write_text(f"[onnx_attention_compare.runtimes]\n{points}\n")


def __getattr__(name: str) -> Spec:
    """Return the spec that an entry point names."""
    if name not in RUNTIMES:
        raise AttributeError(name)
    return spec_of(name)
