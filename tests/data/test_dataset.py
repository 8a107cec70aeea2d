"""Examples that are a function of (seed, epoch, utterances), and batches of them."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.augment import AugmentConfig, Placement, WaveformAugmenter
from asr.audio.features import FeatureConfig, LogMel
from asr.data.cache import WaveformCache
from asr.data.dataset import Batch, Example, SpeechDataset, collate
from asr.types import Utterance

RATE = 16000
SIZES = (16000, 8000, 12000)
TOKENS = [[1, 2, 2, 3], [4], [5, 6, 7]]
SEPARATOR_ID = 9


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
        separator_id=SEPARATOR_ID,
        **{"augment": config, "augmenter": augmenter, **options},
        seed=seed,
    )


def same(left, right):
    return left.features.shape == right.features.shape and torch.equal(
        left.features, right.features
    )


def plain(waveforms, **options):
    return make(waveforms, **{"augment": None, "augmenter": None, **options})


KEYS = [(2,), (0,), (1,), (0, 1), (1, 0), (2, 0)]


def test_the_same_seed_epoch_and_utterances_give_the_same_example(waveforms):
    first, second = make(waveforms), make(waveforms)
    for key in KEYS:
        assert same(first[3, key], second[3, key])
    assert same(first[3, (2,)], second[3, (2,)])  # what was asked for before does not matter


def test_another_epoch_seed_or_company_gives_another_variant(waveforms):
    dataset = make(waveforms)
    variants = [dataset[0, key] for key in KEYS]
    variants += [dataset[1, (0,)], make(waveforms, seed=2)[0, (0,)]]
    for place, one in enumerate(variants):
        assert not any(same(one, other) for other in variants[:place])


def test_views_of_a_recording_are_masked_and_warped_anew_at_the_same_times(waveforms):
    one = make(waveforms)[3, (0, 1)]
    two = make(waveforms, views=2)[3, (0, 1)]
    assert torch.equal(two.features, one.features)
    (other,) = two.other_views
    assert other.shape == one.features.shape
    assert not torch.equal(other, one.features)
    quiet = AugmentConfig(frequency_masks=0, time_masks_per_s=0, vocal_tract=(1, 1))
    alike = make(waveforms, augment=quiet, views=3)[3, (0, 1)]
    assert len(alike.other_views) == 2
    assert all(torch.equal(view, alike.features) for view in alike.other_views)


def test_without_augmentation_every_epoch_has_the_front_ends_features(waveforms):
    dataset = plain(waveforms)
    expected = dataset.front_end(torch.from_numpy(waveforms[1]))
    assert torch.equal(dataset[0, (1,)].features, expected)
    assert torch.equal(dataset[7, (1,)].features, expected)
    assert len(dataset) == 3


def test_joined_utterances_are_one_recording_in_the_order_of_their_indices(waveforms):
    dataset = plain(waveforms)
    joined = np.concatenate([waveforms[2], waveforms[0]])
    example = dataset[0, (2, 0)]
    assert example.indices == (2, 0)
    assert torch.equal(example.features, dataset.front_end(torch.from_numpy(joined)))


PHONES = [[3, 3], [2, 5, 1], []]


@pytest.mark.parametrize(
    ("indices", "tokens", "phones"),
    [
        ((0,), [1, 2, 2, 3], [3, 3]),
        ((2,), [5, 6, 7], []),
        ((0, 1), [1, 2, 2, 3, 9, 4], [3, 3, 9, 2, 5, 1]),
        ((1, 0), [4, 9, 1, 2, 2, 3], [2, 5, 1, 9, 3, 3]),
        ((1, 2), [4, 9, 5, 6, 7], []),  # one unknown pronunciation is enough
        ((2, 1), [5, 6, 7, 9, 4], []),
    ],
)
def test_a_separator_stands_between_the_tokens_and_the_phones_of_joined_utterances(
    waveforms, indices, tokens, phones
):
    for dataset in (make(waveforms, phones=PHONES), plain(waveforms, phones=PHONES)):
        example = dataset[0, indices]
        assert example.tokens.tolist() == tokens
        assert example.phones.tolist() == phones
        assert example.phones.dtype == example.tokens.dtype == torch.int64
    assert plain(waveforms)[0, indices].phones.tolist() == []


class FakeTeacher:
    """Its states are the utterance and the time of which they were asked for."""

    size = 2

    def states_at(self, index, times):
        states = np.stack([np.full(len(times), index), times], axis=1)
        states[(times < 0) | (times >= SIZES[index] / RATE)] = np.nan
        return torch.from_numpy(states).float()


def heard_at(sample, indices, placements):
    """Utterance and time that a sample of the recording has, or nothing in a silence."""
    for index, place in reversed(list(zip(indices, placements, strict=True))):
        time = (sample - place.start) * place.speed / RATE
        if 0 <= time < SIZES[index] / RATE:
            return [index, time]
    return [np.nan, np.nan]


def by_hand(num_frames, indices, placements):
    """The middle of step k, of four frames of 160 samples, is sample 640 k + 320."""
    steps = -(-num_frames // 4)
    return np.array([heard_at(640 * k + 320, indices, placements) for k in range(steps)])


class Fixed:
    """An augmenter that puts utterances where it is told, with silence elsewhere."""

    def __init__(self, placements, num_samples):
        self.placements, self.num_samples = placements, num_samples

    def __call__(self, utterances, rng):
        return np.zeros(self.num_samples, np.float32), self.placements


@pytest.mark.parametrize("speed", [1.0, 1.1])
def test_the_teacher_is_asked_for_the_middle_of_every_step_at_the_utterances_own_speed(
    waveforms, speed
):
    num_samples = round(16000 / speed)
    augmenter = Fixed([Placement(0, speed)], num_samples)
    example = plain(waveforms, augmenter=augmenter, teacher=FakeTeacher())[0, (0,)]
    frames = 1 + (num_samples - 400) // 160
    assert len(example.features) == frames
    times = (np.arange(-(-frames // 4)) + 0.5) * 0.04 * speed
    np.testing.assert_allclose(example.teacher[:, 1], times, atol=1e-5)


def test_what_the_teacher_heard_moves_with_its_utterance_and_silences_have_no_number(waveforms):
    # 0.5 s of silence; 0.5 s at speed 1; 0.25 s of silence; 0.75 s in 0.6 s; 0.15 s of silence.
    placements = [Placement(8000, 1.0), Placement(20000, 1.25)]
    augmenter = Fixed(placements, 32000)
    example = plain(waveforms, augmenter=augmenter, teacher=FakeTeacher())[0, (1, 2)]
    found = example.teacher.numpy()
    assert len(found) == 50  # 198 frames
    # Silence to step 12.5, speech to 25, silence to 31.25, speech to 46.25; steps by their middles.
    index = [np.nan] * 12 + [1] * 13 + [np.nan] * 6 + [2] * 15 + [np.nan] * 4
    np.testing.assert_array_equal(found[:, 0], index)
    assert found[12, 1] == pytest.approx(0.0, abs=1e-6)
    assert found[31, 1] == pytest.approx((31.5 * 0.04 - 1.25) * 1.25, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    epoch=st.integers(0, 10_000),
    indices=st.permutations([0, 1, 2]).flatmap(
        lambda order: st.integers(1, 3).map(lambda count: tuple(order[:count]))
    ),
)
def test_the_teacher_follows_whatever_the_augmenter_does(epoch, indices):
    class Spy(WaveformAugmenter):
        def __call__(self, utterances, rng):
            samples, self.placements = super().__call__(utterances, rng)
            return samples, self.placements

    waveforms = [np.zeros(size, np.float32) for size in SIZES]
    augmenter = Spy(AugmentConfig(silence_probability=0.7, silence_s=1.0), RATE, [])
    example = plain(waveforms, augmenter=augmenter, teacher=FakeTeacher())[epoch, indices]
    expected = by_hand(len(example.features), indices, augmenter.placements)
    np.testing.assert_allclose(example.teacher, expected, atol=1e-5)


def test_without_augmentation_the_teacher_hears_joined_utterances_end_to_end(waveforms):
    example = plain(waveforms, teacher=FakeTeacher())[0, (1, 2)]
    expected = by_hand(123, (1, 2), [Placement(0, 1.0), Placement(8000, 1.0)])
    np.testing.assert_allclose(example.teacher, expected, atol=1e-6)
    assert plain(waveforms)[0, (1, 2)].teacher is None


def test_steps_of_another_length_are_the_samples_that_they_are_said_to_have(waveforms):
    augmenter = Fixed([Placement(0, 1.0)], 16000)
    dataset = plain(waveforms, augmenter=augmenter, teacher=FakeTeacher(), step_samples=320)
    times = (np.arange(49) + 0.5) * 0.02  # 98 frames of 160 samples
    np.testing.assert_allclose(dataset[0, (0,)].teacher[:, 1], times, atol=1e-6)


def test_a_batch_pads_at_the_end_and_knows_every_length():
    examples = [
        Example(
            (4,), torch.ones(3, 2), torch.tensor([1, 2, 2, 3]), torch.tensor([7]), torch.ones(1, 5)
        ),
        Example(
            (9, 2), torch.ones(2, 2), torch.tensor([4]), torch.tensor([6, 6, 8]), torch.ones(2, 5)
        ),
    ]
    batch = collate(examples)
    assert batch.indices == ((4,), (9, 2))
    assert batch.features.tolist() == [[[1, 1]] * 3, [[1, 1], [1, 1], [0, 0]]]
    assert batch.lengths.tolist() == [3, 2]
    assert batch.targets.tolist() == [[1, 2, 2, 3], [4, 0, 0, 0]]
    assert batch.target_lengths.tolist() == [4, 1]
    assert batch.phones.tolist() == [[7, 0, 0], [6, 6, 8]]
    assert batch.phone_lengths.tolist() == [1, 3]
    assert batch.teacher.shape == (2, 2, 5)
    assert batch.num_frames == 5


NO_PHONES = torch.zeros(0, dtype=torch.int64)


def test_a_batch_has_all_recordings_in_one_view_and_then_in_the_next():
    examples = [
        Example(
            (n,),
            torch.full((frames, 1), n),
            torch.tensor([n]),
            torch.tensor([n, n]),
            None,
            other_views=(torch.full((frames, 1), 10 + n),),
        )
        for n, frames in ((1, 2), (2, 1))
    ]
    batch = collate(examples)
    assert batch.views == 2
    assert batch.features[:, :, 0].tolist() == [[1, 1], [2, 0], [11, 11], [12, 0]]
    assert batch.lengths.tolist() == [2, 1, 2, 1]
    assert batch.targets[:, 0].tolist() == [1, 2, 1, 2]
    assert batch.phones.tolist() == [[1, 1], [2, 2], [1, 1], [2, 2]]
    assert batch.indices == ((1,), (2,), (1,), (2,))


def test_a_batch_in_which_no_pronunciation_is_known_has_no_phones():
    one = Example((0,), torch.ones(3, 2), torch.tensor([1]), NO_PHONES, None)
    batch = collate([one, one])
    assert batch.phones.shape == (2, 0)
    assert batch.phone_lengths.tolist() == [0, 0]
    assert batch.phones.dtype == batch.phone_lengths.dtype == torch.int64


def test_a_batch_without_teacher_moves_to_a_device_all_the_same():
    batch = collate([Example((0,), torch.ones(3, 2), torch.tensor([1]), NO_PHONES, None)])
    assert batch.teacher is None
    moved = batch.to(torch.device("meta"))
    assert isinstance(moved, Batch)
    tensors = (value for value in vars(moved).values() if isinstance(value, torch.Tensor))
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.indices == ((0,),)
