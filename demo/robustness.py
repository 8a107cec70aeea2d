"""Our model where sound is worse than its recordings: noise, voices, rooms, telephone, MP3.

    pip install -e '.[compare]'
    python demo/robustness.py dev.jsonl --most 100

The same utterances under each condition, against the same texts. Voices behind the speaker,
clipping and MP3 are made as training makes them (of recordings that it does not have). The rest
is not: training's noises are recorded ones, its rooms statistical and its telephone only takes
away what is above 4 kHz; these noises are computed, these rooms have walls (pyroomacoustics,
image-source method of Allen and Berkley 1979), and the telephone takes the bass as well and codes
what is left. Intervals are 95 % bootstraps by speaker.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.signal
import torch
from torchaudio.functional import mu_law_decoding, mu_law_encoding

import asr
from asr.audio.codecs import through_mp3
from asr.audio.files import read_audio
from asr.data.manifest import read_manifest
from asr.errors import AsrError
from asr.evaluation import evaluate
from asr.systems import OwnSystem
from asr.systems.protocol import Recording
from asr.types import Audio, Transcript, Utterance

Samples: TypeAlias = npt.NDArray[np.float32]
Change: TypeAlias = Callable[[Samples, int, np.random.Generator], Samples]
"""Samples, their rate (Hz) and what chooses, to other samples of the same length."""


def main() -> None:
    """Print a table in Markdown, a line as soon as each condition is done."""
    options = _options()
    utterances = read_manifest(options.manifest, need_text=True)
    count = min(options.most or len(utterances), len(utterances))
    chosen = [utterances[i * len(utterances) // count] for i in range(count)]
    recognizer = asr.load(decoder=options.decoder)
    print("| condition | WER | 95 % interval |\n|---|---|---|")
    for name, change in conditions(_voices(utterances)).items():
        result = evaluate(Changed(OwnSystem(recognizer), name, change), chosen)
        low, high = result.interval
        print(f"| {name} | {result.report.wer:.1%} | {low:.1%} to {high:.1%} |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--decoder", help="greedy or beam")
    parser.add_argument("--most", type=int, help="take this many utterances, evenly spread")
    return parser.parse_args()


class Changed:
    """A recogniser that hears every recording changed; the same change for the same place."""

    def __init__(self, system: OwnSystem, name: str, change: Change) -> None:
        self.system, self.name, self.change = system, name, change
        self.sample_rate = system.sample_rate

    def describe(self) -> dict[str, Any]:
        """As the recogniser itself, and the condition."""
        return self.system.describe() | {"condition": self.name}

    def transcribe_many(self, recordings: Iterable[Recording]) -> Iterator[Transcript | AsrError]:
        """Results in order."""
        return self.system.transcribe_many(map(self._changed, recordings, range(2**31)))

    def _changed(self, recording: Recording, number: int) -> Audio:
        audio = (
            recording if isinstance(recording, Audio) else read_audio(recording, self.sample_rate)
        )
        rng = np.random.default_rng(number)
        return replace(audio, samples=self.change(audio.samples, audio.sample_rate, rng))


def conditions(voices: list[Samples]) -> dict[str, Change]:
    """All of them, by name; `voices` are utterances to be heard behind the recording."""
    return {
        "as it is": lambda samples, rate, rng: samples,
        **{f"pink noise, {snr} dB": partial(_noisy, snr_db=snr) for snr in (20, 10, 5)},
        **{f"four voices, {snr} dB": partial(_among, voices, snr_db=snr) for snr in (20, 10)},
        "room of 4 x 5 m, 1 m away": partial(_in_a_room, size=(4, 5, 2.7), away_m=1, rt60_s=0.35),
        "hall of 8 x 12 m, 3 m away": partial(_in_a_room, size=(8, 12, 4), away_m=3, rt60_s=0.8),
        "telephone (300 to 3,400 Hz, mu-law)": _telephone,
        "30 dB too loud, clipped": _clipped,
        "MP3, 16 kbit/s": lambda samples, rate, rng: through_mp3(samples, rate, 16),
    }


def _voices(utterances: list[Utterance]) -> list[Samples]:
    step = max(1, len(utterances) // 40)
    return [read_audio(one.audio, 16_000).samples for one in utterances[step // 2 :: step]]


def add(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """Noise of the same length at a signal-to-noise ratio over the whole."""
    power, noise_power = np.mean(samples**2), np.mean(noise**2)
    gain = np.sqrt(power / max(noise_power, 1e-12) / 10 ** (snr_db / 10))
    mixed: Samples = (samples + gain * noise).astype(np.float32)
    return mixed


def pink(length: int, rng: np.random.Generator) -> Samples:
    """Noise whose power falls by 3 dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    return np.fft.irfft(spectrum, length).astype(np.float32)


def _noisy(samples: Samples, rate: int, rng: np.random.Generator, snr_db: float) -> Samples:
    return add(samples, pink(len(samples), rng), snr_db)


def _among(
    voices: list[Samples], samples: Samples, rate: int, rng: np.random.Generator, snr_db: float
) -> Samples:
    others = [voice for voice in voices if not np.array_equal(voice, samples)]
    chosen = rng.choice(len(others), size=4, replace=len(others) < 4)
    behind = sum(np.resize(others[i] / (np.std(others[i]) + 1e-9), len(samples)) for i in chosen)
    return add(samples, np.asarray(behind, np.float32), snr_db)


def _in_a_room(
    samples: Samples,
    rate: int,
    rng: np.random.Generator,
    size: tuple[float, float, float],
    away_m: float,
    rt60_s: float,
) -> Samples:
    import pyroomacoustics  # not needed by anything else

    absorption, order = pyroomacoustics.inverse_sabine(rt60_s, size)
    room = pyroomacoustics.ShoeBox(
        size, fs=rate, materials=pyroomacoustics.Material(absorption), max_order=order
    )
    mouth = np.array([size[0] / 2, size[1] / 3, 1.5])
    angle = rng.uniform(0, np.pi)  # the microphone is in the larger half of the room
    room.add_source(mouth, signal=samples)
    room.add_microphone(mouth + away_m * np.array([np.cos(angle), np.sin(angle), 0]))
    room.simulate()
    heard: Samples = room.mic_array.signals[0, : len(samples)].astype(np.float32)
    return np.asarray(heard * (np.std(samples) / (np.std(heard) + 1e-12)), np.float32)


def _telephone(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:
    band = scipy.signal.butter(4, (300, 3400), "bandpass", fs=rate, output="sos")
    narrow = torch.from_numpy(
        scipy.signal.sosfilt(band, samples).astype(np.float32)[:: rate // 8000]
    )
    coded = mu_law_decoding(mu_law_encoding(narrow.clamp(-1, 1), 256), 256)
    wide = scipy.signal.resample_poly(coded.numpy(), rate // 8000, 1)
    return np.resize(wide.astype(np.float32), len(samples))


def _clipped(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:
    return np.clip(samples * 10 ** (30 / 20), -1, 1).astype(np.float32)


if __name__ == "__main__":
    main()
