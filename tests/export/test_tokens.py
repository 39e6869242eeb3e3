"""The tokenizers that go with weights."""

from export.tokens import byte_tokenizer


def test_the_byte_alphabet_is_gpt2s() -> None:
    """Its first ids are known from the published vocabulary: "!" is 0, "A" 32, a space 220, a line break 198."""
    tokenizer = byte_tokenizer()
    assert tokenizer("!A \n")["input_ids"] == [0, 32, 220, 198]
    text = "Größe ≤ 3 🎈"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer(text)["input_ids"]) == len(text.encode())
