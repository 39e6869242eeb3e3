"""The sections of a report, in the order in which every renderer shows them."""

from importlib import import_module

from compare.report.sections.section import Section

#: The topics in order. Each is a module of this package that defines `SECTION`.
TOPICS = (
    "ruler",
    "gaps",
    "pair",
    "padding",
    "tensors",
    "latency",
    "disturbance",
    "last_position",
    "decoding",
    "interference",
    "grid",
    "limits",
    "next_tokens",
    "embeddings",
    "rerun",
    "observer",
    "exporters",
    "graphs",
    "providers",
)

SECTIONS: tuple[Section, ...] = tuple(import_module(f"{__package__}.{topic}").SECTION for topic in TOPICS)
