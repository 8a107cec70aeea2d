"""What is explained is what the recogniser does, and only what was asked for."""

import io

import numpy as np
import pytest
import soundfile
import torch

from asr.decoding import BeamConfig, BeamDecoder
from asr.errors import AudioError, ConfigError, TokenizerError
from asr.insight.explain import MAX_S, Clip, explain, pick_word, read_clip
from asr.tokenizer import Tokenizer
from asr.types import Word

from ..training.tones import SAMPLE_RATE
from .tiny import LEXICON, PHONES, VOCABULARY, clip_of, explained, phone_decoder, tiny_recognizer

RAMP = np.arange(0, 40 * SAMPLE_RATE, dtype=np.float32) / (40 * SAMPLE_RATE)
"""Forty seconds in which every sample tells its place."""


def recording(seconds):
    file = io.BytesIO()
    soundfile.write(file, RAMP[: round(seconds * SAMPLE_RATE)], SAMPLE_RATE, format="WAV",
                    subtype="FLOAT")  # fmt: skip
    file.seek(0)
    file.name = "ramp.wav"
    return file


def where(clip):
    """The first second of the recording that a clip has, and its last."""
    return clip.samples[0] * 40, clip.samples[-1] * 40


@pytest.mark.parametrize("config", [{}, {"phones": True}, {"cell": "gru"}])
def test_the_explained_text_is_the_recognisers(config):
    recognizer = tiny_recognizer(seed=3, **config)
    clip = clip_of()
    found = explain(recognizer, clip)
    transcript = recognizer.transcribe_samples(clip.samples)
    assert " ".join(word.text for word in found.words) == transcript.text != ""
    expected = recognizer.emissions(clip.samples)
    torch.testing.assert_close(found.emissions.log_probs, expected.log_probs, rtol=0, atol=1e-5)
    assert (found.emissions.phones is None) == ("phones" not in config)


def test_every_part_is_there_and_fits_the_others():
    recognizer, found = explained(words=["1"], reference="abc cab")
    num_cells = 2 * len(recognizer.checkpoint.model.layers)
    assert len(found.cells) == len(found.pointed) == len(found.memory.own) == num_cells
    assert len(found.gradients) == len(found.words)
    assert set(found.integrated) == {0}
    assert all(a.values.shape == found.log_mel.shape for a in found.gradients)
    assert {len(signal) for signal in found.signals.values()} == {len(found.emissions)}
    assert found.comparison.words == ("abc", "cab")


def test_greedy_words_are_explained_by_their_letters():
    _, found = explained()
    assert found.evidence == "letters"
    scores = [np.exp(attribution.score) for attribution in found.gradients]
    assert scores == pytest.approx([word.confidence for word in found.words], rel=1e-4)


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_words_found_by_phones_are_explained_by_their_phones(weight):
    _, found = explained(phones=True, decoder=phone_decoder(letter_weight=weight))
    assert found.evidence == "phones"
    assert len(found.words) == len(found.targets) == len(found.gradients) > 0
    assert {target.kind for target in found.targets} == {"phones"}
    log_probs = found.emissions.phones
    for word, target, attribution in zip(found.words, found.targets, found.gradients, strict=True):
        spoken = tuple(PHONES[token] for token in target.tokens)
        assert spoken in LEXICON.pronunciations[word.text]
        heard = log_probs[list(target.steps), list(target.tokens)].mean()
        assert attribution.score == pytest.approx(float(heard), abs=1e-4)


