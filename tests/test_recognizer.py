"""Long recordings, batches and failures, with a model that hears tones and with random ones."""

import io
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr import recognizer as module
from asr.audio.features import FeatureConfig, LogMel
from asr.audio.vocal_tract import warp_matrices
from asr.checkpoint import Checkpoint
from asr.decoding import BeamDecoder, GreedyDecoder
from asr.errors import AudioError
from asr.models import BiLSTMConfig, build_model
from asr.recognizer import Recognizer

from .tones import RATE, STEP, STEP_S, TOKENIZER, ids, listener, play, text, wav

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def random_path(num_steps, seed=0):
    """Steps of which no two neighbours are equal, so that losing or doubling one shows."""
    draw, path = random.Random(seed), "-"
    while len(path) < num_steps:
        path += draw.choice([c for c in LETTERS + "|-" if c != path[-1]])
    return path


def spoken(words, seed=0):
    """A path with pauses of various lengths around and within the words."""
    draw, path = random.Random(seed), "-"
    for word in words:
        for letter in word:
            path += letter * draw.randint(1, 2) + "-" * draw.randint(1, 3)
        path += "-" * draw.randint(0, 8) + "|" + "-" * draw.randint(0, 8)
    return path


def random_words(count, seed=0):
    draw = random.Random(seed)
    return ["".join(draw.choices(LETTERS, k=draw.randint(1, 7))) for _ in range(count)]


def tiny_recognizer(tracts=(1.0,), **options):
    """Weights drawn large, so that the output changes with the sound."""
    torch.manual_seed(3)
    front_end = LogMel(FeatureConfig(n_mels=16))
    front_end.mean.fill_(-3)
    model = build_model(BiLSTMConfig(layers=1, hidden=6, conv_channels=2), 16, len(TOKENIZER))
    torch.nn.init.normal_(model.output.weight, std=3)
    if tracts != (1.0,):
        model.hear_as(warp_matrices(tracts, front_end.config))
    checkpoint = Checkpoint(model.eval(), front_end, TOKENIZER, None, {}, "", Path("none"))
    return Recognizer(checkpoint, GreedyDecoder(TOKENIZER), **options)


