"""Decay of the derivative, against closed forms and against whole Jacobians."""

import numpy as np
import pytest
import torch
from torch import nn

from asr.insight.gates import cells_of, trace
from asr.insight.memory import MemoryCurve, cell_memory, measure_memory, network_memory

from .tiny import N_MELS, tiny_model, tiny_recognizer

STEP_S = 0.04


def linear_cell(factor, size=5):
    """h becomes tanh(x + factor h): at h = 0, the derivative over k steps is factor^k."""
    cell = nn.RNN(size, size, batch_first=True)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.weight_ih_l0.copy_(torch.eye(size))
        cell.weight_hh_l0.copy_(factor * torch.eye(size))
    return cell


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0])
def test_a_simple_cell_forgets_geometrically(factor):
    curve = cell_memory(linear_cell(factor), torch.zeros(40, 5), STEP_S, max_lag_s=0.8)
    lags = np.arange(21)
    assert curve.lags_s == pytest.approx(lags * STEP_S)
    assert curve.size == pytest.approx(factor**lags, rel=1e-5)


def test_the_derivative_of_one_unit_is_that_of_its_jacobian():
    torch.manual_seed(0)
    cell = nn.LSTM(3, 1, batch_first=True)
    x = torch.randn(30, 3)
    jacobian = torch.autograd.functional.jacobian(lambda x: cell(x[None])[0][0, :, 0], x)
    sizes = jacobian.norm(dim=2)  # (output steps, input steps)
    curve = cell_memory(cell, x, STEP_S, max_lag_s=0.4, places=100)
    ends = range(15, 30)
    expected = [np.sqrt(np.mean([float(sizes[t, t - k]) ** 2 for t in ends])) for k in range(11)]
    assert curve.size == pytest.approx(expected, rel=1e-4)


def test_looking_further_back_than_the_recording_is_long_looks_at_all_of_it():
    curve = cell_memory(linear_cell(0.5), torch.zeros(4, 5), STEP_S)
    assert curve.size == pytest.approx([1, 0.5, 0.25, 0.125])
    assert len(cell_memory(linear_cell(0.5), torch.zeros(1, 5), STEP_S).size) == 1


def test_a_part_of_a_geometric_curve_lies_where_the_series_says():
    lags = np.arange(200) * STEP_S
    curve = MemoryCurve(lags, 0.9 ** np.arange(200))
    # 1 - 0.9^(k+1) reaches 1/2 at k = 6 and 9/10 at k = 21.
    assert curve.reach_s(0.5) == pytest.approx(6 * STEP_S)
    assert curve.reach_s(0.9) == pytest.approx(21 * STEP_S)


def test_both_sides_count_for_the_reach():
    curve = MemoryCurve(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), np.array([4.0, 1.0, 1.0, 1.0, 1.0]))
    assert curve.reach_s(0.3) == 1.0
    assert curve.reach_s(0.9) == 2.0


def test_without_its_backward_cells_a_network_sees_no_future():
    model = tiny_model()
    with torch.no_grad():
        for (_, direction), cell in cells_of(model).items():
            for parameter in cell.parameters():
                if direction == "backward":
                    parameter.zero_()
    curves = network_memory(model, torch.randn(160, N_MELS), 0.01, max_lag_s=0.4)
    assert len(curves) == 3
    for curve in curves:
        future = curve.lags_s < -0.05  # the convolutions see most of one step ahead
        assert curve.size[future] == pytest.approx(0, abs=1e-9)
        assert (curve.size[(curve.lags_s >= 0)] > 0).all()


def test_the_stack_is_measured_as_its_jacobian_says():
    model = tiny_model(layers=1, hidden=1, norm="none", dropout=0.0)
    with torch.no_grad():  # one unit: of the two outputs only the forward one is left
        for parameter in model.layers[0].backward_cell.parameters():
            parameter.zero_()
    features = torch.randn(40, N_MELS)

    def ahead(x):
        return trace_free(model, x)[0, :, 0]

    sizes = torch.autograd.functional.jacobian(ahead, features).square().sum(2)
    sizes = sizes.reshape(10, 10, 4).sum(2)  # frames to steps
    curve = network_memory(model, features, 0.01, max_lag_s=0.08, places=1, seed=3)[0]
    expected = np.array([float(sizes[2, 2 - lag].sqrt()) for lag in range(-2, 3)])
    assert curve.lags_s == pytest.approx(np.arange(-2, 3) * STEP_S)
    # A random direction of length 1 has some part along this unit; all sizes share it.
    assert curve.size / curve.size[2] == pytest.approx(expected / expected[2], rel=1e-3)


def trace_free(model, x):
    embedded, steps = model.embed(x[None], torch.tensor([len(x)]))
    return model.layers[0](embedded, steps)


def test_every_cell_and_every_layer_has_a_curve():
    recognizer = tiny_recognizer(layers=2)
    features = torch.randn(160, N_MELS)
    _, cells = trace(recognizer.checkpoint.model, features)
    found = measure_memory(recognizer.checkpoint, features, cells)
    steps = {key: float(np.diff(curve.lags_s)[0]) for key, curve in found.own.items()}
    cells_there = [(layer, direction) for layer in (1, 2) for direction in ("forward", "backward")]
    assert steps == pytest.approx(dict.fromkeys(cells_there, 0.04))
    assert len(found.stack) == 3


def test_one_frame_is_enough():
    recognizer = tiny_recognizer()
    features = torch.randn(1, N_MELS)
    _, cells = trace(recognizer.checkpoint.model, features)
    found = measure_memory(recognizer.checkpoint, features, cells)
    assert all(curve.reach_s(0.9) == 0 for curve in [*found.own.values(), *found.stack])


def test_of_a_network_that_listens_several_times_memory_is_that_of_the_first_copy():
    model, features = tiny_model(), torch.randn(80, N_MELS)
    alone = network_memory(model, features, 0.01, max_lag_s=0.2, places=4)
    warps = torch.stack([torch.eye(N_MELS), torch.zeros(N_MELS, N_MELS)])
    model.hear_as(warps)
    together = network_memory(model, features, 0.01, max_lag_s=0.2, places=4)
    for one, expected in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.size, expected.size, rtol=1e-4, atol=1e-7)
    assert model.warps is warps
