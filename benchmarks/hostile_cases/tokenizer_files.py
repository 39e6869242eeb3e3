"""Tokenizers: files that are none, vocabularies that do not fit the model, and patterns that take for ever."""

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.hostile_cases.case import DONE, Case, mechanism
from benchmarks.hostile_cases.common import TINY, TITLE, UNTIMED
from benchmarks.hostile_cases.files import after, file, json_file, link
from benchmarks.hostile_cases.tiny_models import MODEL, model

TOKENIZER = f"{MODEL}/tokenizer.json"
SETTINGS = f"{MODEL}/tokenizer_config.json"

#: The letters of the words of the tokenizer below.
_WORDS = ("[UNK]", "a", "b", "c", "to", "be", "or", "not")


def tokenizer(words: tuple[str, ...] = _WORDS, first: int = 0, **more: Any) -> dict[str, Any]:
    """Return a tokenizer that splits at spaces, with the ids of its words from `first` on."""
    usual: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: first + place for place, word in enumerate(words)},
            "unk_token": words[0],
        },
    }
    return usual | more


def _with(content: Any) -> Any:
    return after(
        model(), json_file(TOKENIZER, content), json_file(SETTINGS, {"tokenizer_class": "PreTrainedTokenizerFast"})
    )


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _a_file_that_is_none()
    yield from _unknown_or_wrong_parts()
    yield from _its_configuration()
    yield from _files_of_older_kinds()
    yield from _ids_that_the_model_does_not_have()
    yield from _texts_without_tokens()
    yield from _patterns_that_take_for_ever()
    yield from _tokens_that_take_the_terminal()
    yield from _truncation_and_padding_that_are_set()


def _a_file_that_is_none() -> Iterator[Case]:
    of = mechanism("tokenizer: a file that is none", fast=True, codes=(2,))
    contents: dict[str, bytes | str] = {
        "empty": "",
        "no JSON": "{x",
        "null": "null",
        "a list": "[]",
        "a number": "5",
        "an empty object": "{}",
        "nested 100,000 deep": "[" * 100_000,
        "zeros": bytes(50),
        "a surrogate": json.dumps(tokenizer(("[UNK]", "\ud800"))),
        "bytes that are no text": b'{"version": "\xff"}',
    }
    for words, content in contents.items():
        yield of(words, "export", MODEL, make=after(model(), file(TOKENIZER, content)))
    yield of("empty, compared", *TINY, make=after(model(), file(TOKENIZER, "")), fast=False)


def _unknown_or_wrong_parts() -> Iterator[Case]:
    of = mechanism("tokenizer: unknown or wrong parts", fast=True, codes=(2,))
    right = tokenizer()["model"]
    changed: dict[str, dict[str, Any]] = {
        "an unknown kind": {"model": {**right, "type": "Bogus"}},
        "a kind that is a number": {"model": {**right, "type": 5}},
        "no model": {"model": None},
        "a vocabulary in a list": {"model": {**right, "vocab": ["a"]}},
        "ids of words": {"model": {**right, "vocab": {"a": "x"}}},
        "ids below 0": {"model": {**right, "vocab": {"a": -1}}},
        "ids of 10^30": {"model": {**right, "vocab": {"a": 10**30}}},
        "an unknown normalizer": {"normalizer": {"type": "Bogus"}},
        "an unknown pre-tokenizer": {"pre_tokenizer": {"type": "Bogus"}},
        "a pattern that is none": {
            "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(["}, "behavior": "Isolated", "invert": False}
        },
        "merges of unknown words": {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["x", "y"]]}},
        "added tokens of words": {"added_tokens": ["a"]},
        "another version": {"version": 99},
    }
    for words, changes in changed.items():
        yield of(words, "export", MODEL, make=_with(tokenizer(**changes)))


def _its_configuration() -> Iterator[Case]:
    of = mechanism("tokenizer: its configuration", fast=True, codes=(0, 2, 3))
    for key, value in (
        ("tokenizer_class", "Bogus"),
        ("tokenizer_class", "../../x"),
        ("tokenizer_class", 5),
        ("tokenizer_class", ["GPT2Tokenizer"]),
        ("auto_map", {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}),
        ("added_tokens_decoder", {"x": {"content": "a"}}),
        ("added_tokens_decoder", {"0": 5}),
        ("added_tokens_decoder", {"0": {"content": 5}}),
        ("extra_special_tokens", 5),
        ("extra_special_tokens", ["a"]),
        ("additional_special_tokens", 5),
        ("bos_token", 5),
        ("pad_token", {"x": 1}),
        ("model_max_length", "x"),
        ("model_max_length", -1),
        ("chat_template", "{% for x in range(10**9) %}{{ x }}{% endfor %}"),
        ("chat_template", 5),
        ("fix_mistral_regex", "x"),
        ("__class__", 5),
        ("backend", "bogus"),
    ):
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", key: value}
        make = after(model(), json_file(TOKENIZER, tokenizer()), json_file(SETTINGS, settings))
        yield of(f"{key} {json.dumps(value)[:40]}", "export", MODEL, make=make, fast=False)
    for words, content in (("no JSON", "{x"), ("a list", "[]"), ("nested", "[" * 100_000), ("empty", "")):
        make = after(model(), json_file(TOKENIZER, tokenizer()), file(SETTINGS, content))
        yield of(f"with {words}", "export", MODEL, make=make, codes=(2,))
        make = after(model(), json_file(TOKENIZER, tokenizer()), file(f"{MODEL}/special_tokens_map.json", content))
        yield of(f"special_tokens_map.json with {words}", "export", MODEL, make=make, codes=(0, 2), fast=False)


