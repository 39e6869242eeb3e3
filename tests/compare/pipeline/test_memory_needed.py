"""Test that memory is compared with what is there before anything runs, and watched while an ONNX file runs."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compare.pipeline import memory_needed
from compare.pipeline.compare_model import compare
from compare.pipeline.memory_needed import check_comparison, check_file, check_grid_memory, comparison_bytes, file_limit
from compare.pipeline.settings import Settings
from compare.pipeline.shapes import Shape
from export.cache import Entry
from export.errors import BadInput, CannotRun

#: The sizes of distilgpt2.
FACTS = {"layers": 6, "heads": 12, "key_value_heads": 12, "head_dim": 64, "hidden": 768, "vocabulary": 50257}
FACTS |= {"parameters": 81_912_576, "output": "logits"}


def test_what_is_needed_grows_with_the_input() -> None:
    small, batch, long = (comparison_bytes(FACTS, Shape(*sizes)) for sizes in ((128, 1), (128, 64), (1024, 1)))
    assert 1e9 < small < 5e9
    assert batch > 5 * small
    assert long > 2 * small
    assert comparison_bytes(FACTS | {"output": "last_hidden_state"}, Shape(128, 64)) < batch


def test_an_input_that_needs_more_than_there_is_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_needed, "available_bytes", lambda: 8e9)
    check_comparison(FACTS, Shape(128, 1))
    with pytest.raises(
        BadInput, match=r"^an input of 100,000 x 128 tokens needs about [\d,]+\.\d GB of memory, and 8\.0 GB "
    ):
        check_comparison(FACTS, Shape(128, 100_000))
    with pytest.raises(BadInput, match=r"are free; lower batch or sequence$"):
        check_comparison(FACTS, Shape(10**9, 1))
    with pytest.raises(BadInput, match=r"are free; lower what grid asks for$"):
        check_grid_memory(FACTS, Shape(128, 100_000))
    with pytest.raises(BadInput, match=r"are free; lower batch or sequence$"):
        check_file(10**6, 50257, Shape(1024, 1024))
    with pytest.raises(
        CannotRun, match=r"^the weights alone need about 30\.5 GB of memory, and 8\.0 GB are free; end other"
    ):
        check_file(10**10, 256, Shape(1, 1))
    with pytest.raises(CannotRun, match=r"^the weights alone need about "):
        check_comparison(FACTS | {"parameters": 10**10}, Shape(1, 1))


def test_a_file_may_take_several_times_what_it_needs() -> None:
    assert file_limit(0, 0) == 2e9
    assert file_limit(10**9, 10**9) == 2e9 + 4 * (3e9 + 8e9)


def hungry(model: onnx.ModelProto, count: int) -> onnx.ModelProto:
    """Let a graph fill an array of so many numbers, and add its sum, which is 0, to the logits."""
    output = model.graph.output[0]
    maker = next(node for node in model.graph.node if output.name in node.output)
    maker.output[0] = "before"
    zero = numpy_helper.from_array(numpy_helper.to_array(helper.make_tensor("v", TensorProto.FLOAT, [1], [0.0])), "v")
    model.graph.initializer.append(helper.make_tensor("count", TensorProto.INT64, [1], [count]))
    model.graph.node.extend(
        [
            helper.make_node("ConstantOfShape", ["count"], ["filled"], value=zero),
            helper.make_node("ReduceSum", ["filled"], ["sum"], keepdims=0),
            helper.make_node("Add", ["before", "sum"], [output.name]),
        ]
    )
    return model


def test_a_file_that_takes_memory_without_end_is_stopped(
    entry: Entry, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_needed, "FILE_ROOM", 0.5e9)
    file = tmp_path / "hungry.onnx"
    onnx.save(hungry(onnx.load(entry.folder / "deploy.onnx"), 2**30), file)
    settings = Settings.of(runtimes=[], latency=False, sequence=8, threads=1, onnx=file, out=tmp_path / "out")
    report = compare(str(tiny_folder), settings)
    row = report.runtimes[-1]
    assert row.error is not None
    assert row.error.startswith("it took ")
    assert row.error.endswith("GB that it may have")
    assert report.exit_code() == 3
