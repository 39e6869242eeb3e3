"""Time the start of the light commands, a look-up and both --help, against `import pydantic`."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.progress import one_by_one
from benchmarks.record import Aim, arguments, finish

LIMIT = 3.0


def main() -> None:
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "ONNX_ATTENTION_COMPARE_CACHE": scratch}
        subprocess.run([sys.executable, "-m", "export", "distilgpt2-seeded"], env=environment, check=True)
        commands = {
            "import pydantic": ["-c", "import pydantic"],
            "look-up": ["-m", "export", "distilgpt2-seeded"],
            "python -m compare --help": ["-m", "compare", "--help"],
            "python -m export --help": ["-m", "export", "--help"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in one_by_one("repetition", range(5 if options.quick else 30)):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, *command], env=environment, check=True, stdout=subprocess.DEVNULL)
                times[name].append(time.perf_counter() - start)

    aims = []
    base = times.pop("import pydantic")
    print(f"{'import pydantic':<26} {1000 * statistics.median(base):5.0f} ms")
    for name, mine in times.items():
        ratio = statistics.median(x / y for x, y in zip(mine, base, strict=True))
        print(f"{name:<26} {1000 * statistics.median(mine):5.0f} ms = {ratio:.2f} x import pydantic")
        aims.append(Aim(name, f"<= {LIMIT:g} x import pydantic", f"{ratio:.2f} x", ratio <= LIMIT))
    finish("start_up", {"import pydantic": base, **times}, aims, quick=options.quick)


if __name__ == "__main__":
    main()
