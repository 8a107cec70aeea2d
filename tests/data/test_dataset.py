"""Examples that are a function of (seed, epoch, utterance), and batches of them."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from asr.audio.augment import AugmentConfig, WaveformAugmenter
from asr.audio.features import FeatureConfig, LogMel
from asr.data.cache import WaveformCache
from asr.data.dataset import Batch, Example, SpeechDataset, collate
from asr.types import Utterance

RATE = 16000
SIZES = (16000, 8000, 12000)
TOKENS = [[1, 2, 2, 3], [4], [5, 6, 7]]


@pytest.fixture
def waveforms(tmp_path):
    rng = np.random.default_rng(0)
    utterances = [Utterance(str(n), tmp_path / f"{n}.wav", "") for n in range(3)]
    for utterance, size in zip(utterances, SIZES, strict=True):
        soundfile.write(utterance.audio, 0.1 * rng.standard_normal(size), RATE)
    return WaveformCache.build(utterances, tmp_path / "cache", RATE)


def make(waveforms, seed=1, **options):
    config = AugmentConfig()
    augmenter = WaveformAugmenter(config, RATE, [np.ones(400, np.float32)])
    front_end = LogMel(FeatureConfig(n_mels=20))
    return SpeechDataset(
        waveforms,
        TOKENS,
        front_end,
        **{"augment": config, "augmenter": augmenter, **options},
        seed=seed,
    )


def same(left, right):
    return left.features.shape == right.features.shape and torch.equal(
        left.features, right.features
    )


def test_the_same_seed_epoch_and_utterance_give_the_same_example(waveforms):
    first, second = make(waveforms), make(waveforms)
    for index in (2, 0, 1):
        assert same(first[3, index], second[3, index])
    assert same(first[3, 2], second[3, 2])  # and what was asked for before does not matter


def test_another_epoch_or_seed_gives_another_variant(waveforms):
    dataset = make(waveforms)
    assert not same(dataset[0, 0], dataset[1, 0])
    assert not same(dataset[0, 0], make(waveforms, seed=2)[0, 0])


def test_without_augmentation_every_epoch_has_the_front_ends_features(waveforms):
    dataset = make(waveforms, augment=None, augmenter=None)
    expected = dataset.front_end(torch.from_numpy(waveforms[1]))
    assert torch.equal(dataset[0, 1].features, expected)
    assert torch.equal(dataset[7, 1].features, expected)
    assert len(dataset) == 3


class FakeTeacher:
    """Notes what it is asked for."""

    def resampled(self, index, num_steps, step_s):
        self.asked = (index, num_steps, step_s)
        return torch.full((num_steps, 2), 5.0)


@pytest.mark.parametrize("speed", [1.0, 1.1])
def test_the_teacher_is_asked_for_every_step_at_the_utterances_own_speed(waveforms, speed):
    teacher = FakeTeacher()
    dataset = make(
        waveforms,
        augment=None,
        augmenter=lambda samples, rng: (samples[: round(len(samples) / speed)], speed),
        teacher=teacher,
    )
    example = dataset[0, 0]
    frames = 1 + (round(16000 / speed) - 400) // 160
    assert len(example.features) == frames
    assert teacher.asked == (0, -(-frames // 4), pytest.approx(0.04 * speed))
    assert example.teacher.shape == (-(-frames // 4), 2)


def test_a_batch_pads_at_the_end_and_knows_every_length():
    examples = [
        Example(4, torch.ones(3, 2), torch.tensor([1, 2, 2, 3]), torch.ones(1, 5)),
        Example(9, torch.ones(2, 2), torch.tensor([4]), torch.ones(2, 5)),
    ]
    batch = collate(examples)
    assert batch.indices == (4, 9)
    assert batch.features.tolist() == [[[1, 1]] * 3, [[1, 1], [1, 1], [0, 0]]]
    assert batch.lengths.tolist() == [3, 2]
    assert batch.targets.tolist() == [[1, 2, 2, 3], [4, 0, 0, 0]]
    assert batch.target_lengths.tolist() == [4, 1]
    assert batch.min_steps.tolist() == [5, 1]  # a blank between the twos
    assert batch.teacher.shape == (2, 2, 5)
    assert batch.num_frames == 5


def test_a_batch_without_teacher_moves_to_a_device_all_the_same():
    batch = collate([Example(0, torch.ones(3, 2), torch.tensor([1]), None)])
    assert batch.teacher is None
    moved = batch.to(torch.device("meta"))
    assert isinstance(moved, Batch)
    assert {moved.features.device.type, moved.lengths.device.type} == {"meta"}
    assert moved.indices == (0,)
