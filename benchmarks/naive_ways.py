"""Time two identical ONNX Runtime sessions in one process, as most scripts do. `benchmarks.aa` compares with this.

`python -m benchmarks.naive_ways WAY MODEL_FOLDER INPUTS THREADS`; WAY is "sequential" (all runs of one session, then
all of the other) or "interleaved" (one run of each in turns). It prints the nanoseconds of both sides' runs as JSON.
"""

import json
import sys
import time
from pathlib import Path

from compare.runtimes.onnx_runtime import OnnxRuntime
from compare.traces import Trace

RUNS = 15


def main() -> None:
    way, model, inputs_folder, threads = sys.argv[1:]
    inputs = Trace(Path(inputs_folder))
    ids, mask = inputs["input_ids"].copy(), inputs["attention_mask"].copy()
    sides = [OnnxRuntime(Path(model), threads=int(threads), graph="deploy") for _ in range(2)]
    for side in sides:
        side.run(ids, mask)
    order = [0] * RUNS + [1] * RUNS if way == "sequential" else [0, 1] * RUNS
    taken: list[list[int]] = [[], []]
    for place in order:
        start = time.perf_counter_ns()
        sides[place].run(ids, mask)
        taken[place].append(time.perf_counter_ns() - start)
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
