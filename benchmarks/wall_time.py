"""Measure the wall time of a default run of `python -m compare`, by phase, and that of a fixed matrix product.

The model is already in the cache. The product (2048 x 2048 in float32, NumPy, 20 times) shows how fast the machine was
at the time.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.progress import one_by_one
from benchmarks.record import Aim, arguments, finish

ALL, FIRST_ROW = 90.0, 30.0


def main() -> None:
    options = arguments(__doc__)
    runs = []
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "ONNX_ATTENTION_COMPARE_CACHE": scratch}
        subprocess.run([sys.executable, "-m", "export", "distilgpt2-seeded"], env=environment, check=True)
        for number in one_by_one("run", range(1 if options.quick else 3)):
            before = product()
            out = Path(scratch) / f"report-{number}"
            command = [sys.executable, "-m", "compare", "--out", str(out)]
            start = time.perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seconds = time.perf_counter() - start
            phases = json.loads((out / "report.json").read_text())["phases"]
            runs.append({"seconds": seconds, "product_s": before, "phases": phases})
            print(f"run {number}: {seconds:.1f} s, product {before:.2f} s", flush=True)
    for phase in runs[0]["phases"]:
        print(f"{phase:<24} {statistics.median(run['phases'][phase] for run in runs):6.1f} s")
    whole = statistics.median(run["seconds"] for run in runs)
    first = statistics.median(run["phases"]["until first gap row"] for run in runs)
    print(f"{'figures and the rest':<24} {whole - statistics.median(r['phases']['in all'] for r in runs):6.1f} s")
    aims = [
        Aim("default run", f"<= {ALL:g} s", f"{whole:.1f} s", whole <= ALL),
        Aim("first gap row", f"<= {FIRST_ROW:g} s", f"{first:.1f} s", first <= FIRST_ROW),
    ]
    finish("wall_time", {"runs": runs}, aims, quick=options.quick)


def product() -> float:
    """Return the seconds of the fixed matrix product."""
    left = right = np.random.default_rng(0).standard_normal((2048, 2048), dtype=np.float32)
    start = time.perf_counter()
    for _ in range(20):
        left @ right
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
