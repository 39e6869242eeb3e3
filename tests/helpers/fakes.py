"""Faulty runtimes, added through an entry point as a third-party package would add them.

`install` writes a distribution to a folder. If that folder is on PYTHONPATH, child processes can import it too.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import invalidate_caches
from pathlib import Path

MODULE = '''
import os, signal, subprocess, sys, time
from pathlib import Path
import numpy as np
import torch
from compare.lazy import TORCH_LIBRARIES
from compare.runtimes.spec import Spec
from compare.runtimes.torch_runtimes import TorchEager

class Crashes(TorchEager):
    def run(self, input_ids, attention_mask):
        os.kill(os.getpid(), signal.SIGSEGV)

class Hangs(TorchEager):
    def run(self, input_ids, attention_mask):
        from tests.helpers.hanging import hang
        hang()

class Raises(TorchEager):
    def __init__(self, *args, **kwargs):
        raise RuntimeError("no kernel for this")

class Quits(TorchEager):
    """Ends its process as if it had succeeded."""
    def run(self, input_ids, attention_mask):
        os._exit(0)

class WrongShape(TorchEager):
    def run(self, input_ids, attention_mask):
        found = super().run(input_ids, attention_mask)
        return {**found, "logits": found["logits"][:, :-1]}

class Peeks(TorchEager):
    """Has a probability above the causal diagonal."""
    def run(self, input_ids, attention_mask):
        found = super().run(input_ids, attention_mask)
        if "attention.1" in found:
            found["attention.1"] = found["attention.1"].copy()
            found["attention.1"][0, 0, 0, 1] = 1e-3
        return found

class NotANumber(TorchEager):
    def run(self, input_ids, attention_mask):
        found = super().run(input_ids, attention_mask)
        found["logits"] = np.full_like(found["logits"], np.nan)
        return found

class Inconsistent(TorchEager):
    """Its logits depend on the batch size and the threads. Padding raises, and a short text kills the process."""
    def __init__(self, folder, *, threads, graph):
        super().__init__(folder, threads=threads, graph=graph)
        self.threads = threads
    def run(self, input_ids, attention_mask):
        if not attention_mask.all():
            raise ValueError("no padding")
        if input_ids.shape[1] < 8:
            os.kill(os.getpid(), signal.SIGKILL)
        found = super().run(input_ids, attention_mask)
        logits = found["logits"].copy()
        logits[0, 3, 5] += 0.5 * (len(input_ids) - 1) + 8 * (self.threads - 1)
        return {**found, "logits": logits}

class Partial(TorchEager):
    """Gives no tensor where sequences are padded, except a hidden state that is right."""
    def run(self, input_ids, attention_mask):
        found = super().run(input_ids, attention_mask)
        return found if attention_mask.all() else {"hidden_state.0": found["hidden_state.0"]}

class Discreet(TorchEager):
    """Computes in a lower precision, which neither its name nor its output types show."""
    dtype = "bfloat16"

class Reticent(Discreet):
    dtype = "float16"

class Slow(TorchEager):
    def run(self, input_ids, attention_mask):
        time.sleep(0.05)
        return super().run(input_ids, attention_mask)

class Ahead(TorchEager):
    """Decodes every step at the position after its own; the prefill is right."""
    def step(self, input_ids, attention_mask):
        if self.past is None:
            return super().step(input_ids, attention_mask)
        own = attention_mask.shape[1] - 1
        positions = torch.full(input_ids.shape, own + 1)
        return self._forward(input_ids, attention_mask, past_key_values=self.past, position_ids=positions)

class Stale(TorchEager):
    """Keeps the past one step too late: a step does not see the one before it. Prefill and first step are right."""
    def run(self, input_ids, attention_mask):
        self.steps = -1  # the prefill calls step, too
        return super().run(input_ids, attention_mask)
    def step(self, input_ids, attention_mask):
        seen = attention_mask.copy()
        if self.steps > 0:
            seen[:, -2] = 0
        self.steps += 1
        return super().step(input_ids, seen)

class TwoFaced(TorchEager):
    """Is right in the inspect graph, and wrong in the graphs that are timed."""
    def run(self, input_ids, attention_mask):
        found = super().run(input_ids, attention_mask)
        return found if self.graph == "inspect" else {"logits": found["logits"] * np.float32(1.01)}

class Helped(TorchEager):
    """Starts two helper processes in new sessions. The parent of the second ends at once."""
    def __init__(self, folder, *, threads, graph):
        super().__init__(folder, threads=threads, graph=graph)
        helps = "import time; own = b'x' * 2**26; print('ready', flush=True); time.sleep(600)"
        helper = [sys.executable, "-c", helps, "a helper"]
        starts = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"
        self.helper = subprocess.Popen(helper, start_new_session=True, stdout=subprocess.PIPE)
        self.parent = subprocess.Popen([sys.executable, "-c", starts, *helper], stdout=subprocess.PIPE)
        for started in (self.helper, self.parent):
            assert started.stdout.readline() == b"ready\\n"
        self.parent.wait()

class Wavers(TorchEager):
    """Its attention is wrong in its first process, and right in every later one."""
    def __init__(self, folder, *, threads, graph):
        super().__init__(folder, threads=threads, graph=graph)
        starts = Path(__file__).with_name(f"{type(self).__name__}.starts")
        with starts.open("a") as file:
            print("started", file=file)
        self.start = len(starts.read_text().splitlines())
    def run(self, input_ids, attention_mask):
        found = super().run(input_ids, attention_mask)
        if self.start == 1 and "attention.0" in found:
            found["attention.0"] = found["attention.0"].copy()
            found["attention.0"][:, 1] *= np.float32(1.00015)
        return found

class Brittle(Wavers):
    """Like Wavers, but its second process crashes."""
    def run(self, input_ids, attention_mask):
        if self.start == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().run(input_ids, attention_mask)

class Greedy(TorchEager):
    """Allocates petabytes of memory."""
    def run(self, input_ids, attention_mask):
        return {"logits": np.ones(2**50)}

def refuse(folder, out, graphs):
    raise ValueError(f"no format for {', '.join(graphs)}")

def spec(kind, libraries=TORCH_LIBRARIES, **more):
    name, target = kind.__name__.lower(), f"fake_runtimes:{kind.__name__}"
    return Spec(name, target, "a fake", ("torch",), "pip install fakes", libraries=libraries, **more)

crashes, hangs, raises, wrongshape = map(spec, (Crashes, Hangs, Raises, WrongShape))
quits, partial = map(spec, (Quits, Partial))
peeks, notanumber, slow, inconsistent = map(spec, (Peeks, NotANumber, Slow, Inconsistent))
discreet, helped, greedy, twofaced = map(spec, (Discreet, Helped, Greedy, TwoFaced))
reticent = spec(Reticent, libraries=())  # its processes are not forked
wavers, brittle = map(spec, (Wavers, Brittle))
lowers = Spec("lowers", "fake_runtimes:Discreet", "says so", ("torch",), "pip install fakes", precision="bf16")
ahead, stale = (spec(kind, graphs=("inspect", "deploy", "decode")) for kind in (Ahead, Stale))
foreign = Spec("foreign", "fake_runtimes:Slow", "a fake", ("torch",), "", converter="fake_runtimes:refuse")
absent = Spec("absent", "nowhere:Nothing", "not installed", ("no_such_package_9",), "pip install absent")
'''

NAMES = (
    *("crashes", "hangs", "raises", "wrongshape", "peeks", "notanumber", "slow", "inconsistent", "discreet"),
    *("reticent", "helped", "greedy", "twofaced", "ahead", "stale", "absent", "wavers", "brittle", "lowers"),
    *("foreign", "quits", "partial"),
)


def install(folder: Path) -> None:
    """Write the module and the metadata of its distribution to a folder."""
    (folder / "fake_runtimes.py").write_text(MODULE)
    info = folder / "fake_runtimes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-runtimes\nVersion: 1.0\n")
    points = "\n".join(f"{name} = fake_runtimes:{name}" for name in NAMES)
    (info / "entry_points.txt").write_text(f"[onnx_attention_compare.runtimes]\n{points}\n")


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Context manager that installs the runtimes in the session's `site_folder`, and empties it at the end."""
    from compare.runtimes.registry import listing

    install(folder)
    invalidate_caches()
    listing.cache_clear()
    try:
        yield
    finally:
        shutil.rmtree(folder)
        folder.mkdir()
        sys.modules.pop("fake_runtimes", None)
        listing.cache_clear()
