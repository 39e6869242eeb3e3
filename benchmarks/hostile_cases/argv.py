"""Command lines: numbers, names, combinations of options, and names of files that cannot be."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import DONE, Case, mechanism
from benchmarks.hostile_cases.common import LONG, NO_TEXT, TITLE, VERY_LONG
from benchmarks.hostile_cases.files import after, file, folder, link


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _no_number()
    yield from _a_number_out_of_range()
    yield from _a_number_that_is_not_finite()
    yield from _shapes_of_a_grid()
    yield from _an_unknown_name()
    yield from _an_empty_value()
    yield from _options_that_exclude_each_other()
    yield from _an_option_without_its_value()
    yield from _values_that_look_like_templates_or_markup()
    yield from _very_many_values()
    yield from _bytes_that_are_no_text()
    yield from _control_characters()
    yield from _names_that_are_too_long()
    yield from _home_folders_that_are_not_there()
    yield from _paths_in_the_place_of_names()
    yield from _an_age_that_is_none()
    yield from _a_hub_id_that_is_none()
    yield from _folders_of_the_system_as_a_model()
    yield from _limits_that_are_no_numbers()
    yield from _help()


def _no_number() -> Iterator[Case]:
    of = mechanism("argv: no number", codes=(2,), fast=True)
    for given in ("two", "1.5", "", "1e3", "0x10", "nan", "--", "½"):
        yield of(f"--batch {given!r}", "compare", "--batch", given)
    yield of("--time of words", "compare", "--time", "soon")
    yield of("--threads of a list", "compare", "--threads", "1,2")
    yield of("5000 digits", "compare", "--sequence", "9" * 5000)


def _a_number_out_of_range() -> Iterator[Case]:
    of = mechanism("argv: a number out of range", codes=(2,), fast=True)
    for option in ("--batch", "--sequence", "--threads", "--min-rounds"):
        yield of(f"{option} 0", "compare", option, "0", says=option)
        yield of(f"{option} -1", "compare", option, "-1", says=option)
    for option in ("--timeout", "--time", "--precision", "--max-load", "--memory"):
        yield of(f"{option} 0", "compare", option, "0", says=option)
        yield of(f"{option} negative", "compare", f"{option}=-5", says=option)
    yield of("--seed -1", "compare", "--seed", "-1", says="--seed")
    yield of("--max-load above 100", "compare", "--max-load", "101", says="--max-load")


def _a_number_that_is_not_finite() -> Iterator[Case]:
    of = mechanism("argv: a number that is not finite", codes=(2,), fast=True)
    for option in ("--timeout", "--time", "--precision", "--max-load", "--memory"):
        yield of(f"{option} nan", "compare", option, "nan", "--model", "/no/such", says=option)
        yield of(f"{option} inf", "compare", option, "inf", "--model", "/no/such")
    yield of("--time 1e999", "compare", "--time", "1e999", "--model", "/no/such")
    yield of("--timeout 1e300", "compare", "--timeout", "1e300", "--model", "/no/such")


def _shapes_of_a_grid() -> Iterator[Case]:
    of = mechanism("argv: shapes of a grid", codes=(2,), fast=True)
    for given in ("", "x", "8", "8x", "x8", "8x1x1", "8,x1", "-8x1", "8x0", "1e2x1", "８x１", "8x1;9x1", "8X1", TITLE):
        yield of(f"{given!a}", "compare", "--grid", given, says="--grid")
    yield of("100 kB of digits and commas", "compare", "--grid", "1," * 50_000)
    yield of("a number of 5000 digits", "compare", "--grid", f"{'9' * 5000}x1")


def _an_unknown_name() -> Iterator[Case]:
    of = mechanism("argv: an unknown name", codes=(2,), fast=True)
    yield of("option", "compare", "--bogus")
    yield of("command", "compare", "bogus")
    yield of("short option", "compare", "-Z")
    for option in ("--runtimes", "--device", "--exporter", "--fail-on", "--format", "--explain", "--provider"):
        yield of(option, "compare", option, "bogus", says="bogus")
    yield of("row of an option", "compare", "--option", "bogus.x=1", says="bogus")
    yield of("key of an option", "compare", "--option", "torch-eager.bogus=1", says="bogus")
    yield of("value of an option", "compare", "--option", "torch-eager.matmul_precision=bogus", says="bogus")
    yield of("kernel", "compare", "battery", "--kernels", "bogus", says="bogus")
    yield of("case of the battery", "compare", "battery", "--cases", "bogus", says="bogus")
    yield of("runtime to install", "compare", "runtimes", "--install", "bogus", says="bogus")
    yield of("option of export", "export", "--bogus", says="bogus")
    yield of("exporter of export", "export", "--exporter", "bogus", "byte-gpt2", says="bogus")


def _an_empty_value() -> Iterator[Case]:
    of = mechanism("argv: an empty value", codes=(2,), fast=True)
    for option in (
        *("--model", "--text", "--text-file", "--runtimes", "--provider", "--device", "--option", "--exporter"),
        *("--explain", "--fail-on", "--out", "--cache-dir"),
    ):
        yield of(option, "compare", option, "")
    yield of("--onnx", "compare", "--onnx", "", "--model", "byte-gpt2")
    yield of("--baseline", "compare", "--onnx", "a.onnx", "--baseline", "")
    yield of("--runtimes of commas", "compare", "--runtimes", " , ,")
    for command in ("show", "rejudge", "remove"):
        yield of(command, "compare", command, "")
    yield of("diff", "compare", "diff", "", "")
    yield of("export", "export", "")
    yield of("export --remove", "export", "--remove", "")
    yield of("--older-than", "compare", "remove", "--older-than", "")


def _options_that_exclude_each_other() -> Iterator[Case]:
    of = mechanism("argv: options that exclude each other", codes=(2,), fast=True)
    yield of("formats", "compare", "--json", "--full")
    yield of("a format twice", "compare", "show", "--json", "--format", "json", "x")
    yield of("quiet and verbose", "compare", "--quiet", "--verbose")
    yield of("two texts", "compare", "--text", "a", "--text-file", "b")
    yield of("a grid without latency", "compare", "--grid", "8x1", "--no-latency")
    yield of("interference without latency", "compare", "--interference", "--no-latency")
    yield of("a model and a baseline", "compare", "--model", "x", "--onnx", "a", "--baseline", "b")
    yield of("a baseline alone", "compare", "--baseline", "b")
    yield of("a file alone", "compare", "--onnx", "b")
    yield of("list and verify", "export", "--list", "--verify")
    yield of("names and --golden", "compare", "remove", "x", "--golden")
    yield of("remove what", "compare", "remove")
    yield of("export --remove what", "export", "--remove")


def _an_option_without_its_value() -> Iterator[Case]:
    of = mechanism("argv: an option without its value", codes=(2,), fast=True)
    yield of("at the end", "compare", "--model")
    yield of("rejudge", "compare", "rejudge")
    yield of("diff with one", "compare", "diff", "a")
    yield of("export", "export", "--exporter")
    yield of("an option as the value", "compare", "--offline", "--model", "--json", codes=(2, 3))


def _values_that_look_like_templates_or_markup() -> Iterator[Case]:
    of = mechanism("argv: values that look like templates or markup", codes=(2, 3), fast=True)
    for given in ("{0}", "{x}", "{}", "{onnx!r}", "%s%n", "[bold]", "[/]", "$HOME", "`id`", "\\", "<b>"):
        yield of(f"--fail-on {given}", "compare", "--fail-on", given, says=given)
    yield of("--model {x}", "compare", "--offline", "--model", "{x}", says="{x}")
    yield of("--out {x!r}/y", "compare", "--out", "/proc/{x!r}/y", says="{x!r}")
    yield of("--option {a}.b=c", "compare", "--option", "{a}.b={c}", says="{a}")
    yield of("--provider {x}", "compare", "--provider", "{x}", says="{x}")
    yield of("--explain [/red]", "compare", "--explain", "[/red]", says="[/red]")
    yield of("show [/red]", "compare", "show", "[/red]", says="[/red]")


def _very_many_values() -> Iterator[Case]:
    of = mechanism("argv: very many values", codes=(2, 3), fast=True)
    yield of("5000 options", "compare", *["--option=torch-eager.x=1"] * 5000)
    yield of("30,000 runtimes", "compare", "--runtimes", ",".join(f"r{n}" for n in range(15_000)))
    yield of("a name of 100 kB", "compare", "--runtimes", "r" * 100_000)
    yield of("3000 models", "export", "--remove", *(f"m{n}" for n in range(3000)))


def _bytes_that_are_no_text() -> Iterator[Case]:
    of = mechanism("argv: bytes that are no text", codes=(2, 3), fast=True)
    for option in ("--text", "--text-file", "--runtimes", "--explain", "--option", "--device", "--grid", "--provider"):
        yield of(option, "compare", option, NO_TEXT)
    yield of("--model", "compare", "--offline", "--model", NO_TEXT)
    yield of("--model with a slash", "compare", "--offline", "--model", b"./" + NO_TEXT)
    yield of("--out", "compare", "--model", "/no/such", "--out", NO_TEXT)
    yield of("--onnx", "compare", "--model", "byte-gpt2", "--onnx", NO_TEXT)
    yield of("an option", "compare", b"--" + NO_TEXT)
    yield of("a command", "compare", NO_TEXT)
    for command in ("show", "rejudge", "remove"):
        yield of(command, "compare", command, NO_TEXT)
    yield of("export", "export", "--offline", NO_TEXT)
    yield of("export --remove", "export", "--remove", NO_TEXT)
    yield of("battery", "compare", "battery", "--kernels", NO_TEXT)
    yield of("--cache-dir", "compare", "show", "--cache-dir", NO_TEXT)


def _control_characters() -> Iterator[Case]:
    of = mechanism("argv: control characters", codes=(2, 3), fast=True)
    for option in ("--runtimes", "--explain", "--option", "--device", "--provider", "--fail-on", "--exporter"):
        yield of(option, "compare", option, f"{TITLE}x")
    yield of("--model", "compare", "--offline", "--model", f"x{TITLE}")
    yield of("--model as a path", "compare", "--model", f"./{TITLE}\x9b31m")
    yield of("--text-file", "compare", "--text-file", f"{TITLE}\r\u202e")
    yield of("--out", "compare", "--out", f"/proc/{TITLE}")
    yield of("an option", "compare", f"--{TITLE}")
    yield of("a command", "compare", f"{TITLE}")
    yield of("show", "compare", "show", f"{TITLE}")
    yield of("remove", "compare", "remove", f"{TITLE}")
    yield of("export", "export", "--offline", f"{TITLE}")
    yield of("export --remove", "export", "--remove", f"a\n{TITLE}\u2028b")
    yield of("an option of export", "export", f"--{TITLE}")
    yield of("a number", "compare", "--batch", f"{TITLE}")
    yield of("lines in a name", "compare", "--model", "./a\nerror: b\rc")


def _names_that_are_too_long() -> Iterator[Case]:
    of = mechanism("argv: names that are too long", codes=(2, 3), fast=True)
    for words, name in (("300", LONG), ("5000", VERY_LONG), ("5000 of folders", "n/" * 2500)):
        yield of(f"--model, {words}", "compare", "--offline", "--model", f"./{name}")
        yield of(f"--text-file, {words}", "compare", "--text-file", name)
        yield of(f"--out, {words}", "compare", "--model", "/no/such", "--out", name)
        yield of(f"--onnx, {words}", "compare", "--model", "byte-gpt2", "--onnx", name)
        yield of(f"show, {words}", "compare", "show", name)
        yield of(f"remove, {words}", "compare", "remove", name)
        yield of(f"--cache-dir, {words}", "compare", "show", "--cache-dir", name)
        yield of(f"export --remove, {words}", "export", "--remove", name)
    yield of("a hub name of 300", "export", "--offline", LONG)
    yield of("a hub id of 5000", "export", "--offline", f"user/{VERY_LONG}")
    yield of("--provider", "compare", "--provider", LONG)
    yield of("--explain", "compare", "--explain", VERY_LONG)


def _home_folders_that_are_not_there() -> Iterator[Case]:
    of = mechanism("argv: home folders that are not there", codes=(2, 3), fast=True)
    yield of("--model", "compare", "--model", "~nobody-here/x")
    yield of("--out", "compare", "--model", "/no/such", "--out", "~nobody-here/x")
    yield of("--onnx", "compare", "--model", "byte-gpt2", "--onnx", "~nobody-here/x")
    yield of("--cache-dir", "compare", "show", "--cache-dir", "~nobody-here/x")
    yield of("--text-file", "compare", "--text-file", "~nobody-here/x")
    yield of("show", "compare", "show", "~nobody-here/x")
    yield of("export", "export", "~nobody-here/x")


def _paths_in_the_place_of_names() -> Iterator[Case]:
    of = mechanism("argv: paths in the place of names", codes=(2, 3), fast=True)
    yield of("a runtime", "compare", "--runtimes", "../../x")
    yield of("a runtime to install", "compare", "runtimes", "--install", "../../x")
    yield of("a provider", "compare", "--provider", "../x")
    for name in ("..", ".", "../mine", "a/..", "../models"):
        yield of(f"remove {name}", "compare", "remove", name)
        yield of(f"export --remove {name}", "export", "--remove", name)
    yield of("remove a link", "compare", "remove", "link", make=after(file("mine/a", "mine"), link("link", "mine")))
    yield of("remove a folder that is no report", "compare", "remove", "./mine", make=folder("mine"))


def _an_age_that_is_none() -> Iterator[Case]:
    of = mechanism("argv: an age that is none", codes=(2,), fast=True)
    for given in ("30", "d", "-1d", "30 d", "1e3d", "30D", "99999d", "nand", "1.d", "30d "):
        yield of(f"{given!r}", "compare", "remove", f"--older-than={given}", says="--older-than")
    yield of("0d of nothing", "compare", "remove", "--older-than", "0d", codes=(0,))
    yield of("9999 weeks", "compare", "remove", "--older-than", "9999.9999w", codes=(0,))


def _a_hub_id_that_is_none() -> Iterator[Case]:
    of = mechanism("argv: a hub id that is none", codes=(2, 3), fast=True)
    for given in (
        *("a/b/c", "a--b", ".git", "user/", "a/../b", "a b", "gpt2@main", "x" * 97, "ü/ü", "gpt2.git", "-x/-y"),
        *("https://huggingface.co/gpt2", "file:///etc/passwd", "\\\\host\\share", "C:\\model", "a\tb", "a/b\n"),
    ):
        yield of(f"{given!a}", "export", "--offline", "--", given)


def _folders_of_the_system_as_a_model() -> Iterator[Case]:
    of = mechanism("argv: folders of the system as a model", codes=(2,), fast=True)
    for name in ("/", "/dev", "/proc", "/proc/self", "/sys", ".", "..", "~", "/dev/null/x"):
        yield of(name, "export", name)
    yield of("a file", "export", "./a.txt", make=file("a.txt", "x"))
    yield of("a device", "compare", "--model", "/dev/null")
    yield of("a device without an end", "compare", "--model", "/dev/zero")


def _limits_that_are_no_numbers() -> Iterator[Case]:
    of = mechanism("argv: limits that are no numbers", fast=True, make=file("r/report.json", "{}"))
    yield of("--rounding nan", "compare", "rejudge", "r", "--rounding", "nan", codes=(2,))
    yield of("--rounding word", "compare", "rejudge", "r", "--rounding", "much", codes=(2,))
    yield of("--fail-over nan", "compare", "diff", "r", "r", "--fail-over", "nan", codes=(2,))
    yield of("battery --seed -1", "compare", "battery", "--seed", "-1", codes=(2,))
    yield of("battery --threads 0", "compare", "battery", "--threads", "0", codes=(2,))
    yield of("battery --fail-on", "compare", "battery", "--fail-on", "much", codes=(2,))


def _help() -> Iterator[Case]:
    of = mechanism("argv: help", codes=DONE, fast=True)
    for arguments in (("--help",), ("show", "-h"), ("--version",), ("battery", "--list"), ("--help", "--bogus")):
        yield of(" ".join(arguments), "compare", *arguments, codes=(0, 2))
    yield of("export", "export", "--help")
