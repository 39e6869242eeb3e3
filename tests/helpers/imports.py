"""What a piece of code imports, seen in a process of its own."""

import subprocess
import sys

#: Packages that take long to import.
HEAVY = ("torch", "transformers", "onnx", "onnxruntime", "matplotlib", "pydantic", "numpy")


def loaded_by(code: str) -> list[str]:
    """Which of the heavy packages are loaded after the code has run in a fresh interpreter."""
    probe = f"{code}\nimport sys; print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()[-1].split()[1:]
