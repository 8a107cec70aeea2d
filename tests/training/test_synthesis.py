"""Voices, passages and the corpus that is made of them, with a speaker that hums."""

from unittest.mock import patch

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr.data.manifest import read_manifest
from asr.errors import CheckpointError, ManifestError
from asr.lexicon.kokoro import token_ids
from asr.training import synthesis
from asr.training.synthesis import (
    Passage,
    Reader,
    VoiceMixer,
    open_kokoro,
    read_aloud,
    read_voices,
    write_corpus,
)

from .kokoro import write_kokoro

DICTIONARY = {
    "we": [("W", "IY1")],
    "see": [("S", "IY1")],
    "and": [("AE1", "N", "D")],
    "hear": [("HH", "IY1", "R")],
    "birds": [("B", "ER1", "D", "Z")],
}
SENTENCES = ["we see and hear birds", "we hear birds and see birds and we see"]
RNG = np.random.default_rng


def voices(**levels):
    """Styles for lengths up to 3 that are one number everywhere."""
    return {name: np.full((3, 256), level, np.float32) for name, level in levels.items()}


def hum(ids, style, tempo):
    """As long as the text, and as loud as the style says."""
    length = round(len(ids) * 2400 / tempo)
    return (style[0] * np.sin(np.arange(length) / 10)).astype(np.float32)


@given(st.integers(0, 1000))
def test_a_prosody_is_at_most_so_far_from_the_middle_as_the_farthest_stretched(seed):
    style = VoiceMixer(voices(af_a=1.0, bm_b=3.0, zf_c=8.0)).draw(RNG(seed))
    assert style.shape == (3, 256)
    assert style[:, 128:].min() >= 4 + 1.15 * (1 - 4) - 1e-5
    assert style[:, 128:].max() <= 4 + 1.15 * (8 - 4) + 1e-5


def test_timbres_have_the_mean_and_the_covariance_of_those_there_are():
    given_ones = voices(af_a=1.0, bm_b=3.0, zf_c=8.0)
    for name, last in [("af_a", -2.0), ("bm_b", 5.0), ("zf_c", 0.0)]:
        given_ones[name][:, 127] = last
    rng = RNG(0)
    mixer = VoiceMixer(given_ones)
    drawn = np.array([mixer.draw(rng)[0, [0, 127]] for _ in range(4000)])
    # A scale of uniform(0.7, 1.35) has a mean square of (1.35^3 - 0.7^3) / (3 * 0.65).
    expected = np.cov([[1.0, 3.0, 8.0], [-2.0, 5.0, 0.0]], bias=True) * 1.0858
    np.testing.assert_allclose(drawn.mean(axis=0), [4.0, 1.0], atol=0.2)
    np.testing.assert_allclose(np.cov(drawn.T), expected, atol=0.5)


def test_timbre_and_prosody_are_drawn_apart():
    mixer = VoiceMixer(voices(af_a=1.0, bm_b=3.0))
    styles = [mixer.draw(RNG(seed)) for seed in range(20)]
    for style in styles:
        assert (style[:, :128] == style[0, 0]).all()
        assert (style[:, 128:] == style[0, 128]).all()
    assert all(style[0, 0] != style[0, 128] for style in styles)
    assert len({float(style[0, 0]) for style in styles}) == 20


def test_a_single_voice_is_itself():
    assert (VoiceMixer(voices(af_a=2.0)).draw(RNG(0)) == 2.0).all()


def test_without_an_english_voice_there_is_none():
    with pytest.raises(ManifestError, match="English"):
        VoiceMixer(voices(zf_c=1.0))
    with pytest.raises(ManifestError, match="English"):
        VoiceMixer({})


@given(st.integers(0, 1000))
def test_a_passage_is_whole_sentences_and_says_what_it_is(seed):
    reader = Reader([*SENTENCES, "unknown words are left out"], DICTIONARY)
    with patch.object(synthesis, "draw_accents", return_value=[]):
        passage = reader.draw(RNG(seed))
    rest = passage.text
    while rest:
        rest = next(rest.removeprefix(s) for s in SENTENCES[::-1] if rest.startswith(s)).strip()
    assert token_ids(passage.phonemes)
    said = passage.phonemes.translate(str.maketrans("", "", ",.!?;")).split()
    expected = {"we": "wi", "see": "sˈi", "and": "ænd", "hear": "hˈiɹ", "birds": "bˈɜɹdz"}
    assert said == [expected[word] for word in passage.text.split()]
    assert passage.phonemes[-1] in ".!?;"


def test_all_of_a_passage_has_the_accents_that_are_drawn():
    reader = Reader(["we hear birds here"], {**DICTIONARY, "here": [("HH", "IY1", "R")]})
    with patch.object(synthesis, "draw_accents", return_value=["dropped h", "w as v"]):
        passage = reader.draw(RNG(0))
    assert passage.text.startswith("we hear birds here")
    said = passage.phonemes.translate(str.maketrans("", "", ",.!?;")).split()
    assert said[:4] == ["vi", "ˈiɹ", "bˈɜɹdz", "ˈiɹ"]


def test_passages_too_long_for_the_synthesis_are_drawn_again(monkeypatch):
    monkeypatch.setattr(synthesis, "MOST_PHONEMES", 30)
    reader = Reader(SENTENCES, DICTIONARY)
    assert {reader.draw(RNG(seed)).text for seed in range(30)} == {SENTENCES[0]}


def test_sentences_that_cannot_be_said_are_refused():
    for sentences in ([], ["we see"], ["we see and hear dragons"], ["we " * 27]):
        with pytest.raises(ManifestError, match="4 to 26 words"):
            Reader(sentences, DICTIONARY)


