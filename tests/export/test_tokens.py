"""Tests of the tokenizers of models."""

from export.tokens import byte_tokenizer


def test_the_byte_alphabet_is_gpt2s() -> None:
    """Ids in GPT-2's published vocabulary: "!" is 0, "A" is 32, a space is 220, and a line break is 198."""
    tokenizer = byte_tokenizer()
    assert tokenizer("!A \n")["input_ids"] == [0, 32, 220, 198]
    text = "Größe ≤ 3 🎈"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer(text)["input_ids"]) == len(text.encode())
