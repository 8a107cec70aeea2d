"""Words found by their sound, then weighed by their letters."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.ctc import ctc_loss
from asr.decoding import BeamConfig, PhoneBeamDecoder, make_decoder
from asr.decoding.phonetic import _letter_scores
from asr.decoding.search import WordSearch
from asr.errors import DecoderError
from asr.lexicon import Lexicon
from asr.tokenizer import Tokenizer
from asr.types import Emissions

from .oracle import Bigrams
from .spelled import TOKENIZER, spelled, text

PHONES = Tokenizer(["<blank>", "|", "K", "AE", "T", "AH", "S"])
LEXICON = Lexicon(
    {
        "cat": [("K", "AE", "T")],
        "cats": [("K", "AE", "T", "S")],
        "kat": [("K", "AE", "T")],
        "cut": [("K", "AH", "T")],
        "ta": [("T", "AE"), ("T", "AH")],
    }
)
CONFIG = BeamConfig(beam_size=500, beam_threshold=1000.0, letter_weight=0.5)


def sounds(path, confidence=0.9):
    """(steps, phones) that say one phone a step: "-" is the blank."""
    ids = [0 if p == "-" else PHONES.vocabulary.index(p) for p in path.split()]
    rest = math.log((1 - confidence) / (len(PHONES) - 1))
    log_probs = torch.full((len(ids), len(PHONES)), rest)
    log_probs[torch.arange(len(ids)), ids] = math.log(confidence)
    return log_probs


def heard(letters, phones):
    emissions = spelled(letters)
    return Emissions(emissions.log_probs, emissions.seconds_per_step, sounds(phones))


def random_emissions(seed, steps):
    generator = torch.Generator().manual_seed(seed)
    sizes = (len(TOKENIZER), len(PHONES))
    letters, phones = (torch.randn(steps, n, generator=generator).log_softmax(-1) for n in sizes)
    return Emissions(letters, 0.04, phones)


@pytest.fixture(scope="module")
def decoder():
    return PhoneBeamDecoder(TOKENIZER, PHONES, LEXICON, CONFIG)


def best(decoder, emissions):
    return text(decoder.decode(emissions)[0])


def test_words_that_sound_alike_are_told_apart_by_their_letters(decoder):
    phones = "K AE T | - - K AH T - - -"
    assert best(decoder, heard("cat-|--cut--", phones)) == "cat cut"
    assert best(decoder, heard("kat-|--cut--", phones)) == "kat cut"


def test_every_pronunciation_of_a_word_is_its_own(decoder):
    for phones in ("T AE | - - -", "T AH | - - -"):
        assert best(decoder, heard("ta|---", phones)) == "ta"


def test_without_a_say_of_the_letters_the_phones_decide():
    deaf = PhoneBeamDecoder(
        TOKENIZER, PHONES, LEXICON, CONFIG.model_copy(update={"letter_weight": 0.0})
    )
    assert best(deaf, heard("cats--", "K AH T | - -")) == "cut"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(6, 14))
def test_the_score_is_that_of_the_search_plus_the_weighted_one_of_the_letters(seed, steps, decoder):
    emissions = random_emissions(seed, steps)
    search = WordSearch(
        len(PHONES),
        PHONES.separator_id,
        {w: [PHONES.ids(p) for p in known] for w, known in LEXICON.pronunciations.items()},
        CONFIG,
    )
    found: dict[str, float] = {}
    for one in search.find(emissions.phones):
        found.setdefault(" ".join(one.words), one.score)
    for hypothesis in decoder.decode(emissions, num_best=5):
        tokens = torch.tensor([hypothesis.tokens], dtype=torch.long)
        letters = -ctc_loss(
            emissions.log_probs[None],
            torch.tensor([steps]),
            tokens if tokens.shape[1] else torch.zeros(1, 1, dtype=torch.long),
            torch.tensor([tokens.shape[1]]),
        )
        expected = found[text(hypothesis)] + 0.5 * float(letters)
        assert hypothesis.score == pytest.approx(expected, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), num_best=st.integers(1, 6))
def test_hypotheses_are_sorted_of_different_texts_and_lie_within_the_emissions(
    seed, num_best, decoder
):
    hypotheses = decoder.decode(random_emissions(seed, 25), num_best)
    scores = [hypothesis.score for hypothesis in hypotheses]
    assert scores == sorted(scores, reverse=True)
    assert 1 <= len({text(h) for h in hypotheses}) == len(hypotheses) <= num_best
    for hypothesis in hypotheses:
        assert set(text(hypothesis).split()) <= set(LEXICON.pronunciations)
        assert len(hypothesis.steps) == len(hypothesis.tokens)
        assert list(hypothesis.steps) == sorted(set(hypothesis.steps))
        assert all(0 <= step < 25 for step in hypothesis.steps)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 25), max_size=4))
def test_fed_piece_by_piece_the_search_finds_the_same(seed, cuts):
    # Without words that sound alike: of equal scores the beam keeps whichever it likes.
    decoder = PhoneBeamDecoder(TOKENIZER, PHONES, LEXICON, CONFIG, words=["cats", "cut", "ta"])
    emissions = random_emissions(seed, 25)
    stream = decoder.stream()
    bounds = [0, *sorted(cuts), 25]
    for start, end in pairwise(bounds):
        stream.push(emissions[start:end])
    (expected,) = decoder.decode(emissions)
    found = stream.finish()
    assert (found.tokens, found.steps) == (expected.tokens, expected.steps)
    assert found.score == pytest.approx(expected.score, abs=1e-3)


def test_a_stream_shows_the_words_that_are_closed(decoder):
    emissions = heard("ta-|-----cut-|-", "T AE - | - - - - K AH T - | - -")
    stream = decoder.stream()
    shown = []
    for step in range(len(emissions)):
        stream.push(emissions[step : step + 1])
        shown.append(text(stream.best()))
    assert (shown[1], shown[6], shown[-1]) == ("", "ta", "ta cut")


def test_the_last_closed_word_stays_out_of_the_one_that_has_only_begun(decoder):
    emissions = heard("ta-|--ta", "T AE - | - - T AE")
    emissions.log_probs[:2] = (emissions.log_probs[:2].exp() / 2 + 0.5 / len(TOKENIZER)).log()
    stream = decoder.stream()
    stream.push(emissions)
    found = stream.best()
    assert text(found) == "ta"
    assert found.steps[:2] == (0, 1)


def test_silence_is_a_hypothesis_without_tokens(decoder):
    assert decoder.decode(heard("------", "- - - - - -"))[0].tokens == ()


@pytest.mark.parametrize("gap", [None, 0.5])
def test_a_text_whose_letters_do_not_fit_does_not_shut_out_those_behind_it(gap):
    lexicon = Lexicon({"cats": [("K", "AE", "T")], "ta": [("T", "AE")]})
    config = CONFIG.model_copy(update={"letter_weight": 0.0, "candidate_gap": gap})
    decoder = PhoneBeamDecoder(TOKENIZER, PHONES, lexicon, config)
    assert best(decoder, heard("cat", "K AE T")) == "ta"


@pytest.mark.parametrize("letter_weight", [0.0, 0.5])
def test_where_no_candidates_letters_fit_the_letters_own_best_path_is_taken(letter_weight):
    # Three phones fit into three steps, the four letters of "cats" do not, nor do those of others.
    config = CONFIG.model_copy(update={"letter_weight": letter_weight})
    only = PhoneBeamDecoder(
        TOKENIZER, PHONES, Lexicon({"catching": [("K", "AE", "T")]}), config, words=["catching"]
    )
    assert best(only, heard("cat", "K AE T")) in ("", "cat")
    stream = only.stream()
    stream.push(heard("cat", "K AE T"))
    assert text(stream.best()) in ("", "cat")


def test_only_the_words_asked_for_come_out():
    decoder = PhoneBeamDecoder(TOKENIZER, PHONES, LEXICON, CONFIG, words=["kat", "cut", "unsaid"])
    assert best(decoder, heard("cat---", "K AE T | - -")) == "kat"


def test_emissions_without_phones_are_refused(decoder):
    with pytest.raises(DecoderError, match="no phones"):
        decoder.decode(spelled("cat"))


def test_emissions_of_another_vocabulary_are_refused(decoder):
    emissions = spelled("cat")
    with pytest.raises(DecoderError, match="needs"):
        decoder.decode(Emissions(emissions.log_probs, 0.04, torch.zeros(3, 4)))


def test_words_none_of_which_can_be_pronounced_are_an_error():
    decoder = PhoneBeamDecoder(TOKENIZER, PHONES, LEXICON, words=["unsaid"])
    with pytest.raises(DecoderError, match="none of the 1 words") as raised:
        decoder.prepare()
    assert "lexicon build" in raised.value.hint


def test_words_that_the_letters_cannot_spell_never_come_out():
    sounding = Lexicon({"kát": [("K", "AE", "T")], "cut": [("K", "AH", "T")]})
    decoder = PhoneBeamDecoder(TOKENIZER, PHONES, sounding, CONFIG)
    assert best(decoder, heard("cut---", "K AE T | - -")) == "cut"


def test_beam_search_goes_over_phones_where_pronunciations_are_given():
    made = make_decoder("beam", TOKENIZER, config=CONFIG, pronunciations=(PHONES, LEXICON))
    assert isinstance(made, PhoneBeamDecoder)
    assert best(made, heard("kat---", "K AE T | - -")) == "kat"


def test_of_many_words_that_sound_alike_the_most_frequent_are_kept(tmp_path, capfd):
    words = [f"a{letter}" for letter in "bcdefghij"]  # nine, and the last is the most frequent
    weights = {word: -3.0 + 0.1 * number for number, word in enumerate(words)}
    lm = Bigrams(unigrams={"<unk>": -9.0, "<s>": -99.0, "</s>": -1.0} | weights).write(
        tmp_path / "tiny.arpa"
    )
    lexicon = Lexicon({word: [("K", "AE")] for word in words})
    decoder = PhoneBeamDecoder(
        TOKENIZER, PHONES, lexicon, CONFIG.model_copy(update={"letter_weight": 0.0}), lm, words
    )
    found = {text(h) for h in decoder.decode(heard("---", "K AE |"), num_best=20)} - {""}
    assert found == set(words[-6:])
    assert best(decoder, heard("---", "K AE |")) == "aj"
    assert "Trie" not in "".join(capfd.readouterr())


@given(st.integers(0, 50), st.integers(1, 12))
@settings(max_examples=20, deadline=None)
def test_every_hypothesis_says_how_sure_its_words_are(seed, steps):
    """A word is at least as sure as the whole text it stands in."""
    config = CONFIG.model_copy(update={"candidates": 10_000, "confidence_scale": 1.0})
    everything = PhoneBeamDecoder(TOKENIZER, PHONES, LEXICON, config)
    found = everything.decode(random_emissions(seed, steps), num_best=10_000)
    weights = [math.exp(one.score - found[0].score) for one in found]
    for one in found:
        words = text(one).split()
        assert len(one.confidences) == len(words)
        same = [text(other).split() == words for other in found]
        alone = sum(w for w, equal in zip(weights, same, strict=True) if equal) / sum(weights)
        assert all(alone - 1e-6 <= share <= 1 for share in one.confidences)


def test_a_sure_sound_is_a_sure_word(decoder):
    sure, unsure = (
        decoder.decode(Emissions(spelled(letters).log_probs, 0.04, sounds("K AE T |", p)))[0]
        for letters, p in (("cat|", 0.99), ("cat|", 0.4))
    )
    assert text(sure) == text(unsure) == "cat"
    assert unsure.confidences[0] < sure.confidences[0]


def test_nothing_heard_is_nothing_said(decoder):
    assert decoder.stream().best().tokens == decoder.stream().finish().tokens == ()
    (found,) = decoder.decode(random_emissions(0, 0))
    assert (found.tokens, found.score) == ((), 0.0)


def test_texts_are_scored_as_one_by_one_however_many_there_are():
    log_probs = random_emissions(1, 12).log_probs
    texts = [TOKENIZER.encode(word) for word in ("a", "cat", "tack", "a cat", "zoo") * 9]
    alone = [float(_letter_scores(log_probs, [text])) for text in texts]
    assert _letter_scores(log_probs, texts).tolist() == pytest.approx(alone, abs=1e-4)