@given(st.integers(0, 1000))
def test_tempo_and_level_are_within_their_limits(seed):
    heard = {}

    def speak(ids, style, tempo):
        heard["tempo"] = tempo
        return hum(ids, style, tempo)

    passage = Passage("we see", "wi sˈi.")
    samples = read_aloud(speak, passage, np.ones((3, 256), np.float32), RNG(seed))
    assert 0.8 <= heard["tempo"] <= 1.45
    assert 0.15 <= np.abs(samples).max() <= 0.951
    # 7 phonemes of 0.1 s.
    assert len(samples) / 16_000 == pytest.approx(0.7 / heard["tempo"], abs=0.001)
    assert samples.dtype == np.float32


def test_the_style_is_that_for_the_number_of_phonemes():
    heard = []

    def speak(ids, style, tempo):
        heard.append(float(style[0]))
        return hum(ids, style, tempo)

    styles = np.arange(1, 4, dtype=np.float32)[:, None].repeat(256, axis=1)
    for said in ("b", "bb", "bbbbb"):
        read_aloud(speak, Passage("", said), styles, RNG(0))
    assert heard == [1.0, 2.0, 3.0]  # one for the longest, too


def test_a_corpus_that_was_interrupted_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    monkeypatch.setattr(synthesis, "_SAVE_EVERY", 1)
    mixer, reader = VoiceMixer(voices(af_a=1.0, bm_b=3.0)), Reader(SENTENCES, DICTIONARY)
    hours, parts_done = 40 / 3600, []
    total = write_corpus(hum, mixer, reader, tmp_path / "whole", hours, 0, parts_done.append)
    assert parts_done == sorted(parts_done)
    assert parts_done[-1] == 1.0
    left = 3

    def stopped(ids, style, tempo):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return hum(ids, style, tempo)

    with pytest.raises(KeyboardInterrupt):
        write_corpus(stopped, mixer, reader, tmp_path / "parts", hours)
    write_corpus(hum, mixer, reader, tmp_path / "parts", hours)
    whole, parts = (
        read_manifest(tmp_path / name / "manifest.jsonl") for name in ("whole", "parts")
    )
    assert [(u.id, u.text, u.duration) for u in whole] == [
        (u.id, u.text, u.duration) for u in parts
    ]
    assert sum(u.duration for u in whole[:-1]) < 40 <= sum(u.duration for u in whole)
    assert total == pytest.approx(sum(u.duration for u in whole) / 3600)
    assert len({u.speaker for u in whole}) == len(whole) > 4
    for one, other in zip(whole, parts, strict=True):
        assert one.audio.read_bytes() == other.audio.read_bytes()
        assert soundfile.info(one.audio).samplerate == 16_000
        assert soundfile.info(one.audio).duration == pytest.approx(one.duration)


def test_another_seed_says_other_sentences(tmp_path):
    mixer, reader = VoiceMixer(voices(af_a=1.0, bm_b=3.0)), Reader(SENTENCES, DICTIONARY)
    for seed in (0, 1):
        write_corpus(hum, mixer, reader, tmp_path / str(seed), 60 / 3600, seed)
    one, other = (list(read_manifest(tmp_path / s / "manifest.jsonl")) for s in "01")
    assert [u.text for u in one] != [u.text for u in other]
    assert not {u.id for u in one} & {u.id for u in other}


def test_a_corpus_that_is_long_enough_stays_as_it_is(tmp_path):
    mixer, reader = VoiceMixer(voices(af_a=1.0)), Reader(SENTENCES, DICTIONARY)
    write_corpus(hum, mixer, reader, tmp_path, 20 / 3600)
    before = (tmp_path / "manifest.jsonl").read_bytes()
    assert write_corpus(hum, mixer, reader, tmp_path, 10 / 3600) >= 20 / 3600
    assert (tmp_path / "manifest.jsonl").read_bytes() == before


def test_voices_are_read_from_their_files(tmp_path):
    np.arange(512, dtype=np.float32).tofile(tmp_path / "af_a.bin")
    found = read_voices(tmp_path)
    assert list(found) == ["af_a"]
    assert found["af_a"][1, 0] == 256


def test_what_are_no_voices_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no voices here"):
        read_voices(tmp_path)
    np.zeros(512, np.float32).tofile(tmp_path / "af_a.bin")
    np.zeros(256, np.float32).tofile(tmp_path / "af_b.bin")
    with pytest.raises(CheckpointError, match="damaged voices: files of 1024, 2048 bytes"):
        read_voices(tmp_path)
    for size in (0, 1000):
        for name in ("af_a", "af_b"):
            (tmp_path / f"{name}.bin").write_bytes(bytes(size))
        with pytest.raises(CheckpointError, match=f"damaged voices: files of {size} bytes"):
            read_voices(tmp_path)


def test_kokoro_is_given_marks_at_both_ends_a_style_and_a_tempo(tmp_path):
    speak = open_kokoro(write_kokoro(tmp_path / "kokoro.onnx"))
    style = np.full(256, 0.5, np.float32)
    # The stand-in gives (number + style's first) / tempo for every number that it is given.
    assert speak([3, 7], style, 2.0) == pytest.approx([0.25, 1.75, 3.75, 0.25])


def test_what_is_not_kokoro_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        open_kokoro(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("kokoro")
    with pytest.raises(CheckpointError, match="not an ONNX file"):
        open_kokoro(tmp_path / "text.onnx")
    other = write_kokoro(tmp_path / "other.onnx", tempo="pace")
    with pytest.raises(CheckpointError, match="takes pace, style, tokens"):
        open_kokoro(other)
