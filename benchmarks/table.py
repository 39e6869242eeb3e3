"""Write docs/benchmarks.md, the results of all benchmarks, from `results/` and the words of `claims.toml`.

    python -m benchmarks.table

A row is one claim: what was measured, the result, and the aim. The README's table of engines is written too. Tests
compare both with what this script makes.
"""

import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.further_rows import FURTHER
from benchmarks.record import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
README = Path(__file__).parents[1] / "README.md"
CLAIMS = Path(__file__).with_name("claims.toml")

#: The first line of the README's table of engines.
_ENGINES = "| engine | its fastest in float32 | verdict | error | pass | token | MB |"

OPENING = """# Benchmarks

Everything that this project claims about itself, with the command that measures it again. Each section names the commit
and the machine that its numbers come from. For each ratio, both sides were timed in turns in one run. An aim was set
before the measurement. All samples are in `benchmarks/results/`.

This page is made by `python -m benchmarks.table`.
"""

#: Symbols of aims in results, and how the page writes them.
SYMBOLS = {"<=": "≤", ">=": "≥", "+-": "±", "holds 1": "contains 1"}


def page() -> str:
    """Return the page. Raises `KeyError` if a result has an aim without a claim, or if a result has no section."""
    parts: dict[str, dict[str, Any]] = tomllib.loads(CLAIMS.read_text())
    topics = {name: topic for part in parts.values() for name, topic in part.items()}
    results = {
        path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json")) if path.suffixes == [".json"]
    }
    if unknown := sorted(results.keys() - topics.keys()):
        raise KeyError(f"{CLAIMS.name} has no section for {', '.join(unknown)}")
    lines = OPENING.splitlines()
    for part, named in parts.items():
        measured = {name: topic for name, topic in named.items() if name in results}
        lines += ["", f"## {part.capitalize()}"] if measured else []
        for name, topic in measured.items():
            lines += ["", *section(name, topic, results[name])]
    if missing := [name for name in topics if name not in results]:
        lines += ["", "## Not measured yet", ""]
        lines += [f"- {topics[name]['title']}: `python -m benchmarks.{name}`" for name in missing]
    return "\n".join(lines) + "\n"


def section(name: str, topic: dict[str, Any], result: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of one benchmark."""
    yield f"### {topic['title']}"
    yield from ("", topic["setup"], "")
    machine = result["environment"]
    versions = [
        f"{name} {machine['packages'][name]}" for name in ("torch", "onnxruntime") if name in machine["packages"]
    ]
    where = ", ".join([machine["processor"], f"{machine['cores']} cores", *versions])
    yield f"`python -m benchmarks.{name}`, commit {result['commit']}, {result['created'][:10]}, {where}"
    yield from ("", "| what | result | aim |", "| --- | --- | --- |")
    seen: Counter[str] = Counter()
    for aim in result["aims"]:
        seen[aim["what"]] += 1
        number = seen[aim["what"]]
        claim = topic["claims"][aim["what"] if number == 1 else f"{aim['what']} ({number})"]
        yield _row(claim, aim["reached"], _symbols(aim["aimed"]) + ("" if aim["held"] else ", **missed**"))
    for claim, reached in FURTHER[name](result["figures"]) if name in FURTHER else ():
        yield _row(claim, reached, "")
    if (table := RESULTS / f"{name}.md").is_file():
        yield from ("", *[f"##{line}" if line.startswith("#") else line for line in table.read_text().splitlines()])
    if "figure" in topic:
        yield from ("", f"![{topic['figure']}](../benchmarks/results/{name}.png)")


def _row(claim: str, result: str, aim: str) -> str:
    return f"| {claim} | {result} | {aim} |"


def _symbols(aimed: str) -> str:
    for symbol, written in SYMBOLS.items():
        aimed = aimed.replace(symbol, written)
    return aimed


def engines() -> list[str]:
    """Return the lines of the README's table: the fastest float32 runtime of each engine, as `runtimes` measured it."""
    rows = json.loads((RESULTS / "runtimes.json").read_text())["figures"]["rows"]
    timed = [row for row in rows if row["type"] == "float32" and row["ratio"] is not None]
    fastest: dict[str, dict[str, Any]] = {}
    for row in sorted(timed, key=lambda row: row["ratio"]):
        fastest.setdefault(row["engine"], row)
    lines = [_ENGINES, "| --- | --- | --- | ---: | ---: | ---: | ---: |"]
    for engine, row in fastest.items():
        token = f"{row['token_ratio']:.2f} x" if row["token_ratio"] is not None else "–"
        numbers = f"{row['rounding']:.1f} x | {row['ratio']:.2f} x | {token} | {row['peak_bytes'] / 1e6:,.0f}"
        lines.append(f"| {engine} | `{row['name']}` | {row['verdict']} | {numbers} |")
    return lines


def with_engines(readme: str) -> str:
    """Return the README with its table of engines as it should be."""
    before, _, rest = readme.partition(_ENGINES)
    return "\n".join([before + "\n".join(engines()), "", rest.partition("\n\n")[2]])


if __name__ == "__main__":
    PAGE.write_text(page())
    README.write_text(with_engines(README.read_text()))
