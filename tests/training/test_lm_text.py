"""Text as pieces of words: nothing lost, nothing held out is trained on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ManifestError
from asr.lm.pieces import END
from asr.tokenizer import ENGLISH
from asr.training.lm_text import open_lm_text

LETTERS = ENGLISH[2:]


def write(folder, sentences, name="text.txt"):
    (folder / name).write_text("".join(f"{sentence}\n" for sentence in sentences))
    return folder / name


def sentences_of(text, tokens):
    """Read back what an array of tokens says."""
    found, sentence = [], ""
    for token in tokens:
        if token == END:
            found.append(sentence.strip())
            sentence = ""
        else:
            sentence += text.pieces.tokens[token]
    assert sentence == ""
    return found


lines = st.lists(
    st.lists(st.text("ab'", min_size=1, max_size=5), min_size=1, max_size=5).map(" ".join),
    min_size=1,
    max_size=60,
)


@given(lines=lines, held_out=st.integers(1, 8), seed=st.integers(0, 100))
def test_every_sentence_is_trained_on_or_held_out(tmp_path_factory, lines, held_out, seed):
    file = write(tmp_path_factory.mktemp("text"), lines)
    text = open_lm_text([file], [*LETTERS, "ab", "ba"], least=2, held_out=held_out)
    every = max(10, len(lines) // held_out)
    trained = [line for i, line in enumerate(lines) if i % every != every - 1]
    assert sentences_of(text, text.tokens) == trained
    assert [" ".join(words) for words in text.held_out] == lines[every - 1 :: every]
    assert text.num_sentences == len(trained)
    alone = text.passages(np.random.default_rng(seed), joined=0.0, cut=0.0)
    assert sorted(sentences_of(text, alone)) == sorted(trained)


@given(lines=lines, joined=st.floats(0, 0.99), cut=st.floats(0, 0.99), seed=st.integers(0, 1 << 32))
def test_passages_are_stretches_of_the_text(tmp_path_factory, lines, joined, cut, seed):
    numbered = [f"{line} {'z' * i}b" for i, line in enumerate(lines)]  # each sentence is unique
    text = open_lm_text([write(tmp_path_factory.mktemp("text"), numbered)], LETTERS, 1, 1)
    whole = " ".join(sentences_of(text, text.tokens))
    passages = sentences_of(text, text.passages(np.random.default_rng(seed), joined, cut))
    assert "" not in passages
    assert all(f" {passage} " in f" {whole} " for passage in passages)
    assert sorted(" ".join(passages).split()) == sorted(whole.split())


def test_ends_are_left_out_and_put_in_as_often_as_asked(tmp_path):
    words_of = 8
    lines = [" ".join(["a"] * words_of)] * 20_000
    text = open_lm_text([write(tmp_path, lines)], LETTERS, 1, 1)
    passages = text.passages(np.random.default_rng(1), joined=0.4, cut=0.03)
    ends = np.count_nonzero(passages == END)
    insides = text.num_sentences * (words_of - 1 + 0.4)  # a joined sentence's first word is one
    expected = 0.6 * text.num_sentences + 0.03 * insides
    assert ends == pytest.approx(expected, abs=5 * expected**0.5)  # five deviations


def test_the_order_of_sentences_follows_from_the_generator(tmp_path):
    text = open_lm_text([write(tmp_path, ["a b", "b", "ab a", "b b b"] * 9)], LETTERS, 1, 1)
    orders = [text.passages(np.random.default_rng(seed), 0.3, 0.1).tolist() for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_several_files_are_one_text_and_foreign_lines_are_counted(tmp_path):
    files = [write(tmp_path, ["a b", "A!"], "1.txt"), write(tmp_path, ["b"], "2.txt")]
    text = open_lm_text(files, LETTERS, 1, 1)
    assert sentences_of(text, text.tokens) == ["a b", "b"]
    assert text.num_skipped == 1


def test_a_missing_text_is_named(tmp_path):
    with pytest.raises(ManifestError, match=r"nowhere\.txt"):
        open_lm_text([tmp_path / "nowhere.txt"], LETTERS, 1, 1)
