"""Against the oracle, which is itself held against the enumeration of all paths."""

import math
import sys
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.ctc import ctc_loss
from asr.decoding.beam import BeamConfig, BeamDecoder
from asr.errors import DecoderError
from asr.tokenizer import Tokenizer
from asr.types import Emissions

from .oracle import Bigrams, token_scores_by_prefix_search, word_scores
from .spelled import TOKENIZER, random_emissions, spelled, text

SMALL = Tokenizer(["<blank>", "|", "a", "b"])
WIDE = BeamConfig(beam_size=20_000, beam_threshold=1000.0, lm_weight=0.7, word_score=0.3)
STEPS = 6
LEXICON = ["a", "ab", "bb", "aab"]
MODEL = Bigrams(
    unigrams={"<unk>": -2.5, "<s>": -99.0, "</s>": -0.9, "a": -0.6, "ab": -1.1, "bb": -0.4},
    bigrams={("<s>", "ab"): -0.2, ("ab", "bb"): -0.1, ("bb", "</s>"): -0.3},
    backoffs={"<s>": -0.5, "a": -0.15, "ab": -0.35},
)

seeds = st.integers(0, 10_000)


@pytest.fixture(scope="module")
def arpa(tmp_path_factory):
    return MODEL.write(tmp_path_factory.mktemp("lm") / "bigrams.arpa")


@pytest.fixture(scope="module")
def lexicon_free():
    return BeamDecoder(SMALL, WIDE)


@pytest.fixture(scope="module")
def lexicon_only():
    return BeamDecoder(SMALL, WIDE, words=LEXICON)


@pytest.fixture(scope="module")
def lexicon_and_model(arpa):
    return BeamDecoder(SMALL, WIDE, lm=arpa, words=LEXICON)


def scores_by_text(decoder, emissions):
    hypotheses = decoder.decode(emissions, num_best=100_000)
    texts = [SMALL.decode(hypothesis.tokens) for hypothesis in hypotheses]
    assert len(set(texts)) == len(texts)
    return dict(zip(texts, (hypothesis.score for hypothesis in hypotheses), strict=True))


