"""Attributions, where arithmetic says what they must be."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from asr.ctc import TokenSpan
from asr.insight.saliency import Target, gradient_x_input, integrated_gradients, target_of

from .tiny import N_MELS, tiny_model

TARGET = Target(tokens=(2, 3), steps=(1, 4))


class Polynomial(nn.Module):
    """Scores every frame by itself: the sum of its features to some power, times the token's id."""

    def __init__(self, power):
        super().__init__()
        self.power = power

    def forward(self, features, lengths):
        scores = (features**self.power).sum(2, keepdim=True)
        letters = scores * torch.arange(5.0)
        return SimpleNamespace(letters=letters, phones=-10 * letters)


def test_in_a_linear_model_both_methods_give_each_feature_its_own_part():
    features = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    expected = np.zeros((6, 3), np.float32)
    expected[1] = 2 / 2 * features[1]  # token 2 at frame 1, one of two letters
    expected[4] = 3 / 2 * features[4]
    (found,) = gradient_x_input(Polynomial(1), features, [TARGET])
    assert found.values == pytest.approx(expected, abs=1e-6)
    assert found.score == pytest.approx(expected.sum(), rel=1e-5)
    assert found.baseline == 0
    assert integrated_gradients(Polynomial(1), features, TARGET).values == pytest.approx(
        expected, abs=1e-6
    )


def test_of_a_square_the_gradient_doubles_what_the_integral_gives_back():
    features = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    squares = features.numpy() ** 2
    expected = np.zeros((6, 3), np.float32)
    expected[1], expected[4] = 2 / 2 * squares[1], 3 / 2 * squares[4]
    (gradient,) = gradient_x_input(Polynomial(2), features, [TARGET])
    integrated = integrated_gradients(Polynomial(2), features, TARGET)
    assert gradient.values == pytest.approx(2 * expected, rel=1e-5)
    assert integrated.values == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("phones", [False, True])
def test_integrated_gradients_of_a_network_add_up_to_what_the_word_gained(phones):
    model, features = tiny_model(phones=phones), torch.randn(60, N_MELS)
    found = integrated_gradients(model, features, TARGET, points=256)
    assert found.values.sum() == pytest.approx(found.score - found.baseline, rel=0.03)


def test_points_are_added_only_where_the_sum_is_off():
    calls = []

    class Counting(Polynomial):
        def forward(self, features, lengths):
            calls.append(len(features))
            return super().forward(features, lengths)

    features = torch.full((6, 3), 0.7)
    for power, points, expected in [(1, 2, 2), (4, 2, 6), (4, 16, 16)]:
        calls.clear()
        found = integrated_gradients(Counting(power), features, TARGET, points)
        assert sum(calls[1:]) == expected  # the first call scores both ends
        # The midpoint rule on n points of 4 x^3 gives 1 - 1 / (2 n^2) of its integral.
        part = 1 if power == 1 else 1 - 1 / (2 * expected**2)
        assert found.values.sum() == pytest.approx(part * (found.score - found.baseline), rel=1e-4)


def test_phones_are_explained_where_they_are_the_target():
    features = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    letters, phones = TARGET, replace(TARGET, kind="phones")
    for found in (
        gradient_x_input(Polynomial(1), features, [letters, phones]),
        [integrated_gradients(Polynomial(1), features, target) for target in (letters, phones)],
    ):
        assert found[1].values == pytest.approx(-10 * found[0].values, rel=1e-5)
        assert found[1].score == pytest.approx(-10 * found[0].score, rel=1e-5)


def test_words_explained_together_are_explained_as_each_alone():
    model, features = tiny_model(), torch.randn(60, N_MELS)
    targets = [Target((2,), (step,)) for step in (0, 3, 7, 9, 14)]
    together = gradient_x_input(model, features, targets, batch=2)
    for target, found in zip(targets, together, strict=True):
        (alone,) = gradient_x_input(model, features, [target])
        assert found.values == pytest.approx(alone.values, rel=1e-4, abs=1e-5)
        assert (found.score, found.baseline) == pytest.approx(
            (alone.score, alone.baseline), rel=1e-4
        )


def test_without_words_there_is_nothing_to_explain():
    assert gradient_x_input(tiny_model(), torch.randn(9, N_MELS), []) == []


def test_a_letter_is_explained_at_its_highest_step():
    log_probs = torch.log(torch.tensor([[0.5, 0.5], [0.7, 0.3], [0.1, 0.9], [0.4, 0.6]]))
    spans = [TokenSpan(1, 1, 4, 0.0), TokenSpan(0, 0, 1, 0.0)]
    assert target_of(spans, log_probs) == Target((1, 0), (2, 0))
