"""Tests of comparisons of encoders: verdicts, the cosines between texts, and what the report says."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from compare.numerics.padding import IGNORED, cause_of
from compare.numerics.verdicts import beyond_limits, judge
from compare.numerics.weigher import Scales
from compare.pipeline.compare_model import compare
from compare.pipeline.settings import Settings
from compare.report.render.markdown import to_markdown
from compare.report.schema import Report
from compare.results.gaps import evidence_of
from compare.runtimes import onnx_attention
from compare.runtimes.onnx_runtime import OnnxRuntime
from compare.runtimes.registry import spec_of
from compare.traces import Trace, write_trace
from export.attention import graph_attention
from export.cache import Entry
from export.errors import BadInput
from export.exporting import exported
from export.taps import run_tapped
from tests.helpers.families import family_model, inputs
from tests.helpers.reports import screen_of, shown
from tests.helpers.runtimes import close_all, loaded

TEXT = "The quick brown fox jumps over the lazy dog, and runs away."
RUNTIMES = ("torch-eager", "torch-sdpa", "torch-reference", "numpy-reference", "onnxruntime")


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as of a MiniLM of sentence-transformers: a BERT with a pooler, pooled by the mean."""
    from transformers import BertModel

    folder = tmp_path_factory.mktemp("minilm") / "tiny-minilm"
    encoder = family_model("BERT")
    model = BertModel(encoder.config)
    model.load_state_dict(encoder.state_dict(), strict=False)
    model.save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    return folder


@pytest.fixture(scope="module")
def entry(minilm: Path) -> Entry:
    return exported(str(minilm))


