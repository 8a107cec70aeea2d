"""Training-time transforms: waveforms in, waveforms out, and SpecAugment on features.

Every function draws from the generator it is given and from nothing else, so that an utterance's
variant is a function of (seed, epoch, utterance) and a resumed run sees what an uninterrupted
one would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
import numpy.typing as npt
import soxr
import torch
from pydantic import AfterValidator, Field

from asr.audio.codecs import MP3_RATES, through_mp3
from asr.audio.equalizer import equalize, random_response
from asr.audio.rooms import reverberate, room_response
from asr.config import Config, Range
from asr.errors import ConfigError

__all__ = [
    "AugmentConfig",
    "Placement",
    "WaveformAugmenter",
    "Waveforms",
    "add_noise",
    "babble",
    "spec_augment",
]

Samples = npt.NDArray[np.float32]


def _positive(ends: tuple[float, float]) -> tuple[float, float]:
    if min(ends) <= 0:
        raise ValueError("needs numbers above 0")
    return ends


_POSITIVE = AfterValidator(_positive)


class AugmentConfig(Config):
    """What is done to a training utterance, and how often (probabilities in [0, 1])."""

    speeds: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.9, 1.0, 1.1), min_length=1)
    """Ko et al. (2015); tempo and pitch change together."""
    silence_probability: float = Field(0.4, ge=0, le=1)
    """Of a silence before, between and behind the utterances of a recording, for each of them."""
    silence_s: float = Field(2.0, ge=0)
    """Longest silence; short ones are more frequent."""
    gain_db: Range = (-15.0, 6.0)
    noise_probability: float = Field(0.3, ge=0, le=1)
    snr_db: Range = (0.0, 30.0)
    voices_probability: float = Field(0.1, ge=0, le=1)
    """Of three to seven other utterances behind it, as in Snyder et al. (2015)."""
    voices_snr_db: Range = (5.0, 25.0)
    reverb_probability: float = Field(0.35, ge=0, le=1)
    rt60_s: Annotated[Range, _POSITIVE] = (0.1, 1.0)
    direct_to_reverberant_db: Range = (-8.0, 12.0)
    """Below 0 beyond a room's critical distance, which is less than a metre in most."""
    room_m3: Annotated[Range, _POSITIVE] = (20.0, 500.0)
    microphone_probability: float = Field(0.5, ge=0, le=1)
    """Of a microphone that hears some frequencies louder than others."""
    microphone_db: float = Field(3.0, ge=0)
    """Deviation of the broadest of the cosines that its response is made of."""
    overdrive_probability: float = Field(0.05, ge=0, le=1)
    """Of a recording that was too loud for its microphone, and cut off at full scale."""
    overdrive_db: Range = (6.0, 30.0)
    narrowband_probability: float = Field(0.1, ge=0, le=1)
    """Band-limit to 4 kHz, as a telephone does."""
    mp3_probability: float = Field(0.4, ge=0, le=1)
    """Of a recording that was an MP3 file."""
    mp3_kbit_s: Annotated[Range, _POSITIVE] = (16.0, 64.0)
    """Low ones as often as high ones, by their logarithm."""
    frequency_masks: int = Field(2, ge=0)
    frequency_width: int = Field(20, ge=0)
    time_masks_per_s: float = Field(0.4, ge=0)
    """SpecAugment's count, grown with length as in Park et al. (2020)."""
    time_width: int = Field(25, ge=0)
    vocal_tract: Annotated[Range, _POSITIVE] = (0.9, 1.1)
    """By what the frequencies of a recording are multiplied, its tempo left as it is."""


@dataclass(frozen=True)
class Placement:
    """Where an utterance lies in an augmented recording.

    Attributes:
        start: Its first sample.
        speed: How fast it runs now; 1.1 is shorter than it was.
    """

    start: int
    speed: float


