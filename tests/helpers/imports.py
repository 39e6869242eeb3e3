"""Checks which heavy packages a piece of code imports, in a new process."""

import subprocess
import sys

#: Packages whose import is slow.
HEAVY = ("torch", "transformers", "onnx", "onnxruntime", "matplotlib", "pydantic", "numpy")


def loaded_by(code: str) -> list[str]:
    """Return the heavy packages that are loaded after the code has run in a new interpreter."""
    probe = f"{code}\nimport sys; print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()[-1].split()[1:]
