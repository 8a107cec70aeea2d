"""Four frames to one step, whatever lies behind a recording's end."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from asr.models.subsampling import Subsampling


@pytest.mark.parametrize("n_mels", [1, 2, 3, 4, 5, 80])
def test_it_gives_the_width_it_announces(n_mels):
    subsampling = Subsampling(n_mels, channels=2)
    x, _ = subsampling(torch.zeros(1, 8, n_mels), torch.tensor([8]))
    assert x.shape == (1, 2, subsampling.output_size)
    assert subsampling.output_size == 2 * math.ceil(n_mels / 4)


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=3),
    padding=st.sampled_from([0.0, 1e3, math.inf, math.nan]),
)
@torch.no_grad()
def test_each_recording_is_convolved_as_if_it_were_alone(lengths, padding):
    torch.manual_seed(len(lengths))
    subsampling = Subsampling(6, channels=3)
    features = torch.full((len(lengths), max(lengths) + 3, 6), padding)
    alone = [torch.randn(length, 6) for length in lengths]
    for row, one in zip(features, alone, strict=True):
        row[: len(one)] = one
    x, steps = subsampling(features, torch.tensor(lengths))
    assert steps.tolist() == [math.ceil(math.ceil(length / 2) / 2) for length in lengths]
    for row, count, one in zip(x, steps, alone, strict=True):
        expected = one[None, None]
        for conv in subsampling.convs:
            expected = F.relu(F.conv2d(expected, conv.weight, conv.bias, stride=2, padding=1))
        expected = expected.transpose(1, 2).flatten(2)[0]
        torch.testing.assert_close(row[:count], expected, rtol=1e-5, atol=1e-5)
