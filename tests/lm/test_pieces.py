"""Words in pieces: every word can be put together again, and the longest pieces come first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import TokenizerError
from asr.lm.pieces import END, Pieces
from asr.tokenizer import ENGLISH

LETTERS = ENGLISH[2:]
words = st.text("abct'", min_size=1, max_size=8)


def text_of(pieces, ids):
    return "".join(pieces.tokens[i] for i in ids)


@given(
    st.lists(words, max_size=6),
    st.dictionaries(words, st.integers(1, 50), max_size=8),
    words,
    st.integers(1, 40),
)
def test_every_word_is_put_together_from_its_pieces(some, counts, word, least):
    pieces = Pieces.of([*LETTERS, *some], counts, least)
    assert text_of(pieces, pieces.encode(word)) == f" {word}"
    assert END not in pieces.encode(word)
    assert pieces.tokens[END] == "</s>"
    assert len(set(pieces.tokens)) == len(pieces)


def test_the_longest_piece_comes_first_and_beginnings_are_not_continuations():
    pieces = Pieces(["</s>", " c", " ca", " cat", "a", "t", "c", "cat"])
    assert text_of(pieces, pieces.encode("cat")) == " cat"
    assert [pieces.tokens[i] for i in pieces.encode("catcat")] == [" cat", "cat"]
    assert [pieces.tokens[i] for i in pieces.encode("cact")] == [" ca", "c", "t"]


def test_pieces_are_kept_where_they_are_frequent_and_letters_everywhere():
    counts = {"cat": 30, "tomcat": 10, "tom": 5}
    pieces = Pieces.of([*LETTERS, "cat", "tom"], counts, least=15)
    assert " cat" in pieces.tokens  # 30 times
    assert " tom" in pieces.tokens  # 15 times
    assert "cat" not in pieces.tokens  # goes on with a word 10 times
    assert "tom" not in pieces.tokens
    assert {f" {letter}" for letter in LETTERS} | set(LETTERS) < set(pieces.tokens)
    assert pieces.tokens[1:3] == (" cat", " tom")  # the frequent ones first


def test_a_character_that_is_no_piece_is_named():
    pieces = Pieces.of(LETTERS, {}, 1)
    for word in ("né", "é"):
        with pytest.raises(TokenizerError, match="é"):
            pieces.encode(word)
