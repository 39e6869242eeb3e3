"""The numerics process: makes golden and the controls of one model on one input, and weighs traces against them.

Everything in it is float64 models and floors; it knows no runtime, and a runtime's process knows nothing of it. It
answers lines on stdin with lines of JSON on stdout:

    golden           write the golden trace                {"worst": ..., "tensor": ...}: the ruler
    controls         run the controls, keep the floors     {"names": [...], "distinct": ...}
    evidence TRACE   weigh a trace folder                  {"bitwise golden tensor": {...}, ...}

`python -m compare.numerics.process JOB`.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from compare.child import Dialogue, main_of_child, questions
from compare.numerics.errors import Error, Floor, Multiples, error_of, floor_of, multiples_of
from compare.numerics.golden import Ruler, float64_runs, ruler_of
from compare.numerics.verdicts import TensorEvidence
from compare.traces import Trace, write_trace


class Numerics:
    """The parent's side. Make it in the main thread; `timeout` in seconds for each answer.

    Every method raises `compare.child.ChildFailed` where the process crashes, hangs or raises.
    """

    def __init__(self, model: Path, inputs: Path, out: Path, *, threads: int, log: Path, timeout: float) -> None:
        job = {"model": model, "inputs": inputs, "out": out, "threads": threads}
        self._out = out
        self._child = Dialogue("compare.numerics.process", job, threads=threads, log=log, timeout=timeout)
        self.failed = False

    def golden(self) -> tuple[Trace, Ruler]:
        """The golden trace, and how well it agrees with transformers; a ruler that does not hold is for the caller."""
        ruler = Ruler(**self._ask("golden"))
        return Trace(self._out), ruler

    def controls(self) -> tuple[list[str], int]:
        """The names of the controls, and how many of them are distinct."""
        answer = self._ask("controls")
        return answer["names"], answer["distinct"]

    def evidence(self, trace: Path) -> dict[str, TensorEvidence]:
        """What is known of each tensor of a trace, in the order of execution."""
        return {name: _evidence_from(found) for name, found in self._ask(f"evidence {trace}").items()}

    def end(self) -> None:
        """Kill the process; the log of one that failed is kept."""
        self._child.end(keep_log=self.failed)

    def _ask(self, what: str) -> dict[str, Any]:
        self.failed = True  # until it has answered
        answer = self._child.ask(what)
        self.failed = False
        return answer


def _evidence_from(found: dict[str, Any]) -> TensorEvidence:
    local = found.pop("local")
    return TensorEvidence(
        local=Multiples(**local) if local else None,
        accumulated=Multiples(**found.pop("accumulated")),
        place=tuple(found.pop("place")),
        **found,
    )


class Scales:
    """Golden, and floors by profile: runs that expose the same inputs are parted into the same segments."""

    def __init__(self, model: Path, inputs: Path, out: Path) -> None:
        import torch

        from export.models import read_weights

        self.model_folder, self.out = model, out
        self.double = read_weights(model).double()
        given = Trace(inputs)
        self.mask = given["attention_mask"].copy()
        self.tensors = torch.from_numpy(given["input_ids"].copy()), torch.from_numpy(self.mask)
        self.floors: dict[frozenset[str], dict[str, tuple[Floor, Floor]]] = {}

    def make_golden(self) -> Ruler:
        golden, eager = ({n: t.numpy() for n, t in run.items()} for run in float64_runs(self.double, *self.tensors))
        ruler = ruler_of(golden, eager, self.mask)
        write_trace(self.out, golden)
        return ruler

    def make_floors(self, profile: frozenset[str]) -> tuple[list[str], int]:
        """Run the controls and keep the floors of a profile; their names, and how many were distinct."""
        from compare.numerics.controls import control_runs
        from compare.numerics.replay import FORWARDED
        from export.models import read_weights

        errors: dict[str, list[tuple[Error, Error]]] = {}
        names, outputs = [], set()
        for name, run in control_runs(read_weights(self.model_folder), *self.tensors):
            found = {n: t.numpy() for n, t in run.items()}
            names.append(name)
            outputs.add(found["logits"].tobytes())
            exposed = {n: t for n, t in found.items() if n in profile or n.partition(".")[0] not in FORWARDED}
            local, accumulated = self._errors(exposed, profile)
            for tensor in accumulated:
                errors.setdefault(tensor, []).append((local[tensor], accumulated[tensor]))
        self.floors[profile] = {
            tensor: (floor_of([local for local, _ in pairs]), floor_of([accumulated for _, accumulated in pairs]))
            for tensor, pairs in errors.items()
        }
        return names, len(outputs)

    def evidence(self, trace: Trace) -> dict[str, TensorEvidence]:
        from compare.numerics.replay import profile_of

        golden = Trace(self.out)
        shown = {name: trace[name] for name in golden if name in trace}
        profile = profile_of(shown)
        if profile not in self.floors:
            self.make_floors(profile)
        local, accumulated = self._errors(shown, profile)
        found = {}
        for name, tensor in shown.items():
            local_floor, floor = self.floors[profile][name]
            with np.errstate(over="ignore"):
                half = bool(np.array_equal(tensor.astype(np.float16), tensor))
            sizes = local[name].size
            relative = np.divide(local[name].rms, sizes, where=sizes > 0, out=np.zeros_like(sizes))
            found[name] = TensorEvidence(
                local=multiples_of(local[name], local_floor),
                accumulated=multiples_of(accumulated[name], floor),
                relative=float(relative.max()),
                half=half,
                nan=accumulated[name].nan,
                above=accumulated[name].above,
                place=local[name].place,
            )
        return found

    def _errors(self, run: Mapping[str, Any], profile: frozenset[str]) -> tuple[dict[str, Error], dict[str, Error]]:
        """Local and accumulated errors of every tensor of a run."""
        from compare.numerics.replay import replay

        golden = Trace(self.out)
        replayed = replay(self.double, *self.tensors, {name: run[name] for name in profile})
        local = {name: error_of(name, run[name], replayed[name].numpy(), self.mask) for name in run}
        return local, {name: error_of(name, run[name], golden[name], self.mask) for name in run}


def _work(job: dict[str, Any]) -> None:
    import torch

    from export.taps import tap_names

    torch.set_num_threads(job["threads"])
    scales = Scales(Path(job["model"]), Path(job["inputs"]), Path(job["out"]))
    for line, answer in questions():
        match line.split(maxsplit=1):
            case ["golden"]:
                answer(asdict(scales.make_golden()))
            case ["controls"]:
                from compare.numerics.replay import profile_of

                profile = profile_of(tap_names(scales.double.config.num_hidden_layers))
                names, distinct = scales.make_floors(profile)
                answer({"names": names, "distinct": distinct})
            case ["evidence", folder]:
                found = scales.evidence(Trace(Path(folder)))
                answer({name: asdict(evidence) for name, evidence in found.items()})
            case _:
                raise ValueError(f"the numerics process knows golden, controls and evidence TRACE, not {line!r}")


if __name__ == "__main__":
    main_of_child(_work)
