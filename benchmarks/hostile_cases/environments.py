"""The environment: variables, the working folder, limits of the system, and encodings of the output."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import DONE, Case, mechanism
from benchmarks.hostile_cases.common import COMPARED, LONG, TITLE
from benchmarks.hostile_cases.files import after, file, folder, link
from benchmarks.hostile_cases.tiny_graphs import files
from benchmarks.hostile_cases.tiny_reports import DIFF, FORMATS, SHOW, report

#: Variables under which Python writes and reads ASCII alone.
ASCII = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

#: A module that must not be imported.
_MARKS = "from pathlib import Path\nPath('ran').touch()\n"


#: Texts of a report that ASCII cannot write.
_TEXTS = ((("model", "name"), "modèle 模型 ×"), (("runtimes", 1, "error"), "é – ü …"), (("input", "tokens", 0), "·é"))

#: Letters that reports, tables and tokens have, and ASCII has not.
NOT_ASCII = tuple("×–·…éü模≤≥±→│─è")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _encoding("PYTHONIOENCODING=ascii", {"PYTHONIOENCODING": "ascii"})
    yield from _encoding("LANG=C", ASCII)
    yield from _encoding("latin-1", {"PYTHONIOENCODING": "latin-1:strict"}, letters=True)
    yield from _other_encodings()
    yield from _the_width_of_a_terminal()
    yield from _kinds_of_terminals()
    yield from _home_folders()
    yield from _folders_for_temporary_files()
    yield from _settings_of_libraries()
    yield from _a_hub_that_is_none()
    yield from _one_that_is_gone()
    yield from _modules_in_it()
    yield from _settings_of_libraries_in_it()
    yield from _limits()


def _encoding(name: str, variables: dict[str, str], *, letters: bool = False) -> Iterator[Case]:
    """Yield the cases of an encoding of the output. letters: whether it has some that ASCII has not."""
    of = mechanism(f"encoding: {name}", codes=(0, 1), environment=variables)
    lacks = () if letters else NOT_ASCII
    for shape in FORMATS:
        lost = () if shape == "html" else lacks
        yield of(f"show, {shape}", *SHOW, "--format", shape, make=report(*_TEXTS), codes=(0, 1, 2), lacks=lost)
    yield of("help", "compare", "--help", lacks=NOT_ASCII)
    yield of("runtimes", "compare", "runtimes", lacks=lacks)
    yield of("runtimes as Markdown", "compare", "runtimes", "--markdown", lacks=lacks)
    yield of("battery --list", "compare", "battery", "--list", lacks=lacks)
    listed = report(*_TEXTS, name="c/reports/modèle/report.json")
    yield of("list", "compare", "list", "--cache-dir", "c", make=listed)
    yield of("diff", *DIFF, make=report(*_TEXTS))
    yield of("an error", "compare", "--model", "./modèle 模型", codes=(2,))
    yield of("an error of export", "export", "./modèle 模型", codes=(2,))
    compared = {"needs": ("byte-gpt2",), "seconds": 180}
    yield of("compared", *COMPARED, "--text", "na\u00efve 模型", **compared)
    text = file("t", "naïve 模型 text")
    yield of("compared from a file", *COMPARED, "--full", "--text-file", "t", make=text, **compared)


def _other_encodings() -> Iterator[Case]:
    of = mechanism("encoding: other settings", codes=DONE, make=report(*_TEXTS))
    shown = "PYTHONIOENCODING=$CODING $PYTHON -m compare show saved >/dev/null"
    for value in ("utf-16", "ascii:replace", "cp437", "utf-8:surrogateescape", "latin-1"):
        yield of(f"PYTHONIOENCODING={value}", "bash", shown, environment={"CODING": value})
    yield of("LC_ALL of an unknown language", *SHOW, environment={"LC_ALL": "xx_YY.UTF-8"})
    yield of("LC_ALL of nonsense", *SHOW, environment={"LC_ALL": "\x1b[31m"})


def _the_width_of_a_terminal() -> Iterator[Case]:
    of = mechanism("environment: the width of a terminal", codes=DONE)
    for value in ("0", "1", "2", "-5", "x", "", "1e3", "100000000", "9" * 40):
        for words, command in (("show", ("show", "saved", "--full")), ("help", ("--help",))):
            yield of(
                f"COLUMNS={value:.12}, {words}", "compare", *command, make=report(), environment={"COLUMNS": value}
            )


def _kinds_of_terminals() -> Iterator[Case]:
    of = mechanism("environment: kinds of terminals", codes=DONE)
    for name, value in (
        ("TERM", "bogus"),
        ("TERM", ""),
        ("TERM", "dumb"),
        ("TERM", TITLE),
        ("NO_COLOR", "1"),
        ("LINES", "x"),
        ("TERM", "unknown"),
    ):
        yield of(f"{name}={value!a}", *SHOW, make=report(), environment={name: value}, terminal=True)


def _home_folders() -> Iterator[Case]:
    of = mechanism("environment: home folders", codes=DONE)
    for home in (None, "", "/dev/null", "/proc", "relative", LONG, b"\xff", "/nonexistent"):
        words = "none" if home is None else f"{home!a:.20}"
        yield of(f"{words}, list", "compare", "list", environment={"HOME": home})
        yield of(
            f"{words}, list, without a cache",
            "compare",
            "list",
            environment={"HOME": home, "ONNX_ATTENTION_COMPARE_CACHE": None},
            codes=(0, 2),
        )
        yield of(f"{words}, compared", *COMPARED, environment={"HOME": home}, needs=("byte-gpt2",), seconds=180)


def _folders_for_temporary_files() -> Iterator[Case]:
    of = mechanism("environment: folders for temporary files", codes=(0, 1, 2, 3), seconds=180, needs=("byte-gpt2",))
    for value in ("/nonexistent", "/dev/null", "", "relative", LONG):
        yield of(f"{value:.20}", *COMPARED, environment={"TMPDIR": value})


def _settings_of_libraries() -> Iterator[Case]:
    of = mechanism("environment: settings of libraries", codes=(0, 1, 2, 3), seconds=180, needs=("byte-gpt2",))
    for name, value in (
        ("MPLBACKEND", "bogus"),
        ("MPLCONFIGDIR", "/dev/null"),
        ("OMP_NUM_THREADS", "bogus"),
        ("OMP_NUM_THREADS", "-1"),
        ("OMP_NUM_THREADS", "100000"),
        ("TRANSFORMERS_VERBOSITY", "bogus"),
        ("HF_HOME", "/dev/null"),
        ("HF_HUB_OFFLINE", "bogus"),
        ("HF_HUB_ETAG_TIMEOUT", "bogus"),
        ("PYTHONWARNINGS", "error"),
        ("PYTHONOPTIMIZE", "2"),
        ("PYTHONDEVMODE", "1"),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONPATH", "/nonexistent:/dev/null::"),
        ("PYTHONSAFEPATH", "1"),
        ("CUDA_VISIBLE_DEVICES", "bogus"),
        ("TZ", "bogus"),
        ("TORCH_LOGS", "bogus"),
        ("ORT_LOGGING_LEVEL", "x"),
        ("LD_PRELOAD", "/nonexistent.so"),
        ("SOURCE_DATE_EPOCH", "bogus"),
        ("PYTHONHASHSEED", "0"),
        ("FORCE_COLOR", ""),
    ):
        yield of(f"{name}={value}", *COMPARED, environment={name: value})
    yield of(
        "PYTHONWARNINGS=error, show",
        *SHOW,
        "--format",
        "html",
        make=report(),
        needs=(),
        environment={"PYTHONWARNINGS": "error"},
    )
    yield of("PYTHONOPTIMIZE=2, help", "compare", "--help", needs=(), environment={"PYTHONOPTIMIZE": "2"})


def _a_hub_that_is_none() -> Iterator[Case]:
    of = mechanism("environment: a hub that is none", codes=(2, 3))
    for name, value in (
        ("HF_ENDPOINT", "bogus"),
        ("HF_ENDPOINT", "http://127.0.0.1:9"),
        ("HF_ENDPOINT", "http://[::1"),
        ("HF_ENDPOINT", "file:///etc"),
        ("HF_ENDPOINT", f"http://x{TITLE}"),
        ("HF_TOKEN", "a\nb"),
        ("HF_TOKEN", "é"),
        ("SSL_CERT_FILE", "/nonexistent"),
        ("HTTPS_PROXY", "bogus"),
        ("HTTP_PROXY", "http://127.0.0.1:9"),
        ("HF_HUB_CACHE", "/dev/null"),
        ("HF_HUB_CACHE", "/proc/x"),
        ("HF_XET_CACHE", "/dev/null"),
    ):
        yield of(f"{name}={value!a}", "export", "user/none", environment={name: value})


def _one_that_is_gone() -> Iterator[Case]:
    of = mechanism("working folder: one that is gone", codes=(0, 1, 2, 3), writes=("gone",))
    for words, command in {
        "help": "compare --help",
        "list": "compare list",
        "show": "compare show x",
        "an error": "compare --model ./x",
        "a name": "export --offline user/x",
        "compared": " ".join(COMPARED),
    }.items():
        usual = {"needs": ("byte-gpt2",) if words == "compared" else (), "seconds": 180}
        gone = "mkdir gone; cd gone; rmdir ../gone; exec"
        yield of(words, "bash", f"{gone} $PYTHON -m {command}", **usual)
        if command.startswith("compare "):
            script = f'"${{PYTHON%/*}}/onnx-attention-compare" {command.removeprefix("compare ")}'
            yield of(f"{words}, by the script", "bash", f"{gone} {script}", **usual)


def _modules_in_it() -> Iterator[Case]:
    of = mechanism("working folder: modules in it", codes=(0, 1), seconds=180)
    for name in (
        "numpy",
        "torch",
        "typing",
        "json",
        "typer",
        "export",
        "onnx",
        "rich",
        "sitecustomize",
        "transformers",
        "encodings",
        "os",
        "threading",
        "pathlib",
        "random",
        "enum",
        "re",
        "copyreg",
        "shutil",
    ):
        make = after(report(), file(f"{name}.py", _MARKS))
        yield of(f"{name}.py, show", *SHOW, make=make)
    every = after(
        *(
            file(f"{name}.py", _MARKS)
            for name in ("numpy", "torch", "export", "onnx", "transformers", "onnxruntime", "matplotlib")
        )
    )
    yield of("many, compared", *COMPARED, make=every, needs=("byte-gpt2",))
    yield of("many, exported", "export", "byte-gpt2", make=every, needs=("byte-gpt2",))
    yield of(
        "packages",
        *COMPARED,
        make=after(*(file(f"{name}/__init__.py", _MARKS) for name in ("numpy", "torch", "export", "compare_x"))),
        needs=("byte-gpt2",),
    )


def _settings_of_libraries_in_it() -> Iterator[Case]:
    of = mechanism("working folder: settings of libraries in it", codes=(0, 1), seconds=180, needs=("byte-gpt2",))
    for words, content in {
        "an unknown backend": "backend: bogus\n",
        "no settings": "\xff{",
        "TeX": "text.usetex: True\n",
        "a size of nothing": "figure.dpi: 0\nfont.size: -1\n",
    }.items():
        yield of(f"matplotlibrc with {words}", *COMPARED, make=file("matplotlibrc", content))
    yield of(
        "a pyproject.toml, .env and setup.cfg",
        *COMPARED,
        make=after(file("pyproject.toml", "\xff"), file(".env", "X=\0"), file("setup.cfg", "[")),
    )
    yield of("named byte-gpt2", *COMPARED, make=folder("byte-gpt2"))
    yield of("a link to itself", *COMPARED, make=link("byte-gpt2", "byte-gpt2"))


def _limits() -> Iterator[Case]:
    of = mechanism("limits of the system", codes=(0, 1, 2, 3), seconds=180, needs=("byte-gpt2",))
    for words, limit in {
        "files of 0 bytes": "-f 0",
        "files of 100 kB": "-f 100",
        "16 open files": "-n 16",
        "64 open files": "-n 64",
        "1 GB of addresses": "-v 1000000",
        "4 GB of addresses": "-v 4000000",
        "a stack of 256 kB": "-s 256",
        "5 s of the CPU": "-t 5",
    }.items():
        yield of(
            words,
            "bash",
            f"ulimit {limit}; exec $PYTHON -m {' '.join(COMPARED)}",
            codes=(0, 1, 2, 3, -9, -24, 137, 152) if "CPU" in words else (0, 1, 2, 3),
            lines=0 if words == "files of 0 bytes" else None,
        )
    yield of(
        "two ONNX files and 16 open files",
        "bash",
        "ulimit -n 16; exec $PYTHON -m compare --onnx file.onnx --baseline baseline.onnx --no-latency --sequence 8",
        make=files(),
    )
    yield of("a umask of 777", "bash", f"umask 777; exec $PYTHON -m {' '.join(COMPARED)} --out new", writes=("new",))
    private = f"umask 077; $PYTHON -m {' '.join(COMPARED)} --out new >/dev/null; "
    finds = "find new -perm /077 | grep . && echo 'error: readable by others' >&2; exit 0"
    yield of("a umask of 077", "bash", private + finds, writes=("new",), lines=0)
