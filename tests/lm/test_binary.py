import numpy as np
import pytest

from asr.lm.arpa import write_arpa
from asr.lm.binary import write_binary
from asr.lm.pruning import prune_by_entropy
from asr.lm.scoring import NgramModel

from .oracle import FIXTURES, model_of

SENTENCES = [line.split() for line in (FIXTURES / "sentences.txt").read_text().splitlines()]


@pytest.mark.parametrize(
    ("name", "sentences", "order", "bits"),
    [("kenlm_trie.lm", 40, 3, (0, 0)), ("kenlm_trie_q6_b5.lm", None, 4, (6, 5))],
)
def test_files_are_byte_for_byte_those_of_build_binary(tmp_path, name, sentences, order, bits):
    # From our ARPA files of the first sentences, or all, by kenlm, commit 4cb443e:
    # build_binary -a 255 [-q 6 -b 5] trie ... kenlm_trie....lm
    model, _ = model_of(SENTENCES[:sentences], order)
    write_binary(model, tmp_path / "lm", *bits)
    assert (tmp_path / "lm").read_bytes() == (FIXTURES / name).read_bytes()


def scores_of(path):
    model = NgramModel.load(path)
    unknown = [[*words[:2], "zebra", *words[2:]] for words in SENTENCES[:10]]
    return np.array([s for words in [*SENTENCES, *unknown] for s in model.score_words(words)])


@pytest.mark.parametrize("order", [2, 3, 4, 6])
@pytest.mark.parametrize("threshold", [0.0, 2e-4])
def test_kenlm_finds_the_same_scores_in_the_arpa_and_the_exact_binary(tmp_path, order, threshold):
    model, _ = model_of(SENTENCES, order, vocabulary_size=60)
    if threshold:
        model = prune_by_entropy(model, threshold)
    write_arpa(model, tmp_path / "lm.arpa")
    write_binary(model, tmp_path / "lm", 0, 0)
    np.testing.assert_array_equal(scores_of(tmp_path / "lm"), scores_of(tmp_path / "lm.arpa"))


@pytest.mark.parametrize(("bits", "error"), [(10, 0.01), (8, 0.03), (6, 0.2)])
def test_quantising_changes_scores_little(tmp_path, bits, error):
    model, _ = model_of(SENTENCES, 3)
    write_binary(model, tmp_path / "exact", 0, 0)
    write_binary(model, tmp_path / "coarse", bits, bits)
    difference = scores_of(tmp_path / "coarse") - scores_of(tmp_path / "exact")
    assert np.abs(difference).mean() < error


@pytest.mark.parametrize("bits", [0, 8])
def test_an_order_without_ngrams_can_be_written(tmp_path, bits):
    model, _ = model_of([["a"], ["b"]], 4)  # the longest n-gram is <s> a </s>
    assert len(model.grams[3]) == 0
    write_binary(model, tmp_path / "lm", bits, bits)
    write_arpa(model, tmp_path / "lm.arpa")
    scores = [
        NgramModel.load(path).score_words(["a", "b"])
        for path in (tmp_path / "lm", tmp_path / "lm.arpa")
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
