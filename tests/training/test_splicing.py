"""Sentences spliced from pieces of recordings: what is cut, what is chosen, what comes out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.training.splicing import PieceBank, Sentence, splice

NUM_PHONES = 6
BLANK = 0


def said(path):
    """Log-probabilities that are sure of one token a step, and states that number the steps."""
    log_probs = torch.full((len(path), NUM_PHONES), -20.0)
    log_probs[torch.arange(len(path)), path] = -1e-3
    return torch.arange(len(path), dtype=torch.float32)[:, None], log_probs


def bank_of(*recordings):
    bank = PieceBank()
    for path, phones in recordings:
        bank.add(*said(path), phones)
    return bank


RNG = np.random.default_rng(0)


def test_a_recording_is_cut_half_way_between_its_phones():
    bank = bank_of(([0, 2, 0, 0, 3, 3, 0], [2, 3]))
    heard, log_probs = bank.speak([2], RNG)
    assert heard[:, 0].tolist() == [0, 1, 2]
    assert log_probs.argmax(1).tolist() == [0, 2, 0]
    assert bank.speak([3], RNG)[0][:, 0].tolist() == [3, 4, 5, 6]


@given(st.lists(st.integers(1, NUM_PHONES - 1), min_size=1, max_size=6), st.integers(0, 99))
@settings(deadline=None)
def test_a_recording_of_which_there_is_one_comes_out_as_it_was(phones, seed):
    """Its pieces, each between its own neighbours, are the whole of it."""
    rng = np.random.default_rng(seed)
    path = [0]
    for phone in phones:
        path += [phone] * int(rng.integers(1, 3)) + [BLANK] * int(rng.integers(1, 3))
    bank = bank_of((path, phones))
    heard, log_probs = bank.speak(phones, rng)
    repeated = len({tuple(t) for t in zip([0, *phones], phones, [*phones[1:], 0], strict=False)})
    if repeated == len(phones):
        assert heard[:, 0].tolist() == list(range(len(path)))
        assert torch.equal(log_probs, said(path)[1])


def test_the_piece_between_the_same_neighbours_is_taken_and_else_one_that_is_near():
    bank = bank_of(([1, 2, 3], [1, 2, 3]), ([4, 0, 2, 0, 0, 5], [4, 2, 5]))
    steps = {len(bank.speak([1, 2, 3], np.random.default_rng(i))[0]) for i in range(20)}
    assert steps == {3}, "both neighbours are known"
    middles = {
        tuple(bank.speak([4, 2, 3], np.random.default_rng(i))[0][:, 0].tolist()) for i in range(20)
    }
    assert middles == {(0, 1, 2, 3, 2)}, "the piece behind a 4 goes before that behind a 1"


def test_what_was_never_heard_cannot_be_spoken():
    bank = bank_of(([1, 2], [1, 2]))
    assert bank.speak([1, 3], RNG) is None
    assert bank.speak([], RNG) is None


def test_recordings_too_short_for_their_phones_or_without_any_are_left_out():
    bank = bank_of(([1], [1, 2]), ([0, 0], []))
    assert bank.speak([1], RNG) is None


def test_nothing_is_misheard_unless_it_is_wanted():
    bank = bank_of(([0, 1, 0, 2, 0], [1, 2]))
    assert bank.mishear([1, 2, 1, 1], 0.0, RNG) == [1, 2, 1, 1]


def doubtful(path, instead, belief):
    """A recording in which each step's phone is taken for another one by a part of the belief."""
    log_probs = torch.full((len(path), NUM_PHONES), 1e-9)
    log_probs[torch.arange(len(path)), path] = 1 - belief
    log_probs[torch.arange(len(path)), instead] = belief
    return torch.zeros(len(path), 1), log_probs.log()


def test_phones_are_confused_with_those_that_they_were_taken_for():
    bank = PieceBank()
    bank.add(*doubtful([1, 2], [3, 4], 0.3), [1, 2])
    bank.add(*doubtful([1, 2], [5, 4], 0.1), [1, 2])
    heard = bank.mishear([1] * 4000, 1.0, np.random.default_rng(1))
    counts = np.bincount(heard, minlength=NUM_PHONES)
    expected = 4000 * np.array([0, 0.15, 0, 0.75 * 3 / 4, 0, 0.75 / 4])  # doubled: it and another
    assert counts == pytest.approx(expected, abs=120)


@pytest.mark.parametrize("part", [0.1, 0.5])
def test_a_part_of_the_phones_is_misheard(part):
    bank = PieceBank()
    bank.add(*doubtful([1, 2], [3, 4], 0.3), [1, 2])
    heard = bank.mishear([1] * 8000, part, np.random.default_rng(2))
    assert heard.count(3) == pytest.approx(8000 * part * 0.75, abs=150)
    assert heard.count(1) == pytest.approx(8000 * (1 - part + part * 0.15), abs=150)


def test_a_phone_that_was_never_doubted_stays():
    assert set(bank_of(([1, 2], [1, 2])).mishear([5] * 50, 1.0, RNG)) == {5}


def test_a_misheard_sentence_keeps_its_letters():
    bank = PieceBank()
    bank.add(*doubtful([1, 0, 2, 0], [3, 0, 3, 0], 0.3), [1, 2])
    bank.add(*said([3, 3, 3]), [3])
    sentence = Sentence([7], [1])
    found = [
        splice(bank, [sentence], np.random.default_rng(seed), misheard=1.0) for seed in range(40)
    ]
    assert {tuple(batch.targets[0].tolist()) for batch in found if batch} == {(7,)}
    lengths = {int(batch.lengths[0]) for batch in found if batch}
    assert 3 in lengths, "spoken as the other phone"
    assert None in found, "not spoken at all"


def test_a_batch_has_the_sentences_that_can_be_spoken_and_fit():
    bank = bank_of(([0, 1, 0, 2, 0], [1, 2]))
    fits, unknown = Sentence([7, 8], [1, 2], [4]), Sentence([7], [5])
    too_long = Sentence([7] * 9, [1, 2])
    batch = splice(bank, [fits, unknown, too_long, Sentence([9], [2], [5, 6])], RNG)
    assert batch.lengths.tolist() == [5, 2]
    assert batch.target_lengths.tolist() == [2, 1]
    assert batch.targets[0].tolist() == [7, 8]
    assert batch.targets[1, 0] == 9
    assert batch.word_pieces.tolist() == [[4, 0], [5, 6]]
    assert batch.word_piece_lengths.tolist() == [1, 2]
    assert batch.heard.shape == (2, 5, 1)
    assert batch.phones.shape == (2, 5, NUM_PHONES)
    assert splice(bank, [unknown], RNG) is None


@pytest.mark.parametrize("seed", range(3))
def test_the_same_random_numbers_give_the_same_batch(seed):
    bank = bank_of(*[([i % 5 + 1, 0, 2], [i % 5 + 1, 2]) for i in range(10)])
    sentences = [Sentence([7, 8], [1, 2, 3, 2]), Sentence([7], [2, 4])]
    one, two = (splice(bank, sentences, np.random.default_rng(seed)) for _ in range(2))
    assert torch.equal(one.heard, two.heard)
    assert torch.equal(one.to(torch.device("cpu")).phones, two.phones)
