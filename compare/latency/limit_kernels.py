"""The kernels that reach the machine's limits, each in the shape of a runtime (`compare.runtimes.registry.Runtime`).

They take no notice of the model and of the inputs: their work is the same in every call.
"""

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

#: Rows and columns of the matrices. From 384 to 2,560 the peak was the same (188 to 200 GFLOP/s on two cores); at this
#: size a call takes 40 ms there, and there is work for many more cores.
SIZE = 1536

#: Bytes that are read. STREAM asks for at least four times the last-level cache, which is 32 MB here.
READ = 512 * 2**20


class MatrixProduct:
    """A square float32 matrix product. A call is 2 * SIZE**3 FLOPs: a product and a sum for each term, as torch's
    `FlopCounterMode` counts."""

    def __init__(self, *_: Path, threads: int, **__: str) -> None:
        torch.set_num_threads(threads)
        self.left, self.right = torch.rand(2, SIZE, SIZE)
        self.product = torch.empty(SIZE, SIZE)

    def run(self, *_: NDArray[Any]) -> dict[str, NDArray[Any]]:
        torch.mm(self.left, self.right, out=self.product)
        return {}

    def facts(self) -> dict[str, str]:
        return {**_facts(), "flops": str(2 * SIZE**3)}

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self.left, self.right, self.product


class MemoryBandwidth:
    """A sum over READ bytes, each counted once, when it is read.

    The convention is that of STREAM (McCalpin 1995): the bytes that the program asks for count, and not those that the
    hardware moves besides. A sum writes nothing, so the two are the same here: a copy's target may be read before it is
    written, which is not counted there. Weights are read too, not written. Nothing was faster: sum 33 GB/s, dot product
    32, copy and triad 29 to 31, matrix times vector 18.
    """

    def __init__(self, *_: Path, threads: int, **__: str) -> None:
        torch.set_num_threads(threads)
        self.numbers = torch.rand(READ // 4)

    def run(self, *_: NDArray[Any]) -> dict[str, NDArray[Any]]:
        self.numbers.sum()
        return {}

    def facts(self) -> dict[str, str]:
        return {**_facts(), "bytes": str(READ)}

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self.numbers


def _facts() -> dict[str, str]:
    return {"torch": torch.__version__, "threads": str(torch.get_num_threads())}
