"""Faults of padding are named, in graphs of either exporter, with and without names; clean graphs raise no alarm."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from compare.numerics.padded_verdicts import excused
from compare.numerics.padding import COUNTED, Cause, cause_of
from compare.numerics.verdicts import beyond_limits, judge
from compare.numerics.weigher import Scales
from compare.onnx_files.staging import inspecting
from compare.onnx_files.structure import candidates
from compare.pipeline.inputs import padded, tokenize
from compare.report.schema import Report
from compare.results.gaps import evidence_of
from compare.results.verdicts import Verdict
from compare.runtimes.onnx_runtime import OnnxRuntime
from compare.runtimes.registry import BUILT_IN, spec_of
from compare.traces import Trace, write_trace
from export.cache import Entry
from export.exporting import exported
from tests.faults.graph import Graph
from tests.faults.kinds.fault import NotHere
from tests.faults.padding import PADDING_FAULTS
from tests.helpers.graphs import nameless
from tests.helpers.tiny import USUAL

OPTIMUM = pytest.param("optimum", marks=pytest.mark.optimum)


@dataclass
class Padded:
    """A model with its padded input, golden and floors, which judges runs."""

    scales: Scales
    scratch: Path

    def run(self, graph: onnx.ModelProto) -> dict[str, np.ndarray]:
        (self.scratch / "graph").mkdir(exist_ok=True)
        onnx.save(graph, self.scratch / "graph" / "inspect.onnx")
        ids, mask = (tensor.numpy() for tensor in self.scales.tensors)
        return OnnxRuntime(self.scratch / "graph", threads=1, graph="inspect").run(ids, mask)

    def judged(self, run: dict[str, np.ndarray]) -> tuple[Verdict, Cause]:
        write_trace(self.scratch / "run", run)
        trace = Trace(self.scratch / "run")
        evidence = evidence_of(self.scales.weigh(trace).values())
        verdict = judge(evidence, bitwise=False)
        wrong = beyond_limits(evidence, weak=verdict.weak)
        if verdict.kind != "different" or not wrong:
            return verdict, Cause()
        return excused(verdict, evidence, cause_of(self.scales, trace, wrong))


@pytest.fixture(scope="module")
def model(tiny_export, tmp_path_factory: pytest.TempPathFactory):
    """Return a function that makes a tiny model of a type with its padded input."""
    made: dict[str, Padded] = {}

    def make(model_type: str) -> Padded:
        if model_type not in made:
            folder, scratch = tiny_export(model_type).folder, tmp_path_factory.mktemp(model_type)
            text = tokenize(folder, text=None, sequence=40, batch=1, positions=64)
            inputs = padded(text, positions=64, vocabulary=300, model_folder=folder)
            write_trace(scratch / "inputs", {"input_ids": inputs.input_ids, "attention_mask": inputs.attention_mask})
            scales = Scales(folder, scratch / "inputs", scratch / "golden")
            assert scales.make_golden().holds
            made[model_type] = Padded(scales, scratch)
        return made[model_type]

    return make


def planted(entry: Entry, graph: str, fault: str | None) -> onnx.ModelProto:
    """Return a graph of an entry with a fault of padding, or without one for None."""
    editable = Graph.read(entry.folder / f"{graph}.onnx")
    if fault is not None:
        PADDING_FAULTS[fault].plant(editable)
    return onnx.load_from_string(editable.serialized())


@pytest.mark.parametrize("model_type", USUAL)
def test_a_clean_run_is_rounding_in_every_runtime(model, tiny_export, model_type: str) -> None:
    where = model(model_type)
    ids, mask = (tensor.numpy() for tensor in where.scales.tensors)
    for spec in (spec for spec in BUILT_IN if spec.default and not spec.missing()):
        runtime = spec.load_class()(tiny_export(model_type).folder, threads=1, graph="inspect")
        verdict, _ = where.judged(runtime.run(ids, mask))
        assert verdict.kind == "rounding", f"{spec.name}: {verdict}"


@pytest.mark.parametrize("exporter", ["dynamo", OPTIMUM])
@pytest.mark.parametrize("model_type", USUAL)
def test_a_clean_graph_is_rounding(model, tiny_export, model_type: str, exporter: str) -> None:
    where, entry = model(model_type), tiny_export(model_type, exporter)
    bare = nameless(planted(entry, "deploy", None))
    for graph in (planted(entry, "inspect", None), inspecting(bare, candidates(bare.graph, 2) | {"logits": "logits"})):
        assert where.judged(where.run(graph))[0].kind == "rounding"
    assert where.judged({"logits": where.run(bare)["logits"]})[0].kind == "rounding"


@pytest.mark.parametrize("fault", PADDING_FAULTS)
@pytest.mark.parametrize(
    ("model_type", "exporter"),
    [
        ("gpt2", "dynamo"),
        pytest.param("gpt2", "optimum", marks=pytest.mark.optimum),
        ("llama", "dynamo"),
        ("qwen3", "dynamo"),
    ],
)
def test_a_fault_is_named(model, tiny_export, model_type: str, exporter: str, fault: str) -> None:
    """The fault is named with every tap, with the taps located in a graph without names, and with logits alone.

    Rotary positions that count padding change queries and keys, but nothing after them, so no fault may be reported.
    """
    where, entry, expected = model(model_type), tiny_export(model_type, exporter), PADDING_FAULTS[fault]
    try:
        named = planted(entry, "inspect", fault)
        bare = nameless(planted(entry, "deploy", fault))
    except NotHere:
        assert (exporter, fault) == ("optimum", "mask ignored in one layer")
        return
    runs = [where.run(named), where.run(inspecting(bare, candidates(bare.graph, 2) | {"logits": "logits"}))]
    assert len(runs[1]) == 2 + 5 + 1
    harmless = expected.words == COUNTED and model_type != "gpt2"
    for run in (*runs, {"logits": runs[1]["logits"]}):
        verdict, cause = where.judged(run)
        if harmless:
            assert verdict.kind == "rounding"
            assert cause.words == (COUNTED if "query.0" in run else "")
            continue
        unseen = (
            len(run) == 1 and fault == "mask ignored in one layer"
        )  # no wrong mask in the whole model gives these logits
        assert (verdict.kind, cause.words) == ("different", "" if unseen else expected.words)
        assert cause.sides == (["left"] if expected.left_alone else ["left", "right"])


def test_a_fault_that_no_reading_explains_is_placed(model, entry) -> None:
    """An error that only padding shows, and that no cause explains, is reported with its place."""
    where = model("gpt2")
    run = where.run(planted(entry, "inspect", None))
    run["context.1"] = run["context.1"].copy()
    run["context.1"][1, :, 6:] *= 1.01
    verdict, cause = where.judged(run)
    assert (verdict.kind, verdict.place, cause) == ("different", "layer 1, attention", Cause("", ["left"]))


@pytest.mark.parametrize("value", [1e-30, np.nan])
def test_what_stands_on_padding_is_seen_however_small(model, entry, value: float) -> None:
    where = model("gpt2")
    run = where.run(planted(entry, "inspect", None))
    run["attention.1"] = run["attention.1"].copy()
    run["attention.1"][1, 2, 8, 1] = value
    verdict, _ = where.judged(run)
    assert verdict.kind == "different"
    assert verdict.note == f"a probability of {value:.1e} on padding"


@pytest.mark.slow
@pytest.mark.parametrize("fault", {fault.words: name for name, fault in PADDING_FAULTS.items()}.values())
def test_from_the_command_line(fault: str, tmp_path: Path) -> None:
    file, out = tmp_path / "faulty.onnx", tmp_path / "out"
    onnx.save(planted(exported("byte-gpt2"), "deploy", fault), file)
    command = [sys.executable, "-m", "compare", "--model", "byte-gpt2", "--onnx", str(file), "--out", str(out)]
    run = subprocess.run([*command, "--quick", "--no-latency"], capture_output=True, text=True)
    assert run.returncode == 1, run.stderr
    report = Report.read(out)
    eager, *_, row = report.runtimes
    assert row.verdict is not None and row.padding is not None
    assert row.padding.text.kind == "rounding"
    side = " on the left" if PADDING_FAULTS[fault].left_alone else ""
    said = f"different where sequences are padded{side}: it {PADDING_FAULTS[fault].words}, from "
    assert row.verdict.sentence.startswith(said)
    screen = " ".join(run.stdout.split())
    assert f"onnx-file differs where sequences are padded{side}: it {PADDING_FAULTS[fault].words}." in screen
    assert eager.verdict is not None and eager.verdict.kind == "rounding"


def test_every_fault_of_padding_is_none_without(entry, ids_and_mask) -> None:
    ids = ids_and_mask[0]
    clean = onnx.load(entry.folder / "deploy.onnx")
    runs = []
    for fault in (None, *PADDING_FAULTS):
        graph = clean if fault is None else planted(entry, "deploy", fault)
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        runs.append(session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0])
    for run in runs[1:]:
        np.testing.assert_allclose(run, runs[0], atol=1e-5, rtol=0)


def test_the_runtimes_of_the_registry_take_padding_on_either_side(entry, model) -> None:
    ids, mask = (tensor.numpy() for tensor in model("gpt2").scales.tensors)
    assert mask.sum(axis=1).tolist() == [12, 7, 7]
    assert (mask[1, 0], mask[1, -1], mask[2, 0], mask[2, -1]) == (0, 1, 1, 0)
    assert np.isfinite(
        spec_of("torch-sdpa").load_class()(entry.folder, threads=1, graph="deploy").run(ids, mask)["logits"]
    ).all()
