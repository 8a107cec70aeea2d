"""Live results against what was played: every letter is a tone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.greedy import GreedyStream
from asr.errors import AudioError
from asr.streaming import LiveRecognizer
from asr.streaming.live import (
    CHUNK_S,
    KEPT_SILENCE_S,
    LONGEST_S,
    LOOK_AHEAD_S,
    PAUSE_S,
    QUIET_PAUSE_S,
)
from asr.types import Hypothesis

from ..test_recognizer import noise, tiny_recognizer
from ..tones import RATE, STEP, STEP_S, listener, play, text

letters = st.sampled_from("abcdefghijklmnopqrstuvwxyz")
words = st.text(letters, min_size=1, max_size=6)
speeches = st.lists(st.tuples(words, st.integers(1, 40)), max_size=10)


def path_of(speech):
    """(word, steps of silence behind it) for every word; letters are doubled and set apart."""
    return "-----" + "".join(
        "".join(f"{letter * 2}-" for letter in word) + "|" + "-" * gap for word, gap in speech
    )


def run(samples, block=16_000, **options):
    live = LiveRecognizer(listener(), **options)
    blocks = (samples[i : i + block] for i in range(0, len(samples), block))
    return list(live.run(blocks))


def final_text(results):
    return " ".join(result.segment.text for result in results if result.is_final)


@settings(max_examples=25, deadline=None)
@given(speeches)
def test_every_word_becomes_final_once_and_whole(speech):
    path = path_of(speech)
    assert final_text(run(play(path))) == text(path) == " ".join(word for word, _ in speech)


@settings(max_examples=10, deadline=None)
@given(speeches, st.lists(st.integers(160, 160_000), min_size=1, max_size=3))
def test_results_do_not_depend_on_the_size_of_the_blocks(speech, sizes):
    samples = play(path_of(speech))
    expected = run(samples, 160)  # 10 ms
    for block in [*sizes, 160_000]:  # to 10 s
        assert run(samples, block) == expected


@settings(max_examples=25, deadline=None)
@given(speeches)
def test_what_is_final_stays_and_what_is_partial_comes_after_it(speech):
    last_end = 0.0
    for result in run(play(path_of(speech))):
        segment = result.segment
        assert segment.text == " ".join(word.text for word in segment.words)
        if segment.words:
            assert segment.start >= last_end - 1e-9
        if result.is_final:
            last_end = segment.end


def test_a_word_has_the_times_at_which_it_was_played():
    (result,) = (r for r in run(play("-" * 50 + "aa-bb|" + "-" * 50)) if r.is_final)
    (word,) = result.segment.words
    assert word.text == "ab"
    # Steps 50 to 54, and up to 0.1 s more on either side.
    assert 50 * STEP_S - 0.1 - 1e-9 <= word.start <= 50 * STEP_S
    assert 55 * STEP_S <= word.end <= 55 * STEP_S + 0.1 + 1e-9


def test_partial_results_come_with_closed_words_and_only_when_the_text_changes():
    results = run(play("aa-bb|cc-dd|ee-ff-gg-hh|" + "-" * 60), chunk_s=0.32, look_ahead_s=0.0)
    texts = [(result.segment.text, result.is_final) for result in results]
    assert texts == [
        ("ab", False),  # 8 steps of 40 ms at a time
        ("ab cd", False),
        ("ab cd efgh", False),
        ("ab cd efgh", True),
    ]


def test_what_was_shown_is_taken_back_where_the_end_finds_no_words(monkeypatch):
    # A search weighs its candidates at the end only, and may then prefer silence.
    monkeypatch.setattr(GreedyStream, "finish", lambda stream: Hypothesis((), (), 0.0))
    results = run(play("aa-bb|" + "-" * 60 + "cc-dd|" + "-" * 60), chunk_s=0.32, look_ahead_s=0.0)
    texts = [(result.segment.text, result.is_final) for result in results]
    assert texts == [("ab", False), ("", False), ("cd", False), ("", False)]


def moment_of_final(path, **options):
    """Seconds played when the first segment becomes final."""
    live = LiveRecognizer(listener(), **options)
    samples = play(path)
    for end in range(STEP, len(samples) + 1, STEP):
        for result in live.push(samples[end - STEP : end]):
            if result.is_final:
                return end / RATE
    return None


def test_a_word_is_final_after_a_quiet_pause_the_look_ahead_and_at_most_a_chunk():
    spoken_s = 7 * STEP_S
    moment = moment_of_final("aa-bb-|" + "-" * 80)
    waited = moment - spoken_s - LOOK_AHEAD_S
    assert QUIET_PAUSE_S - 2 * STEP_S <= waited <= QUIET_PAUSE_S + CHUNK_S + 3 * STEP_S


def test_where_the_pause_is_as_loud_as_the_speech_a_longer_one_is_needed():
    # Separators are no letters, but they sound.
    spoken_s = 5 * STEP_S
    moment = moment_of_final("aa-bb" + "|" * 80)
    waited = moment - spoken_s - LOOK_AHEAD_S
    assert PAUSE_S - STEP_S <= waited <= PAUSE_S + CHUNK_S + 3 * STEP_S


def test_a_monologue_is_cut_at_its_longest_pause_and_loses_nothing():
    speech = [("abc", 1), ("de", 2)] * 40 + [("f", 9)] + [("ghi", 1)] * 30
    results = run(play(path_of(speech)))
    finals = [result.segment for result in results if result.is_final]
    assert final_text(results) == " ".join(word for word, _ in speech)
    assert len(finals) > 1
    assert all(segment.end - segment.start <= LONGEST_S for segment in finals)
    assert any(segment.text.endswith(" f") for segment in finals)


def test_what_is_held_is_bounded_in_silence_and_in_endless_speech():
    for path, longest in (("-" * 5000, KEPT_SILENCE_S), ("ab" * 2500, LONGEST_S)):
        live, samples = LiveRecognizer(listener()), play(path)
        for start in range(0, len(samples), RATE):
            list(live.push(samples[start : start + RATE]))
            assert len(live._passage) * STEP_S <= longest + CHUNK_S + 1e-9
            assert len(live._levels._levels) * STEP_S <= longest + LOOK_AHEAD_S + 3 * CHUNK_S + 1.0


def test_silence_has_no_results():
    assert run(np.zeros(30 * RATE, np.float32)) == []


def test_finish_gives_the_rest_and_leaves_nothing():
    live = LiveRecognizer(listener())
    assert list(live.push(play("aa-bb"))) == []
    (*_, result) = live.finish()
    assert (result.segment.text, result.is_final) == ("ab", True)
    assert result.segment.end <= live.seconds == 5 * STEP_S
    assert list(live.finish()) == []


def test_nothing_said_is_nothing_found():
    live = LiveRecognizer(listener())
    assert list(live.push(np.zeros(0, np.float32))) == []
    assert list(live.finish()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_number_is_silence_and_is_forgotten(value):
    recognizer = tiny_recognizer()
    sound = noise(3.0)
    sound[8000] = 0
    broken = sound.copy()
    broken[8000] = value
    found, expected = (list(LiveRecognizer(recognizer).run([one])) for one in (broken, sound))
    assert found == expected
    assert expected[-1].segment.end > 2


def test_integers_are_sound_too_and_other_shapes_are_refused():
    sound = play("aa-bb")
    (*_, found) = LiveRecognizer(listener()).run([np.round(sound * 32767).astype(np.int16)])
    assert found.segment.text == "ab"
    with pytest.raises(AudioError, match="shape"):
        list(LiveRecognizer(listener()).push(sound[:, None]))


@pytest.mark.parametrize("look_ahead_s", [0.0, 0.2, 2.0])
def test_text_does_not_depend_on_the_look_ahead_where_the_network_needs_none(look_ahead_s):
    path = path_of([("one", 3), ("two", 30), ("three", 2)])
    assert final_text(run(play(path), look_ahead_s=look_ahead_s)) == "one two three"


def test_sound_is_taken_in_whether_or_not_anybody_looks_at_the_results():
    """`push` was a generator: not iterated over, it lost the block."""
    live = LiveRecognizer(listener())
    samples = play("aa-bb")
    live.push(samples)
    assert live.seconds == pytest.approx(len(samples) / RATE)
    assert final_text(live.finish()) == "ab"


def test_a_stream_that_has_ended_takes_no_more():
    live = LiveRecognizer(listener())
    list(live.run([play("aa-bb")]))
    with pytest.raises(AudioError, match="after the end of its stream") as caught:
        live.push(play("aa-bb"))
    assert "another LiveRecognizer" in caught.value.hint
