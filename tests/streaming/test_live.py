"""Live results against what was said: with a reader that needs no sound, and with tones."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.streaming import KEPT_SILENCE_S, LONGEST_S, UPDATE_S, LiveRecognizer
from asr.types import Segment, Transcript, Word

from .tones import STEP, listener, play, text

RATE = 100


class Reader:
    """Takes samples for words: a run of n samples of value v is the word "vxn".

    A word that is cut, lost or doubled comes out wrong, whatever the place of the cut.
    """

    def __init__(self):
        config = SimpleNamespace(sample_rate=RATE)
        self.checkpoint = SimpleNamespace(front_end=SimpleNamespace(config=config))
        self.lengths = []

    @property
    def longest(self):
        return max(self.lengths)

    def transcribe_samples(self, samples):
        self.lengths.append(len(samples))
        bounds = [0, *(np.flatnonzero(np.diff(samples)) + 1), len(samples)]
        words = tuple(
            Word(f"{int(samples[start])}x{end - start}", start / RATE, end / RATE, 1.0)
            for start, end in pairwise(bounds)
            if start < end and samples[start]
        )
        return Transcript("", (Segment("", 0, 0, words),), len(samples) / RATE)


spoken_words = st.tuples(st.integers(1, 9), st.integers(5, 120), st.integers(1, 300))
speeches = st.lists(spoken_words, max_size=25)
breathless = st.lists(
    st.tuples(st.integers(1, 9), st.integers(10, 60), st.integers(1, 30)), min_size=60, max_size=90
)


def speech(words):
    """(value, samples, samples of silence after it) for every word."""
    parts = [np.repeat(np.float32([value, 0]), [length, gap]) for value, length, gap in words]
    return np.concatenate([np.zeros(30, np.float32), *parts])


def written(words):
    return [f"{value}x{length}" for value, length, _ in words]


def run(samples, block, recognizer=None):
    live = LiveRecognizer(recognizer or Reader())
    blocks = (samples[i : i + block] for i in range(0, len(samples), block))
    return list(live.run(blocks))


def final_words(results):
    return [word for result in results if result.is_final for word in result.segment.words]


@settings(max_examples=30, deadline=None)
@given(speeches | breathless, st.integers(1, 1000))
def test_every_word_becomes_final_once_and_whole(words, block):
    found = final_words(run(speech(words), block))
    assert [word.text for word in found] == written(words)
    starts = 30 + np.cumsum([0, *(length + gap for _, length, gap in words)])
    assert [word.start for word in found] == pytest.approx([s / RATE for s in starts[:-1]])


@settings(max_examples=12, deadline=None)
@given(speeches | breathless, st.lists(st.integers(1, 1000), min_size=1, max_size=3))
def test_results_do_not_depend_on_the_size_of_the_blocks(words, sizes):
    samples = speech(words)
    expected = run(samples, 1)  # 10 ms
    for block in [*sizes, 1000]:  # to 10 s
        assert run(samples, block) == expected


@settings(max_examples=30, deadline=None)
@given(speeches | breathless)
def test_what_is_final_stays_and_what_is_partial_comes_after_it(words):
    last_end = 0.0
    for result in run(speech(words), 50):
        assert result.segment.start >= last_end - 1e-9
        assert result.segment.text == " ".join(word.text for word in result.segment.words)
        if result.is_final:
            last_end = result.segment.end


def test_partial_results_come_while_a_word_is_being_spoken():
    results = run(speech([(3, 120, 100)]), 10)
    assert [(r.segment.text, r.is_final) for r in results] == [
        ("3x20", False),
        ("3x70", False),
        ("3x120", False),
        ("3x120", False),
        ("3x120", True),
    ]


def test_an_hour_of_silence_is_held_for_a_second_at_most():
    reader = Reader()
    assert run(np.zeros(3600 * RATE, np.float32), 1000, reader) == []
    assert reader.longest <= (KEPT_SILENCE_S + UPDATE_S) * RATE


@pytest.mark.parametrize("gap", [2, 60, 100])
def test_speech_is_held_for_a_bounded_time(gap):
    reader, words = Reader(), [(1 + i % 9, 40, gap) for i in range(300)]
    assert len(final_words(run(speech(words), 250, reader))) == 300
    assert reader.longest <= (LONGEST_S + UPDATE_S) * RATE


def test_a_word_without_end_is_held_for_a_bounded_time():
    reader = Reader()
    results = run(np.ones(600 * RATE, np.float32), 250, reader)
    assert reader.longest <= (LONGEST_S + UPDATE_S) * RATE
    assert sum(int(w.text.removeprefix("1x")) for w in final_words(results)) == 600 * RATE


def test_half_the_silence_after_a_final_word_is_kept_for_what_follows():
    reader = Reader()
    live = LiveRecognizer(reader)
    samples = np.zeros(300, np.float32)
    samples[50:100] = 4
    results = list(live.push(samples[:200]))
    assert [r.is_final for r in results] == [False, False, True]
    list(live.push(np.float32([5] * 50)))
    (last,) = live.finish()
    # Final at 2 s, after a word that ended at 1 s: the look at 2.5 s goes back to 1.5 s.
    assert reader.lengths[-3:] == [200, 100, 100]
    assert (last.segment.text, last.segment.start) == ("5x50", 2.0)


def test_finish_gives_the_rest_and_leaves_nothing():
    live = LiveRecognizer(Reader())
    assert list(live.push(np.float32([0] * 10 + [7] * 20))) == []
    assert live.seconds == 0.3
    (result,) = live.finish()
    assert result.is_final
    assert result.segment == Segment("7x20", 0.1, 0.3, (Word("7x20", 0.1, 0.3, 1.0),))
    assert list(live.finish()) == []
    assert live.seconds == 0.3


def test_nothing_said_is_nothing_found():
    assert run(np.zeros(0, np.float32), 1) == []
    assert list(LiveRecognizer(Reader()).push(np.zeros(0, np.float32))) == []


@pytest.mark.parametrize("block", [160, 4801, 160_000])
def test_live_text_equals_the_text_of_the_recording(block):
    words = ["seven", "ate", "nine", "then", "ten", "went", "on"]
    path = "-----" + "".join(
        "".join(f"{letter * 2}--" for letter in word) + "-|" + "-" * (4 + 13 * (i % 3))
        for i, word in enumerate(words)
    )
    samples = play(path, STEP)
    results = run(samples, block, listener())
    assert " ".join(r.segment.text for r in results if r.is_final) == text(path) == " ".join(words)
    assert sum(r.is_final for r in results) > 1
