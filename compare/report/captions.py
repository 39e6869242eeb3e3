"""The lines above and below the sections: what was compared, how long it took, and with which software."""

from compare.report.schema import Report


def headline(report: Report) -> str:
    """Say what was compared, on which input and machine."""
    quick = " (quick: fewer tokens and less time than the default)" if report.quick else ""
    padding = f", {report.input.padding} of them padding" if report.input.padding else ""
    batch = report.input.batch
    return (
        f"{report.subject} · {batch} sequence{'s' if batch > 1 else ''} of {report.input.sequence} {report.token_word}"
        f"{padding} · "
        f"{threads_words(report)}{pinned(report)} · {report.environment.processor}{on_gpu(report)}{quick}"
    )


def threads_words(report: Report) -> str:
    """Say how many threads each runtime had."""
    threads = report.environment.threads
    return f"{threads} thread{'s' if threads > 1 else ''}"


def pinned(report: Report) -> str:
    """Say which CPUs the timed processes were pinned to; empty if they were not pinned."""
    cpus = report.environment.cpus
    return f" pinned to CPU{'s' if len(cpus) > 1 else ''} {', '.join(map(str, cpus))}" if cpus else ""


def on_gpu(report: Report) -> str:
    """Name the GPU that the runtimes computed on; empty if they computed on the CPU."""
    part = report.environment
    return "" if part.device == "cpu" else f", on {part.gpus[0].partition(',')[0] if part.gpus else part.device}"


def seconds(report: Report) -> str:
    """Say how long each phase took; empty if the report does not say."""
    phases = ", ".join(f"{name} {taken:.1f}" for name, taken in report.phases.items())
    return f"seconds: {phases}" if phases else ""


def software(report: Report) -> str:
    """Name the versions, the commit and the seed."""
    packages = ", ".join(f"{name} {version}" for name, version in report.environment.packages.items())
    gpus = "".join(f"; {gpu}" for gpu in report.environment.gpus)
    return (
        f"Python {report.environment.python}, {packages}{gpus}; commit {report.environment.commit}; seed {report.seed}."
    )


def command(report: Report) -> str:
    """Name the command, or the call in Python, that made the report; empty if it is not known.

    A renderer makes it one line.
    """
    return "" if report.command is None else f"Made by: {report.command}"
