"""Entry points that can be loaded but are no use: one is not a `Spec`, one has the name of a built-in runtime."""

from compare.runtimes.spec import Spec

ODD = "example_runtime:Example"
IMPOSTOR = Spec("torch-eager", "broken_specs:ODD", "not the baseline", (), "")