class Waveforms(Protocol):
    """Recordings by position."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Samples: ...


class WaveformAugmenter:
    """Speed, silence, room, noise, microphone, band, level, codec: in the order of the world."""

    def __init__(
        self,
        config: AugmentConfig,
        sample_rate: int,
        noises: Sequence[Samples],
        voices: Waveforms = (),
    ) -> None:
        """Store what to draw from.

        Args:
            config: What is done, and how often.
            sample_rate: Hz, of everything.
            noises: Added to recordings; none, and none is.
            voices: Utterances to be heard behind others; none, and none are.

        Raises:
            ConfigError: MP3 is asked for, and cannot have this sample rate.
        """
        if config.mp3_probability and sample_rate not in MP3_RATES:
            raise ConfigError(
                f"augment.mp3_probability: MP3 has no sample rate of {sample_rate} Hz",
                "set augment.mp3_probability=0, or features.sample_rate to a rate of MP3",
            )
        self.config = config
        self.sample_rate = sample_rate
        self.noises = noises
        self.voices = voices

    def __call__(
        self, utterances: Sequence[Samples], rng: np.random.Generator
    ) -> tuple[Samples, list[Placement]]:
        """One recording of all the utterances, varied, and where each of them lies in it."""
        samples, placements = self._join(utterances, rng)
        return self._disturb(samples, rng), placements

    def _join(
        self, utterances: Sequence[Samples], rng: np.random.Generator
    ) -> tuple[Samples, list[Placement]]:
        pieces = [self._silence(rng)]
        placements: list[Placement] = []
        for utterance in utterances:
            speed = float(rng.choice(self.config.speeds))
            placements.append(Placement(sum(map(len, pieces)), speed))
            pieces += [self._at_speed(utterance, speed), self._silence(rng)]
        return np.concatenate(pieces), placements

    def _at_speed(self, samples: Samples, speed: float) -> Samples:
        if speed == 1.0:
            return samples
        faster: Samples = soxr.resample(samples, self.sample_rate * speed, self.sample_rate, "MQ")
        return faster

    def _silence(self, rng: np.random.Generator) -> Samples:
        """Hiss between -100 and -40 dB of full scale, or, most often, nothing at all."""
        if rng.random() >= self.config.silence_probability:
            return np.empty(0, np.float32)
        num_samples = int(rng.random() ** 2 * self.config.silence_s * self.sample_rate)
        level = np.float32(10 ** (rng.uniform(-100, -40) / 20))
        hiss: Samples = level * rng.standard_normal(num_samples, dtype=np.float32)
        return hiss

    def _disturb(self, samples: Samples, rng: np.random.Generator) -> Samples:
        config = self.config
        if rng.random() < config.reverb_probability:
            samples = reverberate(samples, self._room(rng))
        if self.noises and rng.random() < config.noise_probability:
            noise = self.noises[int(rng.integers(len(self.noises)))]
            samples = add_noise(samples, noise, rng.uniform(*config.snr_db), rng)
        if len(self.voices) and rng.random() < config.voices_probability:
            others = babble(self.voices, len(samples), rng)
            samples = add_noise(samples, others, rng.uniform(*config.voices_snr_db), rng)
        if rng.random() < config.microphone_probability:
            response = random_response(config.microphone_db, rng)
            samples = equalize(samples, response, self.sample_rate)
        if rng.random() < config.overdrive_probability:
            samples = _louder(samples, rng.uniform(*config.overdrive_db)).clip(-1, 1)
        if rng.random() < config.narrowband_probability:
            samples = _narrowband(samples, self.sample_rate)
        samples = _louder(samples, rng.uniform(*config.gain_db)).clip(-1, 1)
        if rng.random() < config.mp3_probability:
            kbit_s = float(np.exp(rng.uniform(*np.log(config.mp3_kbit_s))))
            samples = through_mp3(samples, self.sample_rate, kbit_s)
        return samples

    def _room(self, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        config = self.config
        return room_response(
            rng.uniform(*config.rt60_s),
            rng.uniform(*config.direct_to_reverberant_db),
            rng.uniform(*config.room_m3),
            self.sample_rate,
            rng,
        )


def add_noise(samples: Samples, noise: Samples, snr_db: float, rng: np.random.Generator) -> Samples:
    """Add a random stretch of noise, looped where it is shorter, at a signal-to-noise ratio."""
    start = int(rng.integers(len(noise)))
    stretch = np.take(noise, np.arange(start, start + len(samples)), mode="wrap")
    noise_power = float(np.mean(stretch**2))
    if noise_power == 0:
        return samples
    ratio = float(np.mean(samples**2)) / noise_power / 10 ** (snr_db / 10)
    return (samples + stretch * np.float32(np.sqrt(ratio))).astype(np.float32)


def babble(voices: Waveforms, num_samples: int, rng: np.random.Generator) -> Samples:
    """Three to seven of the recordings at once, equally loud, each looped from a random place."""
    mixed = np.zeros(num_samples, np.float32)
    for chosen in rng.integers(len(voices), size=rng.integers(3, 8)):
        voice = voices[int(chosen)]
        if len(voice) and (level := float(np.sqrt(np.mean(voice**2)))):
            mixed += np.resize(np.roll(voice, -int(rng.integers(len(voice)))), num_samples) / level
    return mixed


def _louder(samples: Samples, decibels: float) -> Samples:
    return samples * np.float32(10 ** (decibels / 20))


def _narrowband(samples: Samples, sample_rate: int) -> Samples:
    narrow = soxr.resample(samples, sample_rate, 8000, "MQ")
    wide = soxr.resample(narrow, 8000, sample_rate, "MQ")[: len(samples)]
    return np.pad(wide, (0, len(samples) - len(wide)))


def spec_augment(
    features: torch.Tensor, config: AugmentConfig, rng: np.random.Generator, frames_per_s: float
) -> torch.Tensor:
    """Mask bands and stretches with zero, the mean of normalised features (Park et al. 2019).

    Args:
        features: Normalised, (frames, n_mels); not changed.
        config: Counts and widths.
        rng: Where the masks come from.
        frames_per_s: Turns the length into a number of time masks.

    Returns:
        A masked copy.
    """
    features = features.clone()
    frames, n_mels = features.shape
    for _ in range(config.frequency_masks):
        width = int(rng.integers(min(config.frequency_width, n_mels) + 1))
        start = int(rng.integers(n_mels - width + 1))
        features[:, start : start + width] = 0
    for _ in range(round(config.time_masks_per_s * frames / frames_per_s)):
        width = int(rng.integers(min(config.time_width, frames // 2) + 1))
        start = int(rng.integers(frames - width + 1))
        features[start : start + width] = 0
    return features