def oracle_tokens(emissions):
    return token_scores_by_prefix_search(emissions.log_probs, beam_size=100_000)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_without_a_lexicon_scores_are_those_of_the_prefix_search(seed, lexicon_free):
    emissions = random_emissions(seed, STEPS, len(SMALL))
    expected = oracle_tokens(emissions)
    hypotheses = lexicon_free.decode(emissions, num_best=100_000)
    for hypothesis in hypotheses:
        assert hypothesis.score == pytest.approx(expected[hypothesis.tokens], abs=1e-4)
    assert hypotheses[0].score == pytest.approx(max(expected.values()), abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_without_a_lexicon_the_score_is_the_ctc_probability_of_the_tokens(seed, lexicon_free):
    emissions = random_emissions(seed, STEPS, len(SMALL))
    for hypothesis in lexicon_free.decode(emissions, num_best=5):
        loss = ctc_loss(
            emissions.log_probs[None],
            torch.tensor([STEPS]),
            torch.tensor([hypothesis.tokens], dtype=torch.long),
            torch.tensor([len(hypothesis.tokens)]),
        )
        assert hypothesis.score == pytest.approx(-loss.item(), abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_with_a_lexicon_every_text_of_its_words_comes_out_with_its_probability(seed, lexicon_only):
    emissions = random_emissions(seed, STEPS, len(SMALL))
    expected = word_scores(oracle_tokens(emissions), SMALL, LEXICON, word_score=0.3)
    possible = {text: score for text, score in expected.items() if score > -math.inf}
    assert scores_by_text(lexicon_only, emissions) == pytest.approx(possible, abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_with_a_language_model_its_weighted_probability_is_added(seed, lexicon_and_model):
    emissions = random_emissions(seed, STEPS, len(SMALL))
    expected = word_scores(oracle_tokens(emissions), SMALL, LEXICON, 0.3, 0.7, MODEL)
    possible = {text: score for text, score in expected.items() if score > -math.inf}
    assert scores_by_text(lexicon_and_model, emissions) == pytest.approx(possible, abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, num_best=st.integers(1, 8))
def test_hypotheses_are_sorted_and_of_different_texts(seed, num_best):
    emissions = random_emissions(seed, 30, len(TOKENIZER))
    for words in (None, ["cat", "cut", "a", "act"]):
        hypotheses = BeamDecoder(TOKENIZER, words=words).decode(emissions, num_best)
        scores = [hypothesis.score for hypothesis in hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert 1 <= len({text(h) for h in hypotheses}) == len(hypotheses) <= num_best


@settings(max_examples=20, deadline=None)
@given(seed=seeds, steps=st.integers(1, 60))
def test_a_lexicon_decoder_gives_no_word_but_those_of_the_lexicon(seed, steps):
    lexicon = {"cat", "cut", "a", "catch", "c'est"}
    decoder = BeamDecoder(TOKENIZER, BeamConfig(beam_size=5), words=sorted(lexicon))
    for hypothesis in decoder.decode(random_emissions(seed, steps, len(TOKENIZER)), num_best=5):
        assert set(text(hypothesis).split()) <= lexicon


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_steps_rise_and_lie_within_the_emissions(seed):
    emissions = random_emissions(seed, 20, len(TOKENIZER))
    for words in (None, ["cat", "cut", "a", "act"]):
        for hypothesis in BeamDecoder(TOKENIZER, words=words).decode(emissions, num_best=3):
            assert len(hypothesis.steps) == len(hypothesis.tokens)
            assert list(hypothesis.steps) == sorted(set(hypothesis.steps))
            assert all(0 <= step < 20 for step in hypothesis.steps)


@pytest.mark.parametrize("words", [None, ["cat", "cut"]])
@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("cc-a-t-|-c-uut", (0, 3, 5, 7, 9, 11, 13)),
        ("cat|cut|", (0, 1, 2, 3, 4, 5, 6, 7)),
        ("--|cat|-cut|", (2, 3, 4, 5, 6, 8, 9, 10, 11)),
    ],
)
def test_words_come_out_whole_at_either_end_with_the_steps_where_tokens_begin(path, steps, words):
    (hypothesis,) = BeamDecoder(TOKENIZER, words=words).decode(spelled(path))
    assert text(hypothesis) == "cat cut"
    assert hypothesis.steps == steps


@pytest.mark.parametrize("words", [None, ["cat"]])
@pytest.mark.parametrize("path", ["", "-", "----", "|", "-|-|-"])
def test_silence_is_a_hypothesis_without_words(path, words):
    hypotheses = BeamDecoder(TOKENIZER, words=words).decode(spelled(path), num_best=3)
    assert text(hypotheses[0]) == ""


def test_a_word_cut_off_by_the_end_is_left_out_where_the_beam_holds_nothing_else():
    narrow = BeamConfig(beam_size=1)
    (hypothesis,) = BeamDecoder(TOKENIZER, narrow, words=["cat"]).decode(spelled("cat|-ca"))
    assert text(hypothesis) == "cat"
    assert hypothesis.score < -5000


def test_the_language_model_decides_between_words_that_sound_alike(tmp_path):
    unigrams = {"<unk>": -3.0, "<s>": -99.0, "</s>": -1.0, "the": -1.0, "see": -1.0, "sea": -1.0}
    # After "se", the letters "a" and "e" are equally likely.
    emissions = spelled("the|se-a")
    e, a = (TOKENIZER.vocabulary.index(letter) for letter in "ea")
    emissions.log_probs[7, [e, a]] = math.log(0.45)
    found = {}
    for right in ("see", "sea"):
        model = Bigrams(unigrams, bigrams={("the", right): -0.1}, backoffs={"the": -1.0})
        lm = model.write(tmp_path / f"{right}.arpa")
        decoder = BeamDecoder(TOKENIZER, lm=lm, words=["the", "see", "sea"])
        found[right] = text(decoder.decode(emissions)[0])
    assert found == {"see": "the see", "sea": "the sea"}


def test_a_word_score_makes_more_words():
    emissions = spelled("a-b", 0.6)

    def best(word_score):
        config = BeamConfig(word_score=word_score)
        decoder = BeamDecoder(TOKENIZER, config, words=["ab", "a", "b"])
        return text(decoder.decode(emissions)[0])

    assert (best(0.0), best(5.0)) == ("ab", "a b")


def test_decoding_twice_gives_the_same(lexicon_and_model, arpa):
    emissions = random_emissions(11, 25, len(SMALL))
    first = lexicon_and_model.decode(emissions, num_best=10)
    lexicon_and_model.decode(random_emissions(12, 9, len(SMALL)))
    assert lexicon_and_model.decode(emissions, num_best=10) == first
    assert BeamDecoder(SMALL, WIDE, arpa, LEXICON).decode(emissions, num_best=10) == first


def test_impossible_tokens_do_not_upset_the_search():
    log_probs = torch.full((4, len(SMALL)), -math.inf)
    log_probs[[0, 1, 2, 3], [2, 0, 1, 3]] = 0.0
    for words in (None, ["a", "b"]):
        (hypothesis,) = BeamDecoder(SMALL, words=words).decode(Emissions(log_probs, 0.04))
        assert SMALL.decode(hypothesis.tokens) == "a b"
        assert hypothesis.score == pytest.approx(0.0)


def test_a_lexicon_that_the_emissions_rule_out_still_gives_an_answer_with_a_finite_score():
    log_probs = torch.full((4, len(SMALL)), -math.inf)
    log_probs[:, 2] = 0.0
    (hypothesis,) = BeamDecoder(SMALL, words=["b"]).decode(Emissions(log_probs, 0.04))
    assert set(SMALL.decode(hypothesis.tokens).split()) <= {"b"}
    assert math.isfinite(hypothesis.score)


def test_emissions_that_are_a_view_or_of_half_precision_are_read_rightly():
    emissions = spelled("c-a-t")
    view = emissions.log_probs.t().contiguous().t()
    for log_probs in (view, emissions.log_probs.bfloat16()):
        (hypothesis,) = BeamDecoder(TOKENIZER).decode(Emissions(log_probs, 0.04))
        assert text(hypothesis) == "cat"


def test_words_without_a_spelling_are_left_out_and_counted():
    decoder = BeamDecoder(TOKENIZER, words=["cat", "42", "c3po", "new york", "", "<s>", "cat"])
    assert text(decoder.decode(spelled("cat"))[0]) == "cat"


def test_a_word_the_model_does_not_know_costs_what_its_unknown_word_costs(arpa):
    decoder = BeamDecoder(SMALL, WIDE, lm=arpa, words=["a", "b"])
    emissions = random_emissions(3, 4, len(SMALL))
    expected = word_scores(oracle_tokens(emissions), SMALL, ["a", "b"], 0.3, 0.7, MODEL)
    assert scores_by_text(decoder, emissions)["b"] == pytest.approx(expected["b"], abs=1e-4)


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", b"\xff\xfe\x00\x81" * 40, b"\\data\\\nngram 1"]
)
def test_a_damaged_language_model_is_named_in_one_line(content, tmp_path):
    path = tmp_path / "bad.lm"
    path.write_bytes(content)
    with pytest.raises(DecoderError, match=r"bad\.lm: not a language model, or damaged") as raised:
        BeamDecoder(TOKENIZER, lm=path, words=["cat"]).prepare()
    assert "\n" not in str(raised.value)
    assert "ARPA" in raised.value.hint


def test_a_damaged_language_model_is_named_where_kenlm_gives_no_reason(arpa, monkeypatch):
    def refuse(*_):
        raise RuntimeError

    monkeypatch.setattr("flashlight.lib.text.decoder.kenlm.KenLM", refuse)
    with pytest.raises(DecoderError, match=r"damaged \(KenLM cannot read it\)"):
        BeamDecoder(TOKENIZER, lm=arpa, words=["cat"]).prepare()


def test_a_missing_language_model_is_named(tmp_path):
    with pytest.raises(DecoderError, match=r"nowhere\.lm: no such language model"):
        BeamDecoder(TOKENIZER, lm=tmp_path / "nowhere.lm", words=["cat"]).prepare()


def test_a_language_model_needs_its_words(arpa):
    with pytest.raises(DecoderError, match="a language model without its words"):
        BeamDecoder(TOKENIZER, lm=arpa).prepare()


def test_a_lexicon_of_which_nothing_can_be_spelled_is_an_error():
    with pytest.raises(DecoderError, match="none of the 2 words"):
        BeamDecoder(TOKENIZER, words=["42", "Ж"]).prepare()


def test_emissions_of_another_vocabulary_are_refused():
    with pytest.raises(DecoderError, match=r"shape \(5, 7\).* needs \(steps, 29\)"):
        BeamDecoder(TOKENIZER).decode(random_emissions(0, 5, 7))


def test_emissions_that_are_not_numbers_are_refused():
    with pytest.raises(DecoderError, match="NaN"):
        BeamDecoder(SMALL).decode(Emissions(torch.full((2, 4), math.nan), 0.04))


def test_without_flashlight_the_error_says_which_pythons_have_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "flashlight.lib.text.decoder", None)
    with pytest.raises(DecoderError, match="flashlight-text") as raised:
        BeamDecoder(TOKENIZER).prepare()
    assert "3.10 to 3.12" in raised.value.hint
    assert "--decoder greedy" in raised.value.hint


