"""Kernels that reach the machine's limits, with the interface of `compare.runtimes.spec.Runtime`.

They ignore the model and the inputs; their work is the same in every call.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

#: The opset of ONNX in which MatMul got its present version.
OPSET = 13

#: Rows and columns of the matrices, by device. On the CPU, the peak was about the same from 384 to 2,560 (188 to 200
#: GFLOP/s on two cores). At this size, a call takes 40 ms on two cores, and there is enough work for many more cores.
#: A GPU of 50 TFLOP/s takes 22 ms, many times what it takes to start the kernel.
SIZE = {"cpu": 1536, "cuda": 8192}

#: The number of bytes that a call reads, by device. STREAM recommends at least four times the last-level cache, which
#: is 32 MB on the machine of docs/latency.md. A GPU of 3 TB/s reads its bytes in 1.4 ms.
READ = {"cpu": 512 * 2**20, "cuda": 4 * 2**30}


class MatrixProduct:
    """A product of two square float32 matrices, in the faster of torch and ONNX Runtime.

    A call takes 2 * SIZE**3 FLOPs, a multiplication and an addition for each term, as torch's `FlopCounterMode` counts.
    On some of AMD's processors, torch, which uses oneMKL, has half the speed of ONNX Runtime. On a GPU it is torch's.
    """

    def __init__(self, *_: Path, threads: int, device: str = "cpu", **__: Any) -> None:
        torch.set_num_threads(threads)
        self.size = SIZE[device]
        left, right = torch.rand(2, self.size, self.size, device=device)
        products = {"torch": product_in_torch(left, right)}
        if device == "cpu":
            products["onnxruntime"] = product_in_onnx_runtime(left.numpy(), right.numpy(), threads)
        self.library = min(products, key=lambda name: _seconds(products[name]))
        self.product = products[self.library]

    def run(self, *_: NDArray[Any]) -> dict[str, NDArray[Any]]:
        self.product()
        return {}

    def facts(self) -> dict[str, str]:
        return {**_facts(), "library": self.library, "flops": str(2 * self.size**3)}

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self.product


def product_in_torch(left: torch.Tensor, right: torch.Tensor) -> Callable[[], Any]:
    """Return a function that multiplies two square matrices in torch."""
    product = torch.empty_like(left)

    def run() -> torch.Tensor:
        torch.mm(left, right, out=product)
        _wait_for(product)
        return product

    return run


def product_in_onnx_runtime(left: NDArray[Any], right: NDArray[Any], threads: int) -> Callable[[], Any]:
    """Return a function that multiplies two square matrices in ONNX Runtime, the second of which is a weight."""
    import onnxruntime  # here, because the process is forked from one with torch's libraries alone
    from onnx import TensorProto, helper, numpy_helper

    node = helper.make_node("MatMul", ["left", "right"], ["product"])
    given, found = (helper.make_tensor_value_info(name, TensorProto.FLOAT, left.shape) for name in ("left", "product"))
    graph = helper.make_graph([node], "product", [given], [found], [numpy_helper.from_array(right, "right")])
    model = helper.make_model_gen_version(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run() -> Any:
        return session.run(None, {"left": left})[0]

    return run


class MemoryBandwidth:
    """A sum over `READ` bytes, each counted once.

    STREAM (McCalpin 1995) counts the bytes that a program reads and writes. The hardware may move more; for example, it
    may read the target of a copy before writing it. A sum writes nothing, so both counts are equal. A decode step reads
    its weights in the same way. The sum was the fastest candidate: sum 33 GB/s, dot product 32, copy and triad 29 to
    31, matrix times vector 18.
    """

    def __init__(self, *_: Path, threads: int, device: str = "cpu", **__: Any) -> None:
        torch.set_num_threads(threads)
        self.numbers = torch.full((READ[device] // 4,), 0.5, device=device)

    def run(self, *_: NDArray[Any]) -> dict[str, NDArray[Any]]:
        _wait_for(self.numbers.sum())
        return {}

    def facts(self) -> dict[str, str]:
        return {**_facts(), "bytes": str(4 * self.numbers.numel())}

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self.numbers


def _wait_for(tensor: torch.Tensor) -> None:
    """Wait until a GPU has computed a tensor."""
    if tensor.is_cuda:
        torch.cuda.synchronize()


def _seconds(product: Callable[[], Any]) -> float:
    """Return the shortest time of three calls, after one that warms up."""
    product()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        product()
        times.append(time.perf_counter() - start)
    return min(times)


def _facts() -> dict[str, str]:
    return {"torch": torch.__version__, "threads": str(torch.get_num_threads())}
