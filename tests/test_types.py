from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from asr import types
from asr.types import Audio, BestPath, Emissions, Hypothesis, Segment, Transcript, Utterance, Word

HELLO = Word("hello", 0.5, 0.9, 0.8)
THERE = Word("there", 1.0, 1.3, 0.7)
BYE = Word("bye", 4.0, 4.5, 1.0)


def test_the_duration_of_audio_is_its_samples_over_its_rate():
    assert Audio(np.zeros(12000, dtype=np.float32), 16000).duration == 0.75
    assert Audio(np.zeros(0, dtype=np.float32), 8000).duration == 0.0


def test_the_words_of_a_transcript_are_those_of_its_segments_in_order():
    first = Segment("hello there", 0.5, 1.3, (HELLO, THERE))
    silent = Segment("", 2.0, 3.0)
    transcript = Transcript("hello there bye", (first, silent, Segment("bye", 4.0, 4.5, (BYE,))), 5)
    assert transcript.words == (HELLO, THERE, BYE)
    assert Transcript("", (), 1.0).words == ()


@pytest.mark.parametrize(
    "value",
    [
        Audio(np.zeros(1, dtype=np.float32), 16000),
        Emissions(torch.zeros(1, 2), 0.04),
        Hypothesis((1,), (0,), -1.0),
        HELLO,
        Segment("", 0.0, 1.0),
        Transcript("", (), 0.0),
        Utterance("u", Path("a.wav"), ""),
    ],
)
def test_every_value_is_frozen(value):
    assert type(value).__name__ in types.__all__
    first = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, first, None)


def test_two_utterances_do_not_share_their_extra_fields():
    first, second = (Utterance(name, Path("a.wav"), "") for name in "ab")
    first.extra["x"] = 1
    assert second.extra == {}


def test_parts_of_emissions_join_to_the_whole():
    best = BestPath(torch.arange(5), torch.arange(5) / -8)
    whole = Emissions(torch.randn(5, 3), 0.04, torch.randn(5, 4), best)
    joined = Emissions.join([whole[:2], whole[2:2], whole[2:]])
    assert torch.equal(joined.log_probs, whole.log_probs)
    assert torch.equal(joined.phones, whole.phones)
    assert torch.equal(joined.word_pieces.tokens, best.tokens)
    assert torch.equal(joined.word_pieces.log_probs, best.log_probs)
    assert whole[1:3].word_pieces.tokens.tolist() == [1, 2]
    assert Emissions.join([Emissions(torch.zeros(1, 2), 0.04)]).word_pieces is None
