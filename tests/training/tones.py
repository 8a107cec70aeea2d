"""Speech that a tiny network learns in seconds: every letter is a tone of its own."""

from __future__ import annotations

import numpy as np
import soundfile

from asr.audio.features import FeatureConfig
from asr.data.manifest import write_manifest
from asr.models import BiLSTMConfig
from asr.training.config import ChunkConfig, DataConfig, OptimConfig, RunConfig
from asr.types import Utterance

SAMPLE_RATE = 16000
VOCABULARY = ("<blank>", "|", "a", "b", "c")
TONES_HZ = {"a": 400.0, "b": 1000.0, "c": 2500.0}
LETTER_S, GAP_S = 0.12, 0.08
TEXTS = ("abc", "cab", "bca ab", "a cc b", "bb", "c a c")
PHONE_OF = {"a": "AA", "b": "B", "c": "K"}
UNKNOWN_WORD = "cc"
"""Of which the lexicon does not know how it is said."""


def duration_of(text):
    """Seconds of what `speak` makes."""
    return len(text) * (LETTER_S + GAP_S)


def speak(text):
    """float32 samples: a tone for each letter, faint noise for a space and between letters."""
    samples = 0.003 * np.random.default_rng(0).standard_normal(
        round(duration_of(text) * SAMPLE_RATE)
    )
    time = np.arange(round(LETTER_S * SAMPLE_RATE)) / SAMPLE_RATE
    for place, letter in enumerate(text):
        start = round(duration_of(text[:place]) * SAMPLE_RATE)
        if letter in TONES_HZ:
            tone = 0.3 * np.sin(2 * np.pi * TONES_HZ[letter] * time)
            samples[start : start + len(time)] += tone
    return samples.astype(np.float32)


def record(folder, texts=TEXTS, name="manifest"):
    """The texts as recordings u0.wav, u1.wav, ... and the path of a manifest of them."""
    folder.mkdir(parents=True, exist_ok=True)
    utterances = []
    for number, text in enumerate(texts):
        audio = folder / f"u{number}.wav"
        soundfile.write(audio, speak(text), SAMPLE_RATE)
        utterances.append(Utterance(f"u{number}", audio, text, duration_of(text)))
    write_manifest(utterances, folder / f"{name}.jsonl")
    return folder / f"{name}.jsonl"


def write_lexicon(folder, texts=TEXTS):
    """A phone for each letter of all words but one, and the path."""
    words = sorted({word for text in texts for word in text.split()} - {UNKNOWN_WORD})
    lines = [f"{word} {' '.join(PHONE_OF[letter] for letter in word)}\n" for word in words]
    (folder / "lexicon.txt").write_text("".join(lines))
    return folder / "lexicon.txt"


def tiny_config(
    folder,
    texts=TEXTS,
    *,
    workers=0,
    teacher=None,
    phones=False,
    join_probability=0.0,
    augment=None,
    chunk_probability=0.0,
    **train,
):
    """A run over recordings of the texts, trained and validated on the same."""
    manifest = record(folder / "speech", texts)
    defaults = {
        "epochs": 2,
        "batch_s": 4.0,
        "lr": 1e-2,
        "warmup_steps": 2,
        "precision": "fp32",
        "ema_decay": 0.9,
        "threads": 1,
    }
    sections = {"teacher": teacher} if teacher else {}
    return RunConfig(
        data=DataConfig(
            train=(manifest,),
            valid=(manifest,),
            lexicon=write_lexicon(folder, texts) if phones else None,
            cache_dir=folder / "cache",
            workers=workers,
            join_probability=join_probability,
        ),
        features=FeatureConfig(n_mels=24),
        augment=augment,
        model=BiLSTMConfig(
            layers=1, hidden=16, dropout=0.1, conv_channels=4, phone_layer=1 if phones else None
        ),
        vocabulary=VOCABULARY,
        chunks=ChunkConfig(
            probability=chunk_probability, core_s=(0.1, 0.3), look_ahead_s=(0.0, 0.2)
        ),
        train=OptimConfig(**(defaults | train)),
        **sections,
    )