def noise(seconds, seed=0):
    """Noise whose level changes ten times a second."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.uniform(0, 0.5, round(seconds * 10) + 1), RATE // 10)
    samples = level * rng.uniform(-1, 1, len(level))
    return samples[: round(seconds * RATE)].astype(np.float32)


def offline(recognizer, samples):
    """The model on the whole recording at once."""
    features = recognizer.checkpoint.front_end(torch.from_numpy(samples))[None]
    with torch.inference_mode():
        return recognizer.checkpoint.model(features, torch.tensor([features.shape[1]])).letters[0]


@pytest.mark.parametrize("extra", [0, 1, 399, 400, 639])
def test_the_steps_of_the_windows_are_the_steps_of_the_recording(extra):
    path = random_path(1700)  # 68 s: three windows
    samples = np.concatenate([play(path), play("z")[:extra]])
    emissions = listener().emissions(samples)
    num_steps = -(-FeatureConfig().num_frames(len(samples)) // 4)
    assert emissions.seconds_per_step == STEP_S
    assert emissions.log_probs.argmax(1).tolist() == ids(path + "z")[:num_steps]


@pytest.mark.parametrize("num_steps", [649, 650, 651, 700, 701, 749, 750, 751, 1400, 1401])
def test_no_step_is_lost_or_doubled_where_windows_meet(num_steps):
    path = random_path(num_steps)
    assert listener().emissions(play(path)).log_probs.argmax(1).tolist() == ids(path)


def test_a_recording_of_one_window_is_recognised_as_the_whole_it_is():
    recognizer, samples = tiny_recognizer(), noise(29.9)
    found = recognizer.emissions(samples).log_probs
    torch.testing.assert_close(found, offline(recognizer, samples), rtol=0, atol=1e-6)


def test_windows_do_not_change_what_a_network_of_short_memory_says():
    recognizer, samples = tiny_recognizer(), noise(70)
    for cell in recognizer.checkpoint.model.layers[0].children():
        cell.bias_ih_l0.data[6:12] = -2.0  # forget gates that are all but closed
    found = recognizer.emissions(samples).log_probs
    torch.testing.assert_close(found, offline(recognizer, samples), rtol=0, atol=1e-3)


def test_a_long_recording_made_of_clips_has_the_text_of_the_clips():
    words = random_words(120)
    clips = [spoken(words[i : i + 10], seed=i) for i in range(0, len(words), 10)]
    assert sum(map(len, clips)) * STEP_S > 60
    recognizer = listener()
    alone = [recognizer.transcribe_samples(play(clip)).text for clip in clips]
    together = recognizer.transcribe_samples(play("".join(clips)))
    assert " ".join(alone) == " ".join(words) == together.text
    assert [word.text for word in together.words] == words


def test_words_of_a_long_recording_are_where_they_were_spoken():
    words = random_words(100, seed=1)
    path = spoken(words, seed=1)
    starts = [i for i in range(1, len(path)) if path[i] in LETTERS and "|" in _gap(path, i)]
    found = listener().transcribe_samples(play(path)).words
    for word, step in zip(found, starts, strict=True):
        assert word.start <= step * STEP_S + 1e-6
        assert word.start >= step * STEP_S - 0.1 - 1e-6


def _gap(path, end):
    """What lies between a letter and the one before it; a separator where there is none."""
    before = path[:end].rstrip("-|")
    return path[len(before) : end] if before else "|"


def test_a_passage_does_not_end_within_a_drawn_out_word():
    filler = "a-b-|-" * 80  # 480 steps; the first 30 s end at step 750
    path = filler + "c" + "-" * 60 + "d|" + filler
    assert listener().transcribe_samples(play(path)).text == text(path)


def test_words_without_any_pause_still_become_text_of_the_same_letters():
    path = "ab" * 500
    assert listener().transcribe_samples(play(path)).text.replace(" ", "") == path


@settings(max_examples=20, deadline=None)
@given(st.text("ab|-", min_size=0, max_size=12), st.integers(0, 1500), st.integers(0, 99))
def test_word_times_go_forward_and_stay_within_the_recording(path, extra, seed):
    samples = np.concatenate([play(path + "-"), play("ccc")[:extra]])[STEP - seed % STEP :]
    transcript = listener().transcribe_samples(samples)
    assert transcript.duration == len(samples) / RATE
    times = [t for word in transcript.words for t in (word.start, word.end)]
    assert times == sorted(times)
    assert all(0 <= t <= transcript.duration for t in times)
    assert all(0 < word.confidence <= 1 for word in transcript.words)
    assert all(s.end <= transcript.duration for s in transcript.segments)
    assert transcript.text == " ".join(word.text for word in transcript.words)


def test_alternatives_are_other_texts_best_first_and_the_text_has_the_first():
    words = random_words(200, seed=5)
    path = spoken(words, seed=5)
    recognizer = listener(num_alternatives=3)
    recognizer.decoder = BeamDecoder(TOKENIZER, words=[*words, *(w + "s" for w in words)])
    result = recognizer.transcribe_samples(play(path))
    assert len(result.passages) > 1
    assert result.text == " ".join(passage.alternatives[0].text for passage in result.passages)
    assert result.words == tuple(w for p in result.passages for w in p.alternatives[0].words)
    ends = [passage.end for passage in result.passages]
    assert [passage.start for passage in result.passages] == pytest.approx([0.0, *ends[:-1]])
    assert ends[-1] == result.duration
    for passage in result.passages:
        scores = [one.score for one in passage.alternatives]
        assert scores == sorted(scores, reverse=True)
        assert len({one.text for one in passage.alternatives}) == 3
        for one in passage.alternatives:
            assert one.text == " ".join(word.text for word in one.words)
            assert all(passage.start <= w.start <= w.end <= passage.end for w in one.words)


def test_alternatives_do_not_change_the_transcript_and_are_there_only_if_asked_for():
    samples = play(spoken(["ab", "ba"], seed=2))
    recognizer = listener()
    recognizer.decoder = BeamDecoder(TOKENIZER, words=["ab", "ba", "abba"])
    plain = recognizer.transcribe_samples(samples)
    assert plain.passages == ()
    recognizer.num_alternatives = 2
    assert replace(recognizer.transcribe_samples(samples), passages=()) == plain


def test_silence_has_one_passage_without_words():
    recognizer = listener(num_alternatives=2)
    (passage,) = recognizer.transcribe_samples(np.zeros(RATE, np.float32)).passages
    assert [one.text for one in passage.alternatives] == [""]


def test_a_pause_begins_a_segment():
    transcript = listener().transcribe_samples(play("a-b|" + "c---d" + "|" + "-" * 30 + "e|-f-"))
    assert [segment.text for segment in transcript.segments] == ["ab cd", "e f"]
    assert transcript.text == "ab cd e f"
    # The steps of the first letter and of the last, and what a word may reach beyond its own.
    assert transcript.segments[1].start == pytest.approx(40 * STEP_S - 0.1)
    assert transcript.segments[0].end == pytest.approx(9 * STEP_S + 0.1)


@pytest.mark.parametrize("num_samples", [0, 1, 400, 5000])
def test_silence_is_an_empty_transcript(num_samples):
    transcript = listener().transcribe_samples(np.zeros(num_samples, np.float32))
    assert (transcript.text, transcript.segments) == ("", ())
    assert transcript.duration == num_samples / RATE


@pytest.mark.parametrize("tracts", [(1.0,), (1.0, 0.9, 1.1)])
def test_results_do_not_depend_on_what_is_transcribed_together(tracts):
    recordings = [noise(s, seed) for seed, s in enumerate([3, 0.02, 33, 1.5, 0.5, 2])]
    alone = [tiny_recognizer(tracts, batch_windows=1).transcribe(wav(r)) for r in recordings]
    assert any(transcript.text for transcript in alone)
    for batch_windows in (2, 8):
        recognizer = tiny_recognizer(tracts, batch_windows=batch_windows)
        together = list(recognizer.transcribe_many(map(wav, recordings)))
        for one, other in zip(alone, together, strict=True):
            assert one.text == other.text
            assert [(w.text, w.start, w.end) for w in one.words] == [
                (w.text, w.start, w.end) for w in other.words
            ]
            assert [w.confidence for w in one.words] == pytest.approx(
                [w.confidence for w in other.words], rel=1e-3
            )


@pytest.mark.parametrize(("batch_windows", "most"), [(1, 1), (8, 2), (9, 3)])
def test_copies_of_a_window_count_as_windows(batch_windows, most):
    recognizer = tiny_recognizer((1.0, 0.9, 1.1), batch_windows=batch_windows)
    sizes = []
    recognizer.checkpoint.model.register_forward_hook(
        lambda module, given, outputs: sizes.append(len(outputs.letters))
    )
    list(recognizer.transcribe_many([wav(noise(0.5, seed)) for seed in range(7)]))
    assert max(sizes) == most
    assert sum(sizes) == 7


@pytest.mark.parametrize("batch_windows", [1, 2, 8])
def test_an_error_takes_the_place_of_its_recording_and_stops_nothing(batch_windows):
    sources = [
        wav(play("-a-|-")),
        "no/such/file.wav",
        io.BytesIO(b"this is a text and no recording"),
        wav(play("-b-|-")),
        io.BytesIO(b""),
        wav(play("-c-|-")),
    ]
    results = list(listener(batch_windows=batch_windows).transcribe_many(sources))
    kinds = [r.text if not isinstance(r, Exception) else type(r) for r in results]
    assert kinds == ["a", AudioError, AudioError, "b", AudioError, "c"]
    assert "no/such/file.wav" in str(results[1])


def test_what_was_read_of_a_recording_that_fails_midway_is_not_given_to_the_next(monkeypatch):
    def read(source, sample_rate, warn):
        yield play("-" + "x-|-" * 400)
        yield play("-" + "x-|-" * 400)
        if source == "bad":
            raise AudioError("bad: the disk is gone")

    monkeypatch.setattr(module, "read_blocks", read)
    good, bad, again = listener(batch_windows=2).transcribe_many(["good", "bad", "again"])
    assert isinstance(bad, AudioError)
    assert good == again
    assert good.text == " ".join(["x"] * 800)


def test_the_error_of_a_single_recording_is_raised():
    with pytest.raises(AudioError, match="no such file"):
        listener().transcribe("no/such/file.wav")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (np.zeros(5, np.float32), "ndarray as a recording"),
        (None, "NoneType as a recording"),
        (b"RIFF", "bytes as a recording"),
        (io.StringIO("text"), "opened as text"),
    ],
)
def test_what_is_no_source_is_an_error_like_others(source, reason):
    first, wrong, last = listener().transcribe_many([wav(play("-a-")), source, wav(play("-b-"))])
    assert (first.text, last.text) == ("a", "b")
    assert isinstance(wrong, AudioError)
    assert reason in str(wrong)


def test_a_path_where_several_are_needed_is_not_read_letter_by_letter():
    with pytest.raises(AudioError, match="needed several"):
        listener().transcribe_many("a.wav")


def test_samples_are_taken_in_the_types_that_libraries_give(caplog):
    recognizer, sound = tiny_recognizer(), noise(2.0)
    whole = np.round(sound * 32768).clip(-32768, 32767).astype(np.int16)
    expected = recognizer.transcribe_samples(whole.astype(np.float32) / 32768)
    assert len(expected.text) > 5
    assert recognizer.transcribe_samples(whole) == expected
    assert recognizer.transcribe_samples(whole / 32768) == expected  # float64
    assert not caplog.records


def test_a_sample_that_is_no_number_does_not_silence_the_others(caplog):
    recognizer, sound = tiny_recognizer(), noise(2.0)
    broken = np.where(np.arange(len(sound)) == 100, np.nan, sound)
    sound[100] = 0
    assert recognizer.transcribe_samples(broken) == recognizer.transcribe_samples(sound)
    assert "set to 0: 1" in caplog.text


def test_no_recordings_give_no_results():
    assert list(listener().transcribe_many([])) == []


def test_progress_adds_up_to_the_length_of_what_was_recognised():
    done = []
    sources = [wav(play("-" * 1600)), "missing.wav", wav(play("-" * 10))]
    list(listener().transcribe_many(sources, progress=done.append))
    assert sum(done) == pytest.approx(1610 * STEP_S)
    assert len(done) > 2


def test_a_flaw_is_told_to_the_caller():
    told = []
    whole = wav(play("-a-|-" + "-" * 50)).getvalue()
    transcript = listener().transcribe(io.BytesIO(whole[: len(whole) // 2]), warn=told.append)
    assert transcript.text == "a"
    assert len(told) == 1
    assert "cut short" in told[0]
