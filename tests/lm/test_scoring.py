import math

import pytest

from asr.errors import DecoderError
from asr.lm.arpa import write_arpa
from asr.lm.binary import write_binary
from asr.lm.scoring import NgramModel, perplexity, read_words

from .oracle import FIXTURES, backed_off, model_of, table_of

SENTENCES = [line.split() for line in (FIXTURES / "sentences.txt").read_text().splitlines()]
NAMES = ["lm.arpa", "lm.arpa.gz", "exact.lm", "small.lm"]

# P(a) = 1/2 and P(</s>) = 1/4 after anything; 1/8 after "a" and for unknown words.
BY_HAND = r"""
\data\
ngram 1=4
ngram 2=1

\1-grams:
-0.90309	<unk>	0
0	<s>	0
-0.30103	a	0
-0.60206	</s>	0

\2-grams:
-0.90309	a </s>

\end\
"""


@pytest.fixture(scope="module")
def model():
    return model_of(SENTENCES, 3)[0]


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """The same model in every kind of file."""
    folder = tmp_path_factory.mktemp("lm")
    write_arpa(model, folder / "lm.arpa")
    write_arpa(model, folder / "lm.arpa.gz", compress=True)
    write_binary(model, folder / "exact.lm", 0, 0)
    write_binary(model, folder / "small.lm", 8, 8)
    return folder


@pytest.fixture
def by_hand(tmp_path):
    path = tmp_path / "hand.arpa"
    path.write_text(BY_HAND.lstrip())
    return path


def refusal(call, path):
    with pytest.raises(DecoderError) as caught:
        call(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_the_words_come_back_from_every_kind_of_file(folder, name):
    assert read_words(folder / name) == sorted({w for words in SENTENCES for w in words})


def test_the_words_of_a_file_made_by_kenlm_are_read():
    words = {word for sentence in SENTENCES[:40] for word in sentence}
    assert read_words(FIXTURES / "kenlm_trie.lm") == sorted(words)


def test_scores_are_the_logarithms_of_the_models_probabilities(model, folder):
    table, reader = table_of(model), NgramModel.load(folder / "exact.lm")
    for words in SENTENCES[::10]:
        framed = ["<s>", *words, "</s>"]
        expected = [
            math.log10(backed_off(table, tuple(framed[max(0, i - 2) : i]), framed[i]))
            for i in range(1, len(framed))
        ]
        assert reader.score_words(words) == pytest.approx(expected, abs=1e-5)
        assert reader.score_sentence(words) == pytest.approx(sum(expected), abs=1e-4)


def test_a_sentence_is_scored_with_its_end(by_hand):
    # 1/2 * 1/8, and 1/2 * 1/2 * 1/8
    model = NgramModel.load(by_hand)
    assert model.score_sentence(["a"]) == pytest.approx(math.log10(1 / 16), abs=1e-4)
    assert model.score_sentence(["a", "a"]) == pytest.approx(math.log10(1 / 32), abs=1e-4)


def test_a_word_alone_has_the_probability_of_its_unigram(by_hand):
    # After "a" the end has 1/8; anywhere it has 1/4, and "a" has 1/2.
    model = NgramModel.load(by_hand)
    assert model.score_alone("a") == pytest.approx(math.log10(1 / 2), abs=1e-4)
    assert model.score_alone("b") == pytest.approx(math.log10(1 / 8), abs=1e-4)


def test_perplexity_leaves_unknown_words_out_and_counts_them(by_hand):
    # a: 1/2, end: 1/8; a: 1/2, b: unknown, end: 1/4: in all 2**-7 for four.
    found, unknown = perplexity(NgramModel.load(by_hand), ["a", "a b"])
    assert found == pytest.approx(2 ** (7 / 4), rel=1e-4)
    assert unknown == pytest.approx(1 / 3)


def test_no_sentences_have_no_perplexity(by_hand):
    with pytest.raises(ValueError, match="no sentences"):
        perplexity(NgramModel.load(by_hand), [])


def test_known_words_are_known(by_hand):
    model = NgramModel.load(by_hand)
    assert model.knows("a")
    assert not model.knows("b")


@pytest.mark.parametrize("call", [read_words, NgramModel.load])
def test_a_missing_file_is_refused(call, tmp_path):
    assert "No such file" in refusal(call, tmp_path / "none.lm")


@pytest.mark.parametrize("call", [read_words, NgramModel.load])
@pytest.mark.parametrize("content", [b"", b"some text\n", bytes(range(256)), b"\n\\data\\\n"])
def test_a_file_that_is_no_language_model_is_refused(call, content, tmp_path):
    path = tmp_path / "other.lm"
    path.write_bytes(content)
    refusal(call, path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", [0.01, 0.1, 0.5, 0.95])
def test_a_truncated_file_is_refused(name, part, folder, tmp_path):
    content = (folder / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(len(content) * part)])
    refusal(NgramModel.load, path)


@pytest.mark.parametrize("name", ["lm.arpa", "exact.lm", "small.lm"])
def test_a_list_of_words_that_breaks_off_is_refused(model, folder, tmp_path, name):
    content = (folder / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: content.index(model.vocabulary.words[-1].encode())])
    refusal(read_words, path)


def test_a_binary_without_its_words_is_refused(folder, tmp_path):
    content = (folder / "small.lm").read_bytes()
    path = tmp_path / "bare.lm"
    path.write_bytes(content[: content.index(b"<unk>\0")])
    assert "without its vocabulary" in refusal(read_words, path)