def test_words_that_a_search_over_phones_took_from_letters_are_explained_by_them():
    # "abc" has three letters and two phones; in two steps no candidate can be spelled.
    clip = Clip("short.wav", clip_of().samples[: SAMPLE_RATE // 20], SAMPLE_RATE)
    found = explain(tiny_recognizer(phones=True, decoder=phone_decoder()), clip)
    assert len(found.emissions) <= 2
    assert found.evidence == "letters"


def test_progress_only_goes_forward():
    seen = []
    explained(stage=lambda name, part: seen.append((name, part)))
    parts = [part for _, part in seen]
    assert parts == sorted(parts)
    assert 0 <= parts[0] <= parts[-1] < 1
    assert {"gates", "memory", "saliency"} <= {name for name, _ in seen}


@pytest.mark.parametrize("samples", [np.zeros(16000), np.zeros(3), np.full(100, 0.1)])
def test_silence_and_a_handful_of_samples_can_be_explained(samples):
    clip = Clip("short.wav", samples.astype(np.float32), SAMPLE_RATE)
    found = explain(tiny_recognizer(seed=1), clip, reference="ab")
    assert len(found.gradients) == len(found.words)


def test_nothing_is_written_where_the_decoder_finds_no_word():
    decoder = BeamDecoder(Tokenizer(VOCABULARY), BeamConfig(word_score=-1e3), None, ["abc"])
    found = explain(tiny_recognizer(decoder=decoder), clip_of())
    assert (found.words, found.gradients, found.integrated) == ((), (), {})


def test_a_reference_is_normalised_as_training_text_is():
    _, found = explained(reference="  ABC, CaB! ")
    assert found.comparison.words == ("abc", "cab")
    with pytest.raises(TokenizerError, match="'x'"):
        explained(reference="xyz")


WORDS = [Word("one", 0, 1, 0.9), Word("two", 1, 2, 0.4), Word("two", 2, 3, 0.6)]


@pytest.mark.parametrize(("wanted", "number"), [(None, 1), ("1", 0), ("3", 2), ("Two", 1)])
def test_a_word_is_meant_by_number_or_text_and_the_least_certain_by_nothing(wanted, number):
    assert pick_word(WORDS, wanted) == number


@pytest.mark.parametrize("wanted", ["0", "4", "three", "-1"])
def test_a_word_that_is_not_there_is_refused_with_those_that_are(wanted):
    with pytest.raises(ConfigError, match=wanted) as caught:
        pick_word(WORDS, wanted)
    assert caught.value.hint == "there are: 1:one 2:two 3:two"


def test_of_no_words_none_is_picked():
    assert pick_word([], None) is None
    with pytest.raises(ConfigError, match="no word"):
        pick_word([], "1")


def test_a_short_recording_is_read_whole():
    clip = read_clip(recording(3), SAMPLE_RATE, None, None)
    assert (clip.duration_s, clip.start_s, clip.note) == (3, 0, "")


def test_of_a_long_recording_the_first_half_minute_is_taken_and_this_is_said():
    clip = read_clip(recording(40), SAMPLE_RATE, None, None)
    assert clip.duration_s == MAX_S
    assert where(clip) == pytest.approx((0, 30), abs=0.001)
    assert clip.note == (
        "only 0 to 30 s are explained, 30 s at most; choose others with --from and --to"
    )


def test_exactly_half_a_minute_is_not_long():
    assert read_clip(recording(30), SAMPLE_RATE, None, None).note == ""


def test_a_stretch_is_cut_out_to_the_sample():
    clip = read_clip(recording(40), SAMPLE_RATE, 12.5, 14.25)
    assert (clip.duration_s, clip.start_s, clip.note) == (1.75, 12.5, "")
    assert where(clip) == pytest.approx((12.5, 14.25), abs=0.001)


def test_a_stretch_that_is_too_long_or_ends_late_is_cut_short():
    clip = read_clip(recording(40), SAMPLE_RATE, 2, 39)
    assert where(clip) == pytest.approx((2, 32), abs=0.001)
    assert clip.note == "only 2 to 32 s are explained, 30 s at most"
    clip = read_clip(recording(5), SAMPLE_RATE, 2, 39)
    assert (clip.duration_s, clip.note) == (3, "")


@pytest.mark.parametrize(("start", "end"), [(3, 3), (5, 2), (-1, None), (-2, -1)])
def test_a_stretch_that_is_none_is_refused(start, end):
    with pytest.raises(ConfigError, match="is no stretch"):
        read_clip(recording(9), SAMPLE_RATE, start, end)


def test_a_stretch_behind_the_end_is_refused_with_the_length():
    with pytest.raises(AudioError, match=r"from 9 s on: it has 5.00 s"):
        read_clip(recording(5), SAMPLE_RATE, 9, None)
