"""Sentences read by many synthetic voices: one more corpus to train on.

What is random is a function of a seed and an utterance's number, so that an interrupted run goes
on as if it had not been.

Every utterance has a voice of its own, so that the network does not learn what the voices of the
synthesis have in common with nobody else. Training on synthetic speech beside recordings:
Rossenbach et al. 2020, "Generating synthetic audio data for attention-based speech recognition
systems".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from asr.data.manifest import read_manifest, write_manifest
from asr.errors import CheckpointError, ManifestError
from asr.lexicon.accents import draw_accents, say_with
from asr.lexicon.files import Pronunciations
from asr.lexicon.kokoro import MOST_PHONEMES, phonemes, token_ids
from asr.systems.protocol import import_optional
from asr.types import Utterance

__all__ = ["Reader", "VoiceMixer", "open_kokoro", "read_aloud", "read_voices", "write_corpus"]

SAMPLE_RATE = 16000
KOKORO_RATE = 24000
_STYLE = 256
_SAVE_EVERY = 50
_MANY_WORDS = 28
_AFTER_PAUSES = ("and", "but", "which", "when", "or", "who", "where", "for", "as")

Floats = npt.NDArray[np.float32]
Speaker = Callable[[list[int], Floats, float], Floats]
"""Numbers of phonemes, a style (256,) and a tempo to samples at 24 kHz."""


class VoiceMixer:
    """Draws voices that nobody has, out of those there are.

    The first half of a style is the timbre and the second the prosody (Li et al. 2023, "StyleTTS
    2"); they are drawn apart. Timbres have the mean and the covariance of those there are, for
    mixtures of a few of them soon teach nothing new (EXPERIMENTS.md).
    """

    def __init__(self, voices: Mapping[str, Floats]) -> None:
        """Take styles (lengths, 256) by name; English ones have names with a or b in front.

        Raises:
            ManifestError: None of them is English.
        """
        names = sorted(voices)
        self._styles = (
            np.stack([voices[name] for name in names]) if names else np.zeros((0, 1, 256))
        )
        self._all = np.arange(len(names))
        self._english = np.array([i for i, name in enumerate(names) if name[0] in "ab"], int)
        if not len(self._english):
            raise ManifestError("no English voices among those given", "such as af_heart.bin")
        self._middle = self._styles.mean(axis=0)

    def draw(self, rng: np.random.Generator) -> Floats:
        """A style for every length, (lengths, 256)."""
        timbre = self._draw(rng)
        prosody = self._mix(rng, self._english if rng.random() < 0.8 else self._all)
        return np.concatenate([timbre[:, :128], prosody[:, 128:]], axis=1).astype(np.float32)

    def _draw(self, rng: np.random.Generator) -> npt.NDArray[Any]:
        """A normal draw, put somewhat nearer to the mean or farther from it."""
        weights = rng.normal(size=len(self._styles)) / np.sqrt(len(self._styles))
        drawn = np.tensordot(weights, self._styles - self._middle, axes=1)
        placed: npt.NDArray[Any] = self._middle + rng.uniform(0.7, 1.35) * drawn
        return placed

    def _mix(self, rng: np.random.Generator, among: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A mean of up to three, put somewhat nearer to the mean of all or farther from it."""
        count = min(len(among), int(rng.choice([1, 2, 3], p=[0.25, 0.45, 0.3])))
        chosen = rng.choice(among, size=count, replace=False)
        mixed = np.tensordot(rng.dirichlet(np.full(count, 0.8)), self._styles[chosen], axes=1)
        placed: npt.NDArray[Any] = self._middle + rng.uniform(0.9, 1.15) * (mixed - self._middle)
        return placed


class Passage(NamedTuple):
    """What is read, as words and as phonemes."""

    text: str
    phonemes: str


class Reader:
    """Draws passages of one to three sentences with marks, some of them with an accent."""

    def __init__(self, sentences: Sequence[str], dictionary: Pronunciations) -> None:
        """Keep the sentences of 4 to 26 words that are all in the dictionary.

        Raises:
            ManifestError: There are none.
        """
        self._dictionary = dictionary
        split = (sentence.split() for sentence in sentences)
        self._sentences = [
            words for words in split if 4 <= len(words) <= 26 and dictionary.keys() >= set(words)
        ]
        if not self._sentences:
            raise ManifestError("no sentence of 4 to 26 words that are all in the dictionary")

    def draw(self, rng: np.random.Generator) -> Passage:
        """A passage that Kokoro can say at once."""
        while True:
            passage = self._draw(rng)
            if len(passage.phonemes) <= MOST_PHONEMES:
                return passage

    def _draw(self, rng: np.random.Generator) -> Passage:
        chosen: list[list[str]] = []
        for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))):
            chosen.append(self._sentences[rng.integers(len(self._sentences))])
            if sum(map(len, chosen)) > _MANY_WORDS:
                break
        said = [self._say(words, rng) + rng.choice(list("....!?;")) for words in chosen]
        spoken = " ".join(said)
        for accent in draw_accents(rng):
            spoken = say_with(accent, spoken)
        return Passage(" ".join(word for words in chosen for word in words), spoken)

    def _say(self, words: Sequence[str], rng: np.random.Generator) -> str:
        said: list[str] = []
        for place, word in enumerate(words):
            pause = 0.25 if word in _AFTER_PAUSES else 0.02
            if place > 1 and rng.random() < pause:
                said[-1] += ","
            said.append(phonemes(word, self._dictionary[word][0]))
        return " ".join(said)