@pytest.fixture(scope="module")
def wrong_row(entry: Entry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph with every tap, and the second row of the token types in place of the first."""
    model = onnx.load(entry.folder / "inspect.onnx")
    weights = next(x for x in model.graph.initializer if x.name.endswith("token_type_embeddings.weight"))
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights)[::-1].copy(), weights.name))
    path = tmp_path_factory.mktemp("wrong-row") / "wrong-row.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def report(minilm: Path, wrong_row: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    out = tmp_path_factory.mktemp("report")
    common = {"text": TEXT, "time": 0.2, "threads": 1, "min_rounds": 4, "thorough": True}
    return compare(str(minilm), Settings.of(runtimes=RUNTIMES, onnx=wrong_row, out=out, **common))


def test_every_runtime_computes_the_same_model(report: Report) -> None:
    assert report.model is not None
    assert (report.model.output, report.model.pooling) == ("last_hidden_state", ["mean"])
    rows = {runtime.name: runtime for runtime in report.runtimes}
    for name in RUNTIMES:
        verdict = rows[name].verdict
        assert verdict is not None
        assert verdict.kind in ("rounding", "identical"), (name, verdict.sentence)
    assert [gap.tensor for gap in rows["onnxruntime"].gaps][-2:] == ["mid_state.1", "last_hidden_state"]
    assert rows["onnxruntime"].above_diagonal() is None
    assert all(row.verdict is not None and row.verdict.kind == "rounding" for row in report.self_gaps[:-1])


def test_a_wrong_row_of_the_token_types_is_named(report: Report) -> None:
    verdict = report.runtimes[-1].verdict
    assert verdict is not None
    assert (verdict.kind, verdict.place) == ("different", "embedding")


def test_cosines_between_all_texts_are_compared(report: Report) -> None:
    for runtime in report.runtimes[:-1]:
        part = runtime.embeddings
        assert part is not None
        assert part.texts == 9
        assert part.cosine < 1e-5
        assert (part.flips, part.real_flips) == (0, 0)
    wrong = report.runtimes[-1].embeddings
    assert wrong is not None
    assert wrong.cosine > 1e-3


def test_an_encoder_is_timed_and_does_not_decode(report: Report) -> None:
    assert [row.runtime for row in report.latency if not row.again][:2] == ["torch-eager", "torch-sdpa"]
    assert report.decoding == []
    assert report.last is None
    assert report.limits is not None
    assert report.limits.work is not None
    assert report.limits.work.prefill_flops > 0
    assert "first half" not in report.self_gaps[0].gaps
    assert report.observer is not None


def test_the_report_speaks_of_embeddings(report: Report) -> None:
    screen, full, markdown = screen_of(report), shown(report), to_markdown(report)
    for text in (screen, full, markdown):
        assert "logit" not in text
        assert "next token" not in text
        assert "no text's nearest neighbour changes" in " ".join(text.split())
    assert "pass ms" in screen
    assert "token ms" not in screen
    assert "Embeddings of texts, pooled by mean: changes of cosines" in full
    assert "It generates no tokens, so there is no decoding." in " ".join(full.split())
    assert "pooler.dense.weight" in " ".join(screen.split())
    assert Report.read(report.folder).runtimes == report.runtimes


@pytest.mark.parametrize(
    "name", ["openvino", "onnx-reference", "onnxruntime-node", "onnxruntime-web-node", "onnxruntime-web"]
)
def test_other_engines_give_the_last_hidden_state(entry: Entry, name: str) -> None:
    ids, mask = inputs()
    try:
        expected, found = (
            loaded(spec_of(runtime), entry.folder, "deploy").run(ids, mask) for runtime in ("onnxruntime", name)
        )
    finally:
        close_all()
    assert list(found) == list(expected) == ["last_hidden_state"]
    states, others = (run["last_hidden_state"][mask == 1] for run in (found, expected))
    np.testing.assert_allclose(states, others, atol=1e-4, rtol=0)


def test_the_attention_of_an_encoder_is_one_operator(entry: Entry, tmp_path: Path) -> None:
    facts = onnx_attention.convert(entry.folder, tmp_path, ("inspect", "deploy"))
    assert facts == {"fused": "2 Attention"}
    found, expected = (
        OnnxRuntime(each, threads=1, graph="inspect").run(*inputs()) for each in (tmp_path, entry.folder)
    )
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor, atol=1e-5, rtol=0, err_msg=name)


@pytest.mark.optimum
def test_a_runtime_of_causal_language_models_says_so(minilm: Path, tmp_path: Path) -> None:
    found = compare(str(minilm), Settings.of(runtimes=["optimum"], text=TEXT, latency=False, threads=1, out=tmp_path))
    error = found.runtimes[1].error or ""
    assert "ORTModelForCausalLM runs causal language models alone, and this model is an encoder" in error
    assert found.exit_code() == 3


def test_a_layer_that_ignores_the_padding_mask_is_named(tmp_path: Path) -> None:
    model, folder = family_model("RoBERTa"), tmp_path / "model"
    model.save_pretrained(folder)
    ids = np.random.default_rng(0).integers(2, 256, (3, 12))
    mask = np.ones_like(ids)
    mask[1, :5] = mask[2, 7:] = 0
    write_trace(tmp_path / "inputs", {"input_ids": np.where(mask, ids, 1), "attention_mask": mask})
    scales = Scales(folder, tmp_path / "inputs", tmp_path / "golden")
    assert scales.make_golden().holds
    calls = []

    def careless(query, key, value, seen, scale):
        calls.append(None)
        return graph_attention(query, key, value, torch.ones_like(seen) if len(calls) == 2 else seen, scale)

    run = run_tapped(model, *scales.tensors, careless)
    write_trace(tmp_path / "run", {name: tensor.numpy() for name, tensor in run.items()})
    evidence = evidence_of(scales.weigh(Trace(tmp_path / "run")).values())
    verdict = judge(evidence, bitwise=False)
    assert (verdict.kind, verdict.place) == ("different", "layer 1, attention")
    cause = cause_of(scales, Trace(tmp_path / "run"), beyond_limits(evidence, weak=False))
    assert (cause.words, cause.sides) == (IGNORED, ["left", "right"])


@pytest.mark.parametrize("head", ["BertForMaskedLM", "BertForSequenceClassification"])
def test_a_head_is_not_compared_and_the_report_says_so(tmp_path: Path, head: str) -> None:
    import transformers

    from export.models import checkpoint_noted, load
    from export.sources import find

    getattr(transformers, head)(family_model("BERT").config).save_pretrained(tmp_path)
    loaded = load(find(str(tmp_path)))
    assert type(loaded.model).__name__ == "BertModel"
    notes = checkpoint_noted(loaded).notes()
    assert notes[0] == f"config.json names {head}; the model is compared as BertModel, without its head"
    assert notes[1].startswith("the compared model does not use ")


def test_an_encoder_decoder_is_refused_before_anything_is_exported(tmp_path: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = {"vocab_size": 300, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 4}
    T5ForConditionalGeneration(T5Config(**sizes)).save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="T5ForConditionalGeneration is an encoder-decoder, whose decoder"):
        exported(str(tmp_path))
