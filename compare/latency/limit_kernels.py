"""Kernels that reach the machine's limits, with the interface of `compare.runtimes.spec.Runtime`.

They ignore the model and the inputs; their work is the same in every call.
"""

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

#: Rows and columns of the matrices, by device. On the CPU, the peak was about the same from 384 to 2,560 (188 to 200
#: GFLOP/s on two cores). At this size, a call takes 40 ms on two cores, and there is enough work for many more cores.
#: A GPU of 50 TFLOP/s takes 22 ms, many times what it takes to start the kernel.
SIZE = {"cpu": 1536, "cuda": 8192}

#: The number of bytes that a call reads, by device. STREAM recommends at least four times the last-level cache, which
#: is 32 MB on the machine of docs/latency.md. A GPU of 3 TB/s reads its bytes in 1.4 ms.
READ = {"cpu": 512 * 2**20, "cuda": 4 * 2**30}


class MatrixProduct:
    """A product of two square float32 matrices.

    A call takes 2 * SIZE**3 FLOPs, a multiplication and an addition for each term, as torch's `FlopCounterMode` counts.
    """

    def __init__(self, *_: Path, threads: int, device: str = "cpu", **__: Any) -> None:
        torch.set_num_threads(threads)
        self.size = SIZE[device]
        self.left, self.right = torch.rand(2, self.size, self.size, device=device)
        self.product = torch.empty(self.size, self.size, device=device)

    def run(self, *_: NDArray[Any]) -> dict[str, NDArray[Any]]:
        torch.mm(self.left, self.right, out=self.product)
        _wait_for(self.product)
        return {}

    def facts(self) -> dict[str, str]:
        return {**_facts(), "flops": str(2 * self.size**3)}

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self.left, self.right, self.product


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


def _facts() -> dict[str, str]:
    return {"torch": torch.__version__, "threads": str(torch.get_num_threads())}
