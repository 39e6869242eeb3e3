"""Conversions of exported graphs for ONNX Runtime, as its users make them: fused operators or quantized weights."""

from collections import Counter
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, NodeProto, helper

from compare.runtimes.spec import Graph
from export.errors import CannotRun
from export.kinds import is_encoder


def int8(folder: Path, out: Path, graphs: tuple[Graph, ...]) -> dict[str, str]:
    """Quantize constant weights to 8 bits, and activations when they are computed (`quantize_dynamic`)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for graph in graphs:
        quantize_dynamic(folder / f"{graph}.onnx", out / f"{graph}.onnx", weight_type=QuantType.QInt8)
    return _quantized(out / f"{graphs[0]}.onnx", "MatMulInteger")


def int4(folder: Path, out: Path, graphs: tuple[Graph, ...]) -> dict[str, str]:
    """Quantize constant weights of matrix products to 4 bits in blocks (`MatMulNBits`); activations stay float32."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    for graph in graphs:
        model = onnx.load(folder / f"{graph}.onnx")
        split_gemms(model)
        quantizer = MatMulNBitsQuantizer(model, block_size=32, is_symmetric=True)
        quantizer.process()
        quantizer.model.save_model_to_file(str(out / f"{graph}.onnx"))
    return _quantized(out / f"{graphs[0]}.onnx", "MatMulNBits")


def fused(folder: Path, out: Path, graphs: tuple[Graph, ...]) -> dict[str, str]:
    """Fuse operators with `onnxruntime.transformers.optimizer`, and count the fused operators. It may fuse none.

    It fails on a graph with taps, so the graph "inspect" that is written here gives the model's output alone.
    """
    from onnxruntime.transformers.optimizer import optimize_model

    config: Any = _config(folder)
    counts = {}
    for graph in graphs:
        source = folder / f"{'deploy' if graph == 'inspect' else graph}.onnx"
        optimized = optimize_model(
            str(source),
            model_type="bert" if is_encoder(config) else "gpt2",  # the optimizer's names for encoders and decoders
            num_heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            opt_level=0,  # the session optimizes the graph too
        )
        optimized.save_model_to_file(str(out / f"{graph}.onnx"))
        before = _operators(onnx.load(source, load_external_data=False))
        made = [name for name, count in optimized.get_fused_operator_statistics().items() if count > before[name]]
        counts[graph] = ", ".join(f"{_operators(optimized.model)[name]} {name}" for name in made) or "nothing"
    decoding = {"fused for decoding": counts["decode"]} if "decode" in counts else {}
    return {"fused": counts["deploy"], **decoding}


def split_gemms(model: ModelProto) -> None:
    """Replace each Gemm that computes A B + C by a matrix product and a sum, which 4-bit quantization needs."""
    nodes = []
    for node in model.graph.node:
        if node.op_type != "Gemm" or len(node.input) != 3 or not _is_plain(node):
            nodes.append(node)
            continue
        left, right, bias = node.input
        product = f"{node.output[0]}.product"
        nodes.append(helper.make_node("MatMul", [left, right], [product], name=f"{node.name}.product"))
        nodes.append(helper.make_node("Add", [product, bias], node.output, name=f"{node.name}.sum"))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


#: The attributes of a Gemm that computes A B + C.
_PLAIN = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}


def _is_plain(gemm: NodeProto) -> bool:
    return all(helper.get_attribute_value(attribute) == _PLAIN[attribute.name] for attribute in gemm.attribute)


def _config(folder: Path) -> Any:
    import transformers

    return transformers.AutoConfig.from_pretrained(folder, local_files_only=True)


def _operators(model: ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def _quantized(path: Path, operator: str) -> dict[str, str]:
    """Return how many products of a graph are quantized. Raises `CannotRun` if none is."""
    count = _operators(onnx.load(path, load_external_data=False))[operator]
    if not count:
        raise CannotRun("nothing was quantized: the graph has no matrix product with constant weights")
    return {"quantized": f"{count} {operator}"}
