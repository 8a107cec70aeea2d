"""Our own recogniser as a system: decoded samples arrive as they were."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from asr.audio.files import read_audio
from asr.decoding import BeamConfig, GreedyDecoder
from asr.errors import AudioError
from asr.lexicon import Lexicon
from asr.systems import OwnSystem
from asr.tokenizer import Tokenizer
from asr.types import Audio, Transcript

FRONT_END = SimpleNamespace(config=SimpleNamespace(sample_rate=8000))
CHECKPOINT = SimpleNamespace(
    front_end=FRONT_END, path=Path("/models/english/model.safetensors"), content_hash="abc"
)


class Listener:
    """Reads what it is given, as the recogniser does."""

    checkpoint = CHECKPOINT
    decoder = GreedyDecoder(Tokenizer())

    def __init__(self):
        self.heard = []

    def transcribe_many(self, sources, warn):
        for source in sources:
            if isinstance(source, Path):
                yield AudioError(f"{source}: read as a file")
            else:
                audio = read_audio(source, 8000)
                self.heard.append(audio.samples)
                yield Transcript(str(len(audio.samples)), (), audio.duration)


def test_samples_reach_the_recogniser_bit_for_bit_and_long_files_as_files():
    samples = np.random.default_rng(0).normal(size=1234).astype(np.float32)
    listener = Listener()
    system = OwnSystem(listener)
    heard, failed = system.transcribe_many([Audio(samples, 8000), Path("long.wav")])
    assert heard.text == "1234"
    assert (listener.heard[0] == samples).all()
    assert str(failed) == "long.wav: read as a file"
    assert system.sample_rate == 8000


def test_it_is_described_by_the_content_of_its_parts(tmp_path):
    lm = tmp_path / "small" / "text.lm"
    lm.parent.mkdir()
    lm.write_bytes(b"words")
    listener = Listener()
    assert OwnSystem(listener).describe() == {
        "name": "asr",
        "model": "english/model.safetensors",
        "content_hash": "abc",
        "decoder": "GreedyDecoder",
        "decoder_config": {},
        "lm": None,
        "lm_hash": None,
        "lstm_hash": None,
        "lexicon_hash": None,
    }
    listener.decoder = SimpleNamespace(config=BeamConfig(lm_weight=0.5), lm=lm)
    described = OwnSystem(listener, "ours").describe()
    assert described["decoder_config"]["lm_weight"] == 0.5
    assert described["lm"] == "small/text.lm"
    assert described["lm_hash"] == hashlib.sha256(b"words").hexdigest()
    assert described["name"] == "ours"
    assert described["lexicon_hash"] is None
    assert described["lstm_hash"] is None
    lm.with_suffix(".lstm").write_bytes(b"pieces")
    assert OwnSystem(listener).describe()["lstm_hash"] is None
    listener.decoder.lstm = "loaded"
    assert OwnSystem(listener).describe()["lstm_hash"] == hashlib.sha256(b"pieces").hexdigest()


def test_other_pronunciations_make_another_system():
    def described(pronunciations):
        listener = Listener()
        listener.decoder = SimpleNamespace(lexicon=Lexicon(pronunciations))
        return OwnSystem(listener).describe()

    first = {"a": [("AH",)], "b": [("B", "IY")]}
    assert described(first) == described(dict(reversed(first.items())))
    assert described(first) != described(first | {"a": [("EY",)]})
    assert described(first) != described({"a": first["a"]})
