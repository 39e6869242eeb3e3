"""Texts from outside as a terminal shows them: nothing but printable characters that its encoding has."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.printing import printable, printable_json, printable_lines

#: Any text, lone surrogates included, often with what commands a terminal.
TEXTS = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cn"]),
        st.sampled_from("\x1b]0;\x07\r\n\t–±·…⏎\u202e\udc80"),
    )
)
ENCODINGS = st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252", "utf-16"])


@given(TEXTS, ENCODINGS)
def test_a_text_becomes_one_printable_line_that_can_be_encoded(text: str, encoding: str) -> None:
    line = printable(text, encoding)
    assert line.isprintable()
    assert line.encode(encoding).decode(encoding) == line
    assert printable(line, encoding) == line
    assert not {unicodedata.category(c) for c in line} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_is_printable_stays_as_it_is(text: str) -> None:
    assert printable(f"  {text}  a") == f"  {text}  a"


@given(TEXTS, ENCODINGS)
def test_lines_stay_lines(text: str, encoding: str) -> None:
    shown = printable_lines(text, encoding)
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    assert (shown.count("\n"), shown.count("\t")) == (text.count("\n"), text.count("\t"))
    assert shown.encode(encoding) is not None


@given(st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)), ENCODINGS, st.booleans())
def test_json_means_what_it_meant(document: object, encoding: str, ascii_only: bool) -> None:
    shown = printable_json(json.dumps(document, indent=1, ensure_ascii=ascii_only), encoding)
    assert json.loads(shown) == document
    assert shown.replace("\n", "").isprintable()
    assert shown.encode(encoding) is not None


@pytest.mark.parametrize(
    ("text", "utf8", "ascii_"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m \x7f", "\\x9b31m \\x7f", "\\x9b31m \\x7f"),
        ("a\r\n  b\u2028c\x85d\n", "a b c d", "a b c d"),
        ("\u202efdp.exe \U000e0041", "\\u202efdp.exe \\U000e0041", "\\u202efdp.exe \\U000e0041"),
        ("\udc80 \ud800", "\\udc80 \\ud800", "\\udc80 \\ud800"),
        ("2 · 0.77 ±.11 – 3 × …", "2 · 0.77 ±.11 – 3 × …", "2 * 0.77 +-.11 - 3 x ~"),
        ("café 中", "café 中", "caf\\xe9 \\u4e2d"),
    ],
)
def test_what_is_shown(text: str, utf8: str, ascii_: str) -> None:
    assert printable(text) == utf8
    assert printable(text, "ascii") == ascii_


def test_many_spaces_take_no_longer_than_their_number() -> None:
    assert printable("a" + " " * 1_000_000) == "a" + " " * 1_000_000
