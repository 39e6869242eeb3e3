"""Render a report as a page: the screen first, then charts, maps of attention, and the tables of every section."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from compare.report.captions import headline
from compare.report.render.page.attention_data import attention_data
from compare.report.render.page.chart_data import chart_data
from compare.report.render.page.parts import facts_of, parts_of, rows_of
from compare.report.schema import PAGE_FILE, Report
from compare.report.screen import screen
from export.printing import printable
from export.terminal import print_page

_HERE = Path(__file__).parent

#: The scripts of the page, in order. Those of `vendor` are the plotting library, whose licences are next to it.
SCRIPTS = (
    "vendor/d3.min.js",
    "vendor/plot.umd.min.js",
    "assets/base.js",
    "assets/charts.js",
    "assets/heads.js",
    "assets/maps.js",
)
STYLE = "assets/page.css"

#: An option of the command line in a sentence.
_OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")


def print_report(report: Report) -> None:
    """Print the page of a report to stdout."""
    print_page(to_html(report))


def save_page(report: Report) -> Path:
    """Write the page into the report's folder, and return its path."""
    assert report.folder is not None
    path = report.folder / PAGE_FILE
    path.write_text(to_html(report), encoding="utf-8")
    return path


def to_html(report: Report) -> str:
    """Return the page of a report. It has attention only if the report's folder has that of all heads."""
    charts, attention = chart_data(report), attention_data(report)
    scripts = [_asset(name) for name in SCRIPTS]
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            name=report.model.name if report.model else report.subject,
            screen=screen(report),
            headline=headline(report),
            parts=parts_of(report, charts, attention),
            rows_of=rows_of,
            facts=facts_of(report),
            attention=attention,
            data=htmlsafe_json_dumps(harmless({"charts": charts, "attention": attention}), allow_nan=False),
            style=_asset(STYLE),
            scripts=scripts,
            policy=policy(scripts, _asset(STYLE)),
            licences=escape((_HERE / "vendor/LICENSES.txt").read_text(encoding="utf-8")),
        )
    )


def policy(scripts: list[Markup], style: Markup) -> str:
    """Return a content security policy that allows these scripts and this style, and nothing from outside."""
    allowed = " ".join(map(_digest, scripts))
    return f"default-src 'none'; script-src {allowed}; style-src {_digest(style)}; base-uri 'none'; form-action 'none'"


def harmless(data: Any) -> Any:
    """Return JSON data whose strings, keys included, are as `printable` returns them.

    >>> harmless({"a\\u202e": ["b\\n", 1.5, None]})
    {'a\\\\u202e': ['b', 1.5, None]}
    """
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, dict):
        return {harmless(key): harmless(value) for key, value in data.items()}
    return [harmless(value) for value in data] if isinstance(data, list | tuple) else data


def _finalized(value: Any) -> Any:
    """Return what the templates write for a value. Text from the package itself is `Markup` and stays as it is."""
    return value if isinstance(value, Markup) else harmless(value)


def unbroken(text: str) -> Markup:
    """Return a sentence in HTML whose options stay on one line each. A browser would break them after a hyphen.

    >>> unbroken("count <every> turn with --max-load 100")
    Markup('count &lt;every&gt; turn with <span class="option">--max-load</span> 100')
    """
    return Markup(_OPTION.sub(r'<span class="option">\g<0></span>', str(escape(harmless(text)))))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["unbroken"] = unbroken
    return made


@cache
def _asset(name: str) -> Markup:
    """Return a file of this package, which is not escaped."""
    return Markup((_HERE / name).read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    """Return the source expression of a content security policy for an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
