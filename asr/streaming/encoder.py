"""A recording that is still going on, to emissions, in bounded memory.

The forward direction of every layer carries its state from chunk to chunk; the backward one sees
a bounded look-ahead. What a chunk computes depends on the chunk alone and never on the blocks in
which its samples arrived.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from asr.checkpoint import Checkpoint
from asr.models.bilstm import Chunking
from asr.models.recurrent import State
from asr.types import Emissions

__all__ = ["StreamingEncoder", "chunking_of"]

_PIECE = 1 << 15  # samples


def chunking_of(checkpoint: Checkpoint, chunk_s: float, look_ahead_s: float) -> Chunking:
    """Sizes in steps; a chunk has at least one."""
    step_s = checkpoint.seconds_per_step
    return Chunking(max(1, round(chunk_s / step_s)), max(0, round(look_ahead_s / step_s)))


class StreamingEncoder:
    """Samples in, emissions out, chunk by chunk.

    With a chunk as long as the recording, the result is that of the whole recording at once.
    """

    def __init__(self, checkpoint: Checkpoint, chunking: Chunking) -> None:
        self.checkpoint = checkpoint
        self.chunking = chunking
        features = checkpoint.front_end.config
        self._factor = checkpoint.model.subsampling_factor
        self._step = features.hop_length * self._factor
        self._held = np.zeros(0, np.float32)
        self._num_dropped = 0
        self._done = 0
        self._states: Sequence[State] | None = None

    @property
    def num_samples(self) -> int:
        """How many have come in."""
        return self._num_dropped + len(self._held)

    @property
    def seconds_done(self) -> float:
        """Where the emissions given out so far end."""
        return self._done * self.checkpoint.seconds_per_step

    def push(self, samples: npt.NDArray[np.float32]) -> Iterator[Emissions]:
        """Take in a block of any size; give out every chunk whose look-ahead is complete."""
        width = self.chunking.core + self.chunking.look_ahead
        # In pieces: what is held is copied with every chunk, and a block may be a whole recording.
        for start in range(0, len(samples), _PIECE):
            self._held = np.concatenate([self._held, samples[start : start + _PIECE]])
            while self.num_samples >= self._samples_for(self._done + width):
                yield self._advance(width, self.chunking.core)

    def finish(self) -> Iterator[Emissions]:
        """The recording has ended: what is left, with less look-ahead or none."""
        if not self.num_samples:
            return
        num_frames = self.checkpoint.front_end.config.num_frames(self.num_samples)
        total = -(-num_frames // self._factor)
        while (left := total - self._done) > 0:
            width = min(left, self.chunking.core + self.chunking.look_ahead)
            yield self._advance(width, min(left, self.chunking.core), num_frames)

    def _samples_for(self, num_steps: int) -> int:
        """Samples that the first steps of a recording need."""
        features = self.checkpoint.front_end.config
        last_frame = num_steps * self._factor - 1
        return last_frame * features.hop_length + features.window_length

    @torch.inference_mode()
    def _advance(self, width: int, core: int, num_frames: int | None = None) -> Emissions:
        """The next `core` steps of `width` that are there; `num_frames` where a recording ends."""
        x, lengths = self._embed(width, num_frames)
        outputs, self._states = self.checkpoint.model.recur(x, lengths, core, states=self._states)
        self._done += core
        self._drop()
        return self.checkpoint.emissions(outputs, 0, slice(core))

    def _embed(self, width: int, num_frames: int | None) -> tuple[torch.Tensor, torch.Tensor]:
        """What the recurrent layers read of the next `width` steps.

        One step before them is computed too and thrown away: at its place the convolutions see
        the edge of what they are given, where in the recording there is none.
        """
        front_end, model = self.checkpoint.front_end, self.checkpoint.model
        before = min(self._done, 1)
        first = (self._done - before) * self._step
        end = self._samples_for(self._done + width)
        samples = self._held[first - self._num_dropped :][: end - first]
        features = front_end(torch.from_numpy(samples).to(front_end.mean.device))
        if num_frames is not None:
            features = features[: num_frames - first // front_end.config.hop_length]
        x, lengths = model.embed(
            features[None], torch.tensor([len(features)], device=features.device)
        )
        return x[:, before:], lengths - before

    def _drop(self) -> None:
        """Forget the samples that no later step needs."""
        needless = max(0, self._done - 1) * self._step - self._num_dropped
        self._held = self._held[needless:].copy()
        self._num_dropped += needless
