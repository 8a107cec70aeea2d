"""A system that says what was planned for a recording, which it knows by its length."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import soundfile

from asr.audio.files import read_audio
from asr.errors import AsrError
from asr.types import Segment, Transcript, Utterance, Word

RATE = 16000


class Planned:
    """Takes recordings in batches of two and gives a transcript with word times for each."""

    sample_rate = RATE

    def __init__(self, texts, name="planned", stop_after=None):
        """Store the plan: number of samples to text, or to None for what cannot be recognised."""
        self.texts = texts
        self.name = name
        self.stop_after = stop_after
        self.heard = []

    def describe(self):
        return {"name": self.name, "plan": sorted(map(str, self.texts.values()))}

    def transcribe_many(self, recordings):
        recordings = iter(recordings)
        while batch := list(islice(recordings, 2)):
            for recording in batch:
                if len(self.heard) == self.stop_after:
                    raise KeyboardInterrupt
                yield self._transcribe(recording)

    def _transcribe(self, recording):
        audio = read_audio(recording) if isinstance(recording, Path) else recording
        self.heard.append(len(audio.samples))
        text = self.texts[len(audio.samples)]
        if text is None:
            return AsrError("cannot be recognised")
        words = tuple(Word(word, i / 7, (i + 1) / 7, 2 / 3) for i, word in enumerate(text.split()))
        segments = (Segment(text, 0.0, words[-1].end, words),) if words else ()
        return Transcript(text, segments, audio.duration)


def record(folder, name, num_samples, noise=0.0):
    """Write a recording; gives its path."""
    path = folder / f"{name}.wav"
    samples = np.random.default_rng(0).normal(size=num_samples) * noise
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return path


def corpus(folder, references, **changes):
    """Utterances of 1000, 1001, ... samples with these references, by name."""
    return [
        Utterance(name, record(folder, name, 1000 + i), text, **changes)
        for i, (name, text) in enumerate(references.items())
    ]


def plan(texts):
    """The texts of a corpus, for `Planned`."""
    return {1000 + i: text for i, text in enumerate(texts)}
