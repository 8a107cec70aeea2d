"""Learning word pieces against merging by recounting everything, and their file."""

from __future__ import annotations

import lzma
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ConfigError, ManifestError
from asr.tokenizer import ENGLISH, Tokenizer
from asr.word_pieces import build_word_pieces, learn_word_pieces, open_word_pieces

WORDS = st.dictionaries(
    st.text(alphabet="abc'", min_size=1, max_size=6), st.integers(1, 9), min_size=1, max_size=8
)


def merges_by_recounting(words, number):
    """Sennrich, Haddow and Birch (2016) as their paper has it, one whole count for each merge."""
    spelled = {word: tuple(word) for word in words}
    merged = []
    while len(merged) < number:
        counts = Counter()
        for word, symbols in spelled.items():
            for pair in pairwise(symbols):
                counts[pair] += words[word]
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if "".join(best) not in merged:
            merged.append("".join(best))
        spelled = {word: joined(symbols, best) for word, symbols in spelled.items()}
    return merged


def joined(symbols, pair):
    if len(symbols) < 2:
        return symbols
    if symbols[:2] == pair:
        return ("".join(pair), *joined(symbols[2:], pair))
    return (symbols[0], *joined(symbols[1:], pair))


@given(words=WORDS, number=st.integers(1, 12))
def test_the_pieces_are_those_of_byte_pair_encoding(words, number):
    proposed = merges_by_recounting(words, int(1.25 * number))
    learnt = learn_word_pieces(words, len(ENGLISH) + number)
    assert set(learnt[len(ENGLISH) :]) <= set(proposed)
    tokenizer = Tokenizer([*ENGLISH, *proposed])
    used = Counter(token for word in words for token in tokenizer.encode(word) * words[word])
    most = sorted((-n, i) for i, n in used.items() if i >= len(ENGLISH))[:number]
    assert learnt[len(ENGLISH) :] == [tokenizer.vocabulary[i] for _, i in most]


@given(words=WORDS, number=st.integers(1, 12))
def test_every_word_can_be_spelled_with_them(words, number):
    tokenizer = Tokenizer(learn_word_pieces(words, len(ENGLISH) + number))
    for word in words:
        assert tokenizer.decode(tokenizer.encode(word)) == word


def test_those_are_kept_that_the_longest_match_uses_most():
    # he: 18 times, then the: 15, then then: 5; he is only left in the word itself.
    words = {"the": 10, "then": 5, "he": 3}
    assert learn_word_pieces(words, len(ENGLISH) + 4)[len(ENGLISH) :] == ["the", "then", "he"]
    assert learn_word_pieces(words, len(ENGLISH) + 2)[len(ENGLISH) :] == ["the", "he"]


def test_words_with_other_characters_are_passed_over():
    assert learn_word_pieces({"naïve": 9, "ab": 1}, 40) == [*ENGLISH, "ab"]


def test_a_file_is_made_of_texts_and_opened_as_a_vocabulary(tmp_path):
    plain, packed = tmp_path / "a.txt", tmp_path / "b.txt.xz"
    plain.write_text("The cat.\nTHE RARE\n" * 5)
    packed.write_bytes(lzma.compress(b"the dog\n" * 5))
    out = tmp_path / "new" / "pieces.txt"
    number = build_word_pieces([plain, packed], out, 33, least=10)
    tokenizer = open_word_pieces(out)
    assert number == len(tokenizer) == len(ENGLISH) + 1  # th is never used, only the
    assert tokenizer.encode("the") == [len(ENGLISH)]


def test_no_file_is_no_vocabulary():
    assert open_word_pieces(None) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe", "not a vocabulary"),
        (b"<blank>\n|\nthe\n", "begins with the blank"),
        (b"a\nb\nc\n", "without a separator"),
        ("\n".join([*ENGLISH, "the", "the"]).encode(), "repeated"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path, content, reason):
    path = tmp_path / "pieces.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        open_word_pieces(path)


def test_what_cannot_be_read_or_is_too_small_has_an_error(tmp_path):
    with pytest.raises(ConfigError, match="not a vocabulary"):
        open_word_pieces(tmp_path / "none")
    with pytest.raises(ManifestError):
        build_word_pieces([tmp_path / "none"], tmp_path / "out", 40)
    (tmp_path / "rare").write_text("cat 7\n" * 4)
    with pytest.raises(ConfigError, match="no word of the letters a to z comes 5 times"):
        build_word_pieces([tmp_path / "rare"], tmp_path / "out", 40)
    with pytest.raises(ConfigError, match="a vocabulary of 29"):
        build_word_pieces([], tmp_path / "out", len(ENGLISH))
