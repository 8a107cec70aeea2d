"""The word search by itself; beam and phonetic tests hold its scores against the oracle."""

import pytest
import torch

from asr.decoding.search import MAX_SHARING, BeamConfig, WordSearch
from asr.errors import DecoderError

from .spelled import TOKENIZER, spelled


def search(words, config=None):
    spellings = {word: [TOKENIZER.encode(word)] for word in words}
    return WordSearch(len(TOKENIZER), TOKENIZER.separator_id, spellings, config or BeamConfig())


def test_found_are_the_words_and_the_path_of_each_step():
    best = next(search(["cat", "cut"]).find(spelled("cat|-cut").log_probs))
    assert best.words == ("cat", "cut")
    assert "".join("-" if t == 0 else TOKENIZER.vocabulary[t] for t in best.path) == "cat|-cut"


def test_a_word_that_has_only_begun_is_neither_in_the_words_nor_in_the_path():
    stream = search(["cat", "cut"]).stream()
    stream.push(spelled("cat|cu").log_probs)
    assert stream.best().words == ("cat",)
    assert len(stream.best().path) == 4


def test_pushing_nothing_changes_nothing():
    stream = search(["cat"]).stream()
    stream.push(torch.zeros(0, len(TOKENIZER)))
    stream.push(spelled("cat|").log_probs)
    stream.push(torch.zeros(0, len(TOKENIZER)))
    assert next(stream.finish()).words == ("cat",)


def test_other_weights_share_what_has_been_built():
    first = search(["cat"])
    first.prepare()
    other = first.with_config(BeamConfig(word_score=-5.0))
    assert other._tree is first._tree
    found = {one.words: one.score for one in other.find(spelled("cat|").log_probs)}
    kept = {one.words: one.score for one in first.find(spelled("cat|").log_probs)}
    assert found[("cat",)] == pytest.approx(kept[("cat",)] - 5.0, abs=1e-3)


def test_more_words_of_one_spelling_than_the_library_keeps_are_left_out_silently(capfd):
    same = {f"word{number}": [TOKENIZER.encode("cat")] for number in range(MAX_SHARING + 3)}
    one = WordSearch(len(TOKENIZER), TOKENIZER.separator_id, same, BeamConfig())
    found = {result.words for result in one.find(spelled("cat|").log_probs)} - {()}
    assert len(found) == MAX_SHARING
    assert "".join(capfd.readouterr()) == ""


def test_a_missing_language_model_is_named(tmp_path):
    broken = WordSearch(
        len(TOKENIZER), 1, {"cat": [TOKENIZER.encode("cat")]}, BeamConfig(), tmp_path / "none.lm"
    )
    with pytest.raises(DecoderError, match=r"none\.lm"):
        broken.prepare()
