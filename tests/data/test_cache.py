"""Decoded waveforms that come back as they were, however the decoding ended."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import soundfile

from asr.audio.files import read_audio
from asr.data.cache import WaveformCache
from asr.errors import AudioError
from asr.types import Utterance

RATE = 16000


@pytest.fixture
def corpus(tmp_path):
    """Three 16-bit recordings of different lengths, and what is in them."""
    rng = np.random.default_rng(0)
    pcm = [rng.integers(-32768, 32768, size).astype(np.int16) for size in (1600, 0, 800)]
    pcm[1] = np.array([-32768, 32767], np.int16)
    for number, samples in enumerate(pcm):
        soundfile.write(tmp_path / f"{number}.wav", samples, RATE)
    return [Utterance(str(n), tmp_path / f"{n}.wav", "") for n in range(3)], pcm


def test_sixteen_bit_recordings_come_back_exactly(corpus, tmp_path):
    utterances, pcm = corpus
    cache = WaveformCache.build(utterances, tmp_path / "cache", RATE)
    for index, samples in enumerate(pcm):
        assert cache.num_samples(index) == len(samples)
        assert cache[index].dtype == np.float32
        np.testing.assert_array_equal(cache[index] * 32768, samples.astype(np.float32))


def test_louder_than_full_scale_is_clipped_and_does_not_wrap(tmp_path):
    soundfile.write(tmp_path / "loud.wav", np.array([1.5, -1.5, 1.0], np.float32), RATE, "FLOAT")
    cache = WaveformCache.build([Utterance("a", tmp_path / "loud.wav", "")], tmp_path, RATE)
    np.testing.assert_allclose(cache[0], [1, -1, 1], atol=1 / 32768)


def test_a_recording_that_cannot_be_read_has_no_samples_and_spoils_no_other(corpus, tmp_path):
    utterances, pcm = corpus
    utterances[0].audio.write_text("not sound at all")
    utterances[1] = Utterance("gone", tmp_path / "gone.wav", "")
    cache = WaveformCache.build(utterances, tmp_path / "cache", RATE)
    assert [cache.num_samples(i) for i in range(3)] == [0, 0, len(pcm[2])]
    np.testing.assert_array_equal(cache[2] * 32768, pcm[2].astype(np.float32))
    assert len(cache[0]) == 0
    assert "0.wav: not a recording" in cache.problems[0]
    assert "gone.wav: no such file" in cache.problems[1]
    assert cache.problems[2] == ""
    assert WaveformCache.build(utterances, tmp_path / "cache", RATE).problems == cache.problems
    assert cache.subset([2, 1]).problems == ["", cache.problems[1]]


def test_a_subset_has_the_same_waveforms_under_new_positions(corpus, tmp_path):
    utterances, pcm = corpus
    cache = WaveformCache.build(utterances, tmp_path / "cache", RATE).subset([2, 0])
    np.testing.assert_array_equal(cache[0] * 32768, pcm[2].astype(np.float32))
    np.testing.assert_array_equal(cache[1] * 32768, pcm[0].astype(np.float32))


def test_a_corpus_is_decoded_once(corpus, tmp_path):
    utterances, _ = corpus
    seen = []
    for _ in range(2):
        WaveformCache.build(utterances, tmp_path / "cache", RATE, lambda *n: seen.append(n))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_recording_that_changed_is_decoded_again(corpus, tmp_path):
    utterances, _ = corpus
    WaveformCache.build(utterances, tmp_path / "cache", RATE)
    soundfile.write(utterances[0].audio, np.zeros(5, np.int16), RATE)
    assert WaveformCache.build(utterances, tmp_path / "cache", RATE).num_samples(0) == 5


def test_a_recording_that_may_be_read_again_is_decoded(corpus, tmp_path, monkeypatch):
    utterances, pcm = corpus
    refused = utterances[0].audio
    with monkeypatch.context() as patch:  # root may read everything
        patch.setattr(os, "access", lambda path, mode: path != refused)
        patch.setattr("asr.data.cache.read_audio", refusing(refused))
        assert WaveformCache.build(utterances, tmp_path / "cache", RATE).num_samples(0) == 0
    again = WaveformCache.build(utterances, tmp_path / "cache", RATE)
    assert again.num_samples(0) == len(pcm[0])


def refusing(path):
    def read(source, sample_rate):
        if source == path:
            raise AudioError(f"{path}: permission denied")
        return read_audio(source, sample_rate)

    return read


def test_decoding_that_was_interrupted_leaves_no_index_and_starts_over(corpus, tmp_path):
    utterances, pcm = corpus

    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WaveformCache.build(utterances, tmp_path / "cache", RATE, interrupt)
    assert not list((tmp_path / "cache").glob("*.json"))
    cache = WaveformCache.build(utterances, tmp_path / "cache", RATE)
    np.testing.assert_array_equal(cache[2] * 32768, pcm[2].astype(np.float32))


def test_the_index_appears_after_the_samples(corpus, tmp_path, monkeypatch):
    renamed = []
    rename = os.replace
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda self, to: (renamed.append(to.suffix), rename(self, to))
    )
    WaveformCache.build(corpus[0], tmp_path / "cache", RATE)
    assert renamed == [".pcm", ".json"]


def test_a_copy_for_another_process_leaves_the_samples_behind(corpus, tmp_path):
    utterances, pcm = corpus
    cache = WaveformCache.build(utterances * 200, tmp_path / "cache", RATE)
    assert len(cache[0]) == len(pcm[0])
    copied = pickle.dumps(cache)
    assert len(copied) < 20_000  # places of 600 utterances, not their 320,000 samples
    np.testing.assert_array_equal(pickle.loads(copied)[2], cache[2])


def test_an_interrupted_decoding_leaves_no_file(corpus, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WaveformCache.build(corpus[0], tmp_path / "cache", RATE, stop)
    assert list((tmp_path / "cache").iterdir()) == []