def read_aloud(speak: Speaker, passage: Passage, style: Floats, rng: np.random.Generator) -> Floats:
    """A passage at a random tempo and level, samples at 16 kHz."""
    ids = token_ids(passage.phonemes)
    tempo = float(np.exp(rng.uniform(np.log(0.8), np.log(1.45))))
    spoken = speak(ids, style[min(len(ids), len(style)) - 1], tempo)
    samples: Floats = soxr.resample(spoken, KOKORO_RATE, SAMPLE_RATE)
    loudest = max(float(np.abs(samples).max()), 1e-3)
    return samples * np.float32(rng.uniform(0.15, 0.95) / loudest)


def write_corpus(
    speak: Speaker,
    mixer: VoiceMixer,
    reader: Reader,
    out: Path,
    hours: float,
    seed: int = 0,
    progress: Callable[[float], None] = lambda part: None,
) -> float:
    """Synthesise until there are so many hours, and write recordings and manifest.jsonl.

    `progress` is told which part is done. Returns the hours that there are.

    Raises:
        ManifestError: The manifest cannot be written, or what is there is none.
        OSError: The folder cannot be made.
    """
    manifest = out / "manifest.jsonl"
    utterances = list(read_manifest(manifest)) if manifest.exists() else []
    (out / "audio").mkdir(parents=True, exist_ok=True)
    total = sum(utterance.duration or 0.0 for utterance in utterances) / 3600
    while total < hours:
        utterance = _utterance(speak, mixer, reader, out, seed, len(utterances))
        utterances.append(utterance)
        total += (utterance.duration or 0.0) / 3600
        progress(min(total / hours, 1.0))
        if len(utterances) % _SAVE_EVERY == 0 or total >= hours:
            write_manifest(utterances, manifest)
    return total


def _utterance(
    speak: Speaker, mixer: VoiceMixer, reader: Reader, out: Path, seed: int, number: int
) -> Utterance:
    rng = np.random.default_rng((seed, number))
    passage = reader.draw(rng)
    samples = read_aloud(speak, passage, mixer.draw(rng), rng)
    name = f"kokoro-{seed}-{number:06d}"
    file = out / "audio" / f"{name}.flac"
    soundfile.write(file, samples, SAMPLE_RATE)
    return Utterance(name, file, passage.text, len(samples) / SAMPLE_RATE, name)


def open_kokoro(path: Path) -> Speaker:
    """An ONNX file of Kokoro-82M (Apache 2.0) whose inputs are `tokens`, `style` and `speed`.

    Raises:
        ConfigError: onnxruntime is not installed.
        CheckpointError: It is no such file.
    """
    onnxruntime = import_optional("onnxruntime", "onnxruntime", "synthesis")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file", "needed: an ONNX file of Kokoro-82M")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        raise CheckpointError(f"{path}: not an ONNX file: {error}") from error
    names = sorted(node.name for node in session.get_inputs())
    if names != ["speed", "style", "tokens"]:
        raise CheckpointError(
            f"{path}: takes {', '.join(names)}", "needed: Kokoro's tokens, style and speed"
        )

    def speak(ids: list[int], style: Floats, tempo: float) -> Floats:
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style[None],
            "speed": np.array([tempo], np.float32),
        }
        return np.asarray(session.run(None, inputs)[0], np.float32).reshape(-1)

    return speak


def read_voices(folder: Path) -> dict[str, Floats]:
    """Styles (lengths, 256) by name, out of a folder of Kokoro's voices.

    They are files of float32 named *.bin, as in the npm package kokoro-js.

    Raises:
        CheckpointError: There are none, or they are no voices.
    """
    files = sorted(folder.glob("*.bin"))
    if not files:
        raise CheckpointError(f"{folder}: no voices here (*.bin)")
    sizes = {path.stat().st_size for path in files}
    if len(sizes) > 1 or 0 in sizes or min(sizes) % (4 * _STYLE):
        raise CheckpointError(
            f"{folder}: damaged voices: files of {', '.join(map(str, sorted(sizes)))} bytes",
            f"needed: as many rows of {_STYLE} numbers (float32) in each",
        )
    return {path.stem: np.fromfile(path, np.float32).reshape(-1, _STYLE) for path in files}
