"""Tests of the machine's limits: the work of a pass, the share of a limit, and the report of both."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from compare.latency import limit_kernels
from compare.latency.machine_limits import BANDWIDTH, COMPUTE, Limit, limit_or_runtime
from compare.latency.series import Role, Series
from compare.latency.statistics import midmean
from compare.numerics.diagnostics.model_work import work_of
from compare.numerics.worker import counted_work
from compare.pipeline.assemble_latency import latency_parts
from compare.pipeline.assemble_limits import computes_in_float32, limits_part, share_of
from compare.report.formatting import NOTHING, share
from compare.report.render.markdown import to_markdown
from compare.report.schema import Report
from compare.report.sections import limits as limits_section
from compare.results.machine_limits import LimitRow, Work
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict
from compare.runtimes.registry import BASELINE, BUILT_IN
from export.errors import BadInput
from tests.helpers.series import series_of

WORK = Work(prefill_flops=600, decode_bytes=80, past=12)


def layer_flops(model: str, tokens: int) -> int:
    """Return the FLOPs of a layer of a tiny model without attention, counted by hand: hidden size 64, 4 heads of 16."""
    gpt2 = 64 * 3 * 64 + 64 * 64 + 2 * 64 * 256  # query, key and value; the projection out; the MLP there and back
    llama = 64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 96  # two key-value heads; the MLP has a gate
    return 2 * tokens * {"gpt2": gpt2, "llama": llama}[model]


@pytest.mark.parametrize("model", ["gpt2", "llama"])
def test_work_is_what_one_counts_by_hand(tiny, model: str, tmp_path: Path) -> None:
    batch, sequence, layers = 2, 12, 2
    tiny(model).save_pretrained(tmp_path)
    work = work_of(tmp_path, batch, sequence)

    # Eight frequencies times each position, once for all layers; transformers 5 takes no matrix product for it.
    rotary = 2 * 8 if model == "llama" and transformers.__version__.startswith("4.") else 0
    attention = 2 * 2 * batch * sequence**2 * 64  # scores, and the mix of values
    body = layers * (layer_flops(model, batch * sequence) + attention) + rotary * sequence
    assert work.prefill_flops == body + 2 * batch * sequence * 64 * 300
    assert work.past == sequence


def test_the_bytes_of_a_decode_step_are_what_one_counts_by_hand(tiny, tmp_path: Path) -> None:
    """GPT-2 reads its whole token table, which is its head, and one row of positions. Llama has a separate head."""
    batch, sequence = 3, 12
    for model, gathered, heads in (("gpt2", 64, 4), ("llama", 300, 2)):
        made = tiny(model)
        made.save_pretrained(tmp_path / model)
        parameters = sum(parameter.numel() for parameter in made.parameters())
        read = parameters - gathered * 64 + batch * 64
        kept = 2 * 2 * batch * heads * 16 * (sequence + 1)  # keys and values, two layers
        assert work_of(tmp_path / model, batch, sequence).decode_bytes == 4 * (read + kept)


def test_where_the_model_has_no_room_the_decode_step_is_its_last(tiny_folder: Path) -> None:
    assert work_of(tiny_folder, 1, 64).past == 63
    assert work_of(tiny_folder, 1, 63).past == 63
    assert work_of(tiny_folder, 1, 62).past == 62


def test_work_that_cannot_be_counted_says_why_and_names_no_path(tmp_path: Path) -> None:
    assert counted_work(tmp_path, 1, 8)["error"].startswith(f"ValueError: Unrecognized model in {tmp_path.name}. ")


def test_kernels_do_the_work_that_they_say() -> None:
    product = limit_kernels.MatrixProduct(threads=torch.get_num_threads())
    assert product.run() == {}
    with FlopCounterMode(display=False) as counter:
        limit_kernels.product_in_torch(*torch.rand(2, product.size, product.size))()
    assert int(product.facts()[COMPUTE.unit]) == counter.get_total_flops()
    bandwidth = limit_kernels.MemoryBandwidth(threads=torch.get_num_threads())
    bandwidth.run()
    assert int(bandwidth.facts()[BANDWIDTH.unit]) == bandwidth.numbers.nbytes
    for kernel in (product, bandwidth):
        assert kernel.operators() == {}
        kernel.close()


def test_the_faster_library_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = torch.rand(2, 64, 64)
    in_onnx_runtime = limit_kernels.product_in_onnx_runtime(left.numpy(), right.numpy(), threads=1)
    np.testing.assert_allclose(in_onnx_runtime(), limit_kernels.product_in_torch(left, right)().numpy(), rtol=1e-4)
    seconds = iter([2.0, 1.0])
    monkeypatch.setattr(limit_kernels, "_seconds", lambda _: next(seconds))
    assert limit_kernels.MatrixProduct(threads=1).facts()["library"] == "onnxruntime"


def test_a_share_is_paired_by_round() -> None:
    """The machine becomes up to nine times slower from round to round, but the share stays the same."""
    generator = np.random.default_rng(0)
    moods = generator.uniform(1, 9, 40)
    limit = {n: [int(1e6 * mood * noise) for noise in generator.normal(1, 0.02, 5)] for n, mood in enumerate(moods)}
    turns = {n: [int(8e6 * mood * noise) for noise in generator.normal(1, 0.02, 5)] for n, mood in enumerate(moods)}
    share = Limit(100, limit).share(turns, work=200, seed=0)
    assert share.estimate == pytest.approx(0.25, rel=0.02)
    assert 0.24 < share.low <= 0.25 <= share.high < 0.26
    assert Limit(100, limit).share({99: [5]}, work=200, seed=0) is None


def limits() -> list[Series]:
    facts = {COMPUTE.name: {"flops": "1000"}, BANDWIDTH.name: {"bytes": "400"}}
    return [series_of(name, Role.LIMIT, turns={0: [50], 1: [100]}, facts=said) for name, said in facts.items()]


def test_turns_are_compared_with_either_limit() -> None:
    part = limits_part(limits(), WORK)
    assert (part.compute.per_call, part.bandwidth.per_call) == (1000, 400)
    assert part.compute.per_second == pytest.approx(1000 / 75e-9)
    assert part.work == WORK
    decode = share_of(part.bandwidth, {0: [20], 1: [40]}, WORK.decode_bytes, seed=0)
    assert (decode.estimate, decode.low, decode.high) == pytest.approx((0.5, 0.5, 0.5))


def runtime(name: str, precision: str = "float32", kind: str | None = None) -> RuntimeResult:
    plain = {"tensor": None, "place": "", "statistic": None, "multiple": None, "precision": "bf16", "note": ""}
    verdict = Verdict(kind=kind, weak=False, **plain) if kind else None
    return RuntimeResult(name=name, precision=precision, hybrid=False, named=False, verdict=verdict)


def test_what_is_narrower_than_the_limits_has_no_share_of_them() -> None:
    runtimes = [runtime("full", kind="rounding"), runtime("says so", "bfloat16")]
    runtimes += [runtime("is found out", kind="reduced precision"), runtime("died")]
    narrow = {part.name for part in runtimes if not computes_in_float32(part)}
    series = [series_of(part.name, turns={0: [100], 1: [100]}) for part in runtimes]
    series[-1].error = "killed by SIGKILL"
    rows = latency_parts(series, 0, limits_part(limits(), WORK), narrow)
    assert [row.of_peak is None for row in rows] == [False, True, True, True]
    assert rows[0].of_peak.estimate == pytest.approx(0.6 * 0.5**0.5)  # 600 of 1000 FLOPs in 100 ns; those take 50, 100


def test_without_a_limit_or_the_work_there_is_no_share() -> None:
    dead, other = limits()
    dead.error = "killed by SIGKILL"
    row = series_of("full", turns={0: [100]})
    part = limits_part([dead, other], WORK)
    assert (part.compute.error, part.compute.per_second) == ("killed by SIGKILL", None)
    assert latency_parts([row], 0, part)[0].of_peak is None
    part = limits_part(limits(), "ValueError: no such architecture")
    assert (part.work, part.uncounted) == (None, "ValueError: no such architecture")
    assert latency_parts([row], 0, part)[0].of_peak is None


def test_a_worker_holds_a_limit_by_its_name() -> None:
    assert limit_or_runtime("matrix-product") is COMPUTE
    assert limit_or_runtime("memory-bandwidth") is BANDWIDTH
    assert limit_or_runtime(BASELINE).name == BASELINE
    assert COMPUTE.name not in {spec.name for spec in BUILT_IN}
    with pytest.raises(BadInput, match="unknown runtime 'matrix'"):
        limit_or_runtime("matrix")


def test_a_comparison_holds_its_rows_against_the_machine(report: Report, tiny_folder: Path) -> None:
    limits = report.limits
    for part in (limits.compute, limits.bandwidth):
        assert part.error is None
        rounds = report.rounds + (report.decode_rounds if part is limits.bandwidth else 0)
        assert part.turns.keys() <= set(range(rounds))
        assert {0, *([report.rounds] if part is limits.bandwidth else [])} <= part.turns.keys()
        assert part.per_second > 0
    assert limits.uncounted is None
    assert limits.work == work_of(tiny_folder, 1, report.input.sequence)
    assert COMPUTE.name not in {row.runtime for row in report.latency} | {row.runtime for row in report.self_gaps}
    for row in report.latency:
        turns = [(np.median(turn), np.median(row.turns[n])) for n, turn in limits.compute.turns.items()]
        shares = [limit / mine * limits.work.prefill_flops / limits.compute.per_call for limit, mine in turns]
        assert row.of_peak.estimate == pytest.approx(np.exp(midmean(np.log(shares))))
        assert row.of_peak.low <= row.of_peak.estimate <= row.of_peak.high


def test_the_limits_are_a_table_and_two_sentences(report: Report) -> None:
    altered = report.model_copy(deep=True)
    (table,) = limits_section.tables(altered)
    timed = [spec.name for spec in BUILT_IN if spec.default and not spec.hybrid and not spec.missing()]
    steps = [f"{row.runtime}, a step" for row in altered.decoding if not row.again and row.error is None]
    assert [row[0] for row in table.rows] == [*timed, *steps, "matrix-product", "memory-bandwidth"]
    assert table.rows[0][3] == share(altered.latency[0].of_peak)
    altered.limits.compute.per_second, altered.limits.bandwidth.per_second = 200e9, 20e9
    altered.limits.work = replace(altered.limits.work, prefill_flops=10**10, decode_bytes=4 * 10**8)
    said = [
        "At this machine's peak, 200 GFLOP/s in float32 matrix products, the 10 GFLOP of this input take 50 ms.",
        f"At 20 GB/s from memory, the 400 MB of one more token after {altered.limits.work.past} take 20 ms.",
    ]
    assert limits_section.sentences(altered) == said
    assert all(sentence in to_markdown(altered) for sentence in said)


def test_missing_limits_and_work_are_reported(report: Report) -> None:
    altered = report.model_copy(deep=True)
    altered.limits.bandwidth = LimitRow(name=BANDWIDTH.name, error="killed by SIGKILL")
    last = limits_section.tables(altered)[0].rows[-1]
    assert last == [BANDWIDTH.name, NOTHING, "failed: killed by SIGKILL", NOTHING]
    assert len(limits_section.sentences(altered)) == 1
    altered.limits.work, altered.limits.uncounted = None, "ValueError: no such architecture"
    assert limits_section.sentences(altered) == [
        "The model's work could not be counted: ValueError: no such architecture."
    ]
    assert [row[0] for row in limits_section.tables(altered)[0].rows] == [COMPUTE.name, BANDWIDTH.name]
    altered.limits = None
    assert limits_section.tables(altered) == limits_section.sentences(altered) == []
