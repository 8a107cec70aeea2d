"""Best-path decoding of word pieces: what comes out is in letters, where the letters are."""

from __future__ import annotations

import math

import pytest
import torch

from asr.decoding import GreedyConfig, GreedyDecoder, WordPieceDecoder, make_decoder
from asr.decoding.greedy import CLOSING_STEPS
from asr.errors import DecoderError
from asr.tokenizer import ENGLISH, Tokenizer
from asr.types import BestPath, Emissions

from .spelled import TOKENIZER, random_emissions, spelled, text

PIECES = Tokenizer([*ENGLISH, "the", "cat", "ed"])
DECODER = WordPieceDecoder(TOKENIZER, PIECES)


def heard(letters, path, probability=0.8):
    """Letters as `spelled` makes them, and the pieces of a path, "-" for the blank."""
    tokens = [0 if piece == "-" else PIECES.ids([piece])[0] for piece in path.split()]
    best = BestPath(torch.tensor(tokens), torch.full((len(tokens),), math.log(probability)))
    emissions = spelled(letters)
    return Emissions(emissions.log_probs, emissions.seconds_per_step, None, best)


def test_pieces_are_collapsed_and_spelled_where_the_letters_are():
    (found,) = DECODER.decode(heard("-the|-cat-", "- the the - | | - cat cat -"))
    assert text(found) == "the cat"
    assert found.steps == (1, 2, 3, 4, 6, 7, 8)
    assert found.score == pytest.approx(10 * math.log(0.8))


def test_pieces_of_a_word_stand_together():
    (found,) = DECODER.decode(heard("-be-d---ed-", "- b e d - - - - - ed -"))
    assert text(found) == "beded"


def test_a_confidence_is_the_product_of_the_pieces_peaks():
    emissions = heard("the|cated--", "the the - | - cat - ed ed - -")
    emissions.word_pieces.log_probs[:] = torch.tensor(
        [0.5, 0.9, 0.99, 0.1, 0.99, 0.6, 0.99, 0.3, 0.7, 0.99, 0.99]
    ).log()
    (found,) = DECODER.decode(emissions)
    assert found.confidences == pytest.approx((0.9, 0.6 * 0.7))


def test_confidences_are_scaled_and_have_a_ceiling():
    config = GreedyConfig(confidence_scale=2, confidence_ceiling=0.9)
    decoder = make_decoder("greedy", TOKENIZER, word_pieces=PIECES, greedy=config)
    (found,) = decoder.decode(heard("-be-d---ed-", "- b e d - - - - - ed -", 0.8))
    # Four pieces of 0.8 each.
    assert found.confidences == pytest.approx((0.9 * (0.8**4) ** 2,))


def test_a_piece_that_comes_twice_has_the_peak_of_its_own_place():
    emissions = heard("a|a--", "a | a - -")
    emissions.word_pieces.log_probs[:] = torch.tensor([0.4, 0.9, 0.7, 0.9, 0.9]).log()
    (found,) = DECODER.decode(emissions)
    assert found.confidences == pytest.approx((0.4, 0.7))


def test_silence_has_no_words():
    assert DECODER.decode(heard("---", "- - -"))[0].tokens == ()
    assert DECODER.decode(heard("---", "| - |"))[0].tokens == ()


def test_pieces_with_more_letters_than_there_are_steps_leave_it_to_the_letters():
    emissions = heard("a--", "the | cat")
    assert DECODER.decode(emissions) == GreedyDecoder(TOKENIZER).decode(emissions)


def test_a_stream_shows_words_that_a_separator_or_a_silence_closes():
    stream = DECODER.stream()
    stream.push(heard("-the|", "- - the - -"))
    assert text(stream.best()) == ""
    stream.push(heard("-cat-", "| - cat - -"))
    assert text(stream.best()) == "the"
    stream.push(heard("-" * CLOSING_STEPS, "- " * CLOSING_STEPS))
    assert text(stream.best()) == text(stream.finish()) == "the cat"


def test_a_stream_in_parts_is_the_whole():
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randint(0, len(PIECES), (60,), generator=generator)
    tokens[torch.rand(60, generator=generator) < 0.8] = 0
    best = BestPath(tokens, -torch.rand(60, generator=generator))
    emissions = Emissions(random_emissions(3, 60, len(TOKENIZER)).log_probs, 0.04, None, best)
    stream = DECODER.stream()
    for start in range(0, 60, 7):
        stream.push(emissions[start : start + 7])
    assert stream.finish() == DECODER.decode(emissions)[0]


def test_greedy_decoding_goes_over_word_pieces_where_a_model_has_them():
    assert isinstance(make_decoder("greedy", TOKENIZER), GreedyDecoder)
    assert isinstance(make_decoder("greedy", TOKENIZER, word_pieces=PIECES), WordPieceDecoder)


def test_emissions_without_word_pieces_have_an_error():
    with pytest.raises(DecoderError, match="no word pieces"):
        DECODER.decode(spelled("abc"))


def test_nothing_heard_is_nothing_said():
    assert DECODER.stream().best().tokens == DECODER.stream().finish().tokens == ()
    (found,) = DECODER.decode(heard("", ""))
    assert (found.tokens, found.score) == ((), 0.0)
