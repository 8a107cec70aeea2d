"""The adapter around PocketSphinx, which stands in here; the real one where it is installed."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from asr.audio.files import read_audio
from asr.errors import AsrError, ConfigError
from asr.systems.sphinx import SphinxSystem, open_sphinx
from asr.types import Audio, Word

CLIP = Path(__file__).parents[2] / "demo/clips/1272-128104-0000.mp3"


class Decoder:
    """Hears three words and a silence; keeps the samples."""

    config = {"frate": 100}  # noqa: RUF012
    logmath = SimpleNamespace(exp=math.exp)

    def __init__(self):
        self.pcm = None

    def start_utt(self):
        self.pcm = b""

    def process_raw(self, pcm, no_search, full_utt):
        assert full_utt
        self.pcm = pcm
        if pcm == b"\0\0":
            raise RuntimeError("too short")

    def end_utt(self):
        pass

    def seg(self):
        if not self.pcm:
            return None
        rows = [("<s>", 0, 9, 0), ("the(2)", 10, 19, 0), ("[NOISE]", 20, 24, 0)]
        rows += [("cat", 25, 39, math.log(0.5)), ("++UH++", 40, 41, 0), ("</s>", 42, 50, 0)]
        return [SimpleNamespace(word=w, start_frame=a, end_frame=b, prob=p) for w, a, b, p in rows]


def test_words_become_a_transcript_without_fillers_and_variants():
    decoder = Decoder()
    samples = np.array([0, 0.5, -1, 3], np.float32)
    (found,) = SphinxSystem(decoder, "5").transcribe_many([Audio(samples, 16000)])
    assert np.frombuffer(decoder.pcm, "<i2").tolist() == [0, 16383, -32767, 32767]
    assert found.text == "the cat"
    assert found.words[0] == Word("the", 0.1, 0.2, 1.0)
    assert found.words[1].end == pytest.approx(0.4)
    assert found.words[1].confidence == pytest.approx(0.5)


def test_silence_and_failures_do_not_stop_the_rest():
    system = SphinxSystem(Decoder(), "5")
    nothing, one = (Audio(np.zeros(n, np.float32), 16000) for n in (0, 1))
    empty, failed, missing = system.transcribe_many([nothing, one, Path("/none.wav")])
    assert (empty.text, empty.segments) == ("", ())
    assert str(failed) == "pocketsphinx: too short"
    assert isinstance(missing, AsrError)
    assert system.describe() == {"name": "pocketsphinx", "version": "5", "model": "en-us"}


def test_it_takes_no_model():
    with pytest.raises(ConfigError, match="takes no model"):
        open_sphinx("x")


def test_the_real_one_understands_half_of_a_sentence():
    pytest.importorskip("pocketsphinx", exc_type=ImportError)
    (found,) = open_sphinx("").transcribe_many([read_audio(CLIP)])
    said = (
        "mister quilter is the apostle of the middle classes and we are glad to welcome his gospel"
    )
    assert len(set(found.text.split()) & set(said.split())) >= 8
    assert all(word.start < word.end <= found.duration for word in found.words)