@settings(max_examples=20, deadline=None)
@given(seed=seeds, cuts=st.lists(st.integers(0, 30), max_size=4))
def test_fed_piece_by_piece_the_search_finds_the_same(seed, cuts, lexicon_and_model):
    emissions = random_emissions(seed, 30, len(SMALL))
    stream = lexicon_and_model.stream()
    bounds = [0, *sorted(cuts), 30]
    for start, end in pairwise(bounds):
        stream.push(emissions[start:end])
    (expected,) = lexicon_and_model.decode(emissions)
    found = stream.finish()
    assert (found.tokens, found.steps) == (expected.tokens, expected.steps)
    assert found.score == pytest.approx(expected.score, abs=1e-3)


def test_two_streams_of_one_decoder_do_not_meet():
    decoder = BeamDecoder(TOKENIZER, words=["cat", "cut"])
    first, second = decoder.stream(), decoder.stream()
    for step in range(4):
        first.push(spelled("cat|")[step : step + 1])
        second.push(spelled("cut|")[step : step + 1])
    assert (text(first.finish()), text(second.finish())) == ("cat", "cut")


def test_a_stream_shows_the_words_that_are_closed():
    stream = BeamDecoder(TOKENIZER, words=["cat", "cut"]).stream()
    shown = []
    for step in range(9):
        stream.push(spelled("cat|--cut")[step : step + 1])
        shown.append(text(stream.best()))
    assert (shown[1], shown[5], shown[8]) == ("", "cat", "cat")
    assert text(stream.finish()) == "cat cut"


def test_a_live_search_needs_a_lexicon():
    with pytest.raises(DecoderError, match="needs a lexicon"):
        BeamDecoder(TOKENIZER).stream()


@pytest.mark.parametrize("seed", range(5))
def test_words_found_with_a_lexicon_have_confidences(seed, lexicon_and_model):
    emissions = random_emissions(seed, 8, len(SMALL))
    for hypothesis in lexicon_and_model.decode(emissions, num_best=5):
        words = SMALL.decode(hypothesis.tokens).split()
        assert len(hypothesis.confidences) == len(words)
        assert all(0 <= confidence <= 1 for confidence in hypothesis.confidences)
