"""Utterances to padded training batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from asr.audio.augment import (
    AugmentConfig,
    Placement,
    WaveformAugmenter,
    spec_augment,
)
from asr.audio.features import LogMel
from asr.audio.vocal_tract import warp_frequencies
from asr.data.cache import WaveformCache
from asr.data.teacher import TeacherCache

__all__ = ["Batch", "Example", "SpeechDataset", "collate"]


@dataclass(frozen=True, eq=False)
class Example:
    """One recording, ready for the network.

    Attributes:
        indices: The utterances in it, in the order of speaking.
        features: float32 (frames, n_mels).
        tokens: int64 (tokens,).
        phones: int64 (phones,); empty where a word's pronunciation is not known.
        teacher: float32 (steps, size), not a number where the teacher has nothing to say; None
            without a teacher.
        word_pieces: int64 (pieces,), the tokens' text again; empty without that output.
        other_views: As `features`, each with the same times: of other vocal tracts, behind other
            masks.
    """

    indices: tuple[int, ...]
    features: torch.Tensor
    tokens: torch.Tensor
    phones: torch.Tensor
    teacher: torch.Tensor | None
    word_pieces: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    other_views: tuple[torch.Tensor, ...] = ()


@dataclass(frozen=True, eq=False)
class Batch:
    """Padded examples.

    Attributes:
        indices: The utterances of each recording, by their positions in the dataset.
        features: float32 (batch, frames, n_mels).
        lengths: int64 (batch,), valid frames.
        targets: int64 (batch, max_tokens).
        target_lengths: int64 (batch,).
        phones: int64 (batch, max_phones).
        phone_lengths: int64 (batch,), 0 where no pronunciation is known.
        word_pieces: int64 (batch, max_pieces).
        word_piece_lengths: int64 (batch,), 0 without that output.
        teacher: float32 (batch, steps, size) or None.
        views: How many times the batch holds each recording, differently masked and warped; first
            all of them in one view, then all in the next.
    """

    indices: tuple[tuple[int, ...], ...]
    features: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    target_lengths: torch.Tensor
    phones: torch.Tensor
    phone_lengths: torch.Tensor
    word_pieces: torch.Tensor
    word_piece_lengths: torch.Tensor
    teacher: torch.Tensor | None
    views: int = 1

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        moved: dict[str, Any] = {
            one.name: value.to(device, non_blocking=True)
            for one in fields(self)
            if isinstance(value := getattr(self, one.name), torch.Tensor)
        }
        return replace(self, **moved)

    @property
    def num_frames(self) -> int:
        """Valid frames of all utterances together."""
        return int(self.lengths.sum())


class SpeechDataset(Dataset[Example]):
    """Indexed by (epoch, utterances): the pair decides how they are joined and augmented."""

    def __init__(
        self,
        waveforms: WaveformCache,
        tokens: Sequence[Sequence[int]],
        front_end: LogMel,
        *,
        separator_id: int,
        phones: Sequence[Sequence[int]] | None = None,
        word_pieces: Sequence[Sequence[int]] | None = None,
        augment: AugmentConfig | None = None,
        augmenter: WaveformAugmenter | None = None,
        teacher: TeacherCache | None = None,
        step_samples: int = 640,
        seed: int = 0,
        views: int = 1,
    ) -> None:
        """Store the parts; all sequences have the utterances in the same order.

        Args:
            waveforms: The recordings.
            tokens: What is said in them.
            front_end: Makes features of them.
            separator_id: Stands between the utterances of a joined recording.
            phones: How it is said; empty for an utterance of unknown pronunciation.
            word_pieces: The same as `tokens` in another vocabulary, which has the same separator.
            augment: Masks on the features.
            augmenter: Changes to the waveforms.
            teacher: Hidden states to learn from.
            step_samples: Samples from one step of the network to the next.
            seed: Of the augmentation.
            views: How often to show each recording.
        """
        self.waveforms = waveforms
        self.tokens = tokens
        self.front_end = front_end
        self.separator_id = separator_id
        self.phones = phones
        self.word_pieces = word_pieces
        self.augment = augment
        self.augmenter = augmenter
        self.teacher = teacher
        self.step_samples = step_samples
        self.seed = seed
        self.views = views

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, key: tuple[int, tuple[int, ...]]) -> Example:
        """The recording's variant in that epoch."""
        epoch, indices = key
        rng = np.random.default_rng((self.seed, epoch, *indices))
        samples, placements = self._record([self.waveforms[i] for i in indices], rng)
        features = self.front_end(torch.from_numpy(samples))
        view, *other_views = (self._view(features, rng) for _ in range(self.views))
        return Example(
            indices,
            view,
            torch.tensor(self._joined([self.tokens[i] for i in indices])),
            torch.tensor(self._phones(indices), dtype=torch.int64),
            self._teacher_states(indices, placements, len(features)),
            torch.tensor(self._word_pieces(indices), dtype=torch.int64),
            tuple(other_views),
        )

    def _view(self, features: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        if self.augment is None:
            return features
        factor = rng.uniform(*self.augment.vocal_tract)
        warped = warp_frequencies(features, factor, self.front_end.config)
        frames_per_s = 1000 / self.front_end.config.hop_ms
        return spec_augment(warped, self.augment, rng, frames_per_s)

    def _record(
        self, utterances: Sequence[npt.NDArray[np.float32]], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], list[Placement]]:
        if self.augmenter:
            return self.augmenter(utterances, rng)
        starts = np.cumsum([0] + [len(samples) for samples in utterances[:-1]])
        return np.concatenate(utterances), [Placement(int(start), 1.0) for start in starts]

    def _joined(self, parts: Sequence[Sequence[int]]) -> list[int]:
        return [token for part in parts for token in (self.separator_id, *part)][1:]

    def _phones(self, indices: tuple[int, ...]) -> list[int]:
        if self.phones is None or not all(self.phones[i] for i in indices):
            return []
        return self._joined([self.phones[i] for i in indices])

    def _word_pieces(self, indices: tuple[int, ...]) -> list[int]:
        if self.word_pieces is None:
            return []
        return self._joined([self.word_pieces[i] for i in indices])

    def _teacher_states(
        self, indices: tuple[int, ...], placements: list[Placement], num_frames: int
    ) -> torch.Tensor | None:
        """What the teacher heard in the middle of each step."""
        if self.teacher is None:
            return None
        num_steps = -(-num_frames * self.front_end.config.hop_length // self.step_samples)
        middles = (np.arange(num_steps) + 0.5) * self.step_samples
        rate = self.front_end.config.sample_rate
        states = torch.full((num_steps, self.teacher.size), torch.nan)
        for index, place in zip(indices, placements, strict=True):
            found = self.teacher.states_at(index, (middles - place.start) * place.speed / rate)
            states = torch.where(torch.isfinite(found), found, states)
        return states


def collate(recordings: Sequence[Example]) -> Batch:
    """Pad examples of any lengths, with equally many views, into one batch."""
    views = zip(*((e.features, *e.other_views) for e in recordings), strict=True)
    features = [one for view in views for one in view]
    num_views = len(features) // len(recordings)
    examples = [*recordings] * num_views
    teachers = [e.teacher for e in examples if e.teacher is not None]
    return Batch(
        indices=tuple(e.indices for e in examples),
        features=pad_sequence(features, batch_first=True),
        lengths=_lengths(features),
        targets=pad_sequence([e.tokens for e in examples], batch_first=True),
        target_lengths=_lengths(e.tokens for e in examples),
        phones=pad_sequence([e.phones for e in examples], batch_first=True),
        phone_lengths=_lengths(e.phones for e in examples),
        word_pieces=pad_sequence([e.word_pieces for e in examples], batch_first=True),
        word_piece_lengths=_lengths(e.word_pieces for e in examples),
        teacher=pad_sequence(teachers, batch_first=True) if teachers else None,
        views=num_views,
    )


def _lengths(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.tensor([len(tensor) for tensor in tensors])