def _files_of_older_kinds() -> Iterator[Case]:
    of = mechanism("tokenizer: files of older kinds", codes=(0, 2, 3))
    file_sets: dict[str, dict[str, bytes | str]] = {
        "vocab.json without merges": {"vocab.json": "{}"},
        "vocab.json with no JSON": {"vocab.json": "{x", "merges.txt": ""},
        "merges that are none": {"vocab.json": '{"a": 0}', "merges.txt": "a\nb c d\n"},
        "vocab.txt of bytes": {"vocab.txt": bytes(range(256))},
        "tokenizer.model of zeros": {"tokenizer.model": bytes(100)},
        "tokenizer.model empty": {"tokenizer.model": b""},
        "spiece.model of zeros": {"spiece.model": bytes(100)},
    }
    for words, files in file_sets.items():
        yield of(
            words,
            "export",
            MODEL,
            make=after(model(), *(file(f"{MODEL}/{name}", held) for name, held in files.items())),
        )
    yield of(
        "vocab.json without an end", "export", MODEL, make=after(model(), link(f"{MODEL}/vocab.json", "/dev/zero"))
    )


def _ids_that_the_model_does_not_have() -> Iterator[Case]:
    of = mechanism("tokenizer: ids that the model does not have", codes=(2,), seconds=120)
    yield of("beyond the vocabulary", *TINY, make=_with(tokenizer(first=5000)))
    yield of("a few beyond", *TINY, "--text", "a not be or to a b c", make=_with(tokenizer(first=250)))
    yield of("near 2^32", *TINY, make=_with(tokenizer(first=2**32 - 20)))


def _texts_without_tokens() -> Iterator[Case]:
    of = mechanism("tokenizer: texts without tokens", codes=(2,), seconds=120)
    empties = {"normalizer": {"type": "Replace", "pattern": {"Regex": "(?s).*"}, "content": ""}}
    yield of("a normalizer that removes all", *TINY, make=_with(tokenizer(**empties)))
    yield of(
        "all removed, without a length",
        "compare",
        "--model",
        MODEL,
        *UNTIMED,
        "--text",
        "abc",
        make=_with(tokenizer(**empties)),
    )
    no_unknown = {"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "gone"}}
    yield of("no token for the unknown", *TINY, "--text", "zzz", make=_with(tokenizer(**no_unknown)))


def _patterns_that_take_for_ever() -> Iterator[Case]:
    of = mechanism("tokenizer: patterns that take for ever", codes=(0, 1, 2, 3), seconds=120)
    slow = {"type": "Split", "pattern": {"Regex": "^(a+)+$"}, "behavior": "Isolated", "invert": False}
    yield of("of a pre-tokenizer", *TINY, "--text", "a" * 60 + "!", make=_with(tokenizer(pre_tokenizer=slow)))
    grows = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100_000}
    yield of(
        "a normalizer that makes 10 GB of a text",
        *TINY,
        "--text",
        "a" * 100_000,
        make=_with(tokenizer(normalizer=grows)),
    )


def _tokens_that_take_the_terminal() -> Iterator[Case]:
    of = mechanism("tokenizer: tokens that take the terminal", codes=DONE, seconds=180)
    spoken = ("[UNK]", f"{TITLE}a", "\x1b[31m", "\u202e", "[/red]", "$x_{", "<img src=x>", "\u2028")
    ids = {word: place for place, word in enumerate(spoken)}
    always = {"model": {"type": "WordLevel", "vocab": {**ids, "a": 1}, "unk_token": "a"}}
    named = {"pre_tokenizer": {"type": "WhitespaceSplit"}}
    yield of("compared", *TINY, "--full", "--text", " ".join(spoken * 2), make=_with(tokenizer(spoken, **named)))
    yield of("unknown ones", *TINY, "--full", make=_with(tokenizer(**always, **named)), codes=(0, 1, 2))


def _truncation_and_padding_that_are_set() -> Iterator[Case]:
    of = mechanism("tokenizer: truncation and padding that are set", codes=DONE, seconds=180)
    short = {"truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}}
    yield of("to two tokens", *TINY, make=_with(tokenizer(**short)))
