"""Settings of small comparisons."""

from pathlib import Path

from compare.pipeline.settings import Settings


def small(out: Path, *runtimes: str, **more) -> Settings:
    """Return settings of a comparison of a few tokens, without decoding."""
    common = {"text": "To be, or not", "time": 0.2, "threads": 1, "decode": False}
    return Settings.of(runtimes=runtimes or None, out=out, **common | more)
