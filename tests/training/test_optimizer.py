"""Muon against the singular value decomposition, and who updates which parameter."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from asr.training.config import OptimConfig
from asr.training.distributed import World
from asr.training.optimizer import Muon, make_optimizers, orthogonalise

ALONE = World(0, 1, torch.device("cpu"))


@pytest.mark.parametrize("shape", [(2, 8, 24), (1, 24, 8), (3, 16, 16)])
def test_singular_vectors_stay_and_all_values_become_about_one(shape):
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    values = (left.mT @ orthogonalise(matrices).float() @ right.mT).diagonal(dim1=1, dim2=2)
    assert values.min() > 0.6
    assert values.max() < 1.25


def test_a_gradient_of_nothing_moves_nothing():
    assert not orthogonalise(torch.zeros(1, 4, 6)).any()


def test_each_gate_is_a_matrix_of_its_own():
    """A gate with a gradient a thousand times smaller moves as far as the other."""
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.zeros(8, 6))
    parameter.grad = torch.cat([torch.randn(4, 6), 1e-3 * torch.randn(4, 6)])
    Muon([parameter], lr=0.1, weight_decay=0.0, gates=2, world=ALONE).step()
    for gate in parameter.detach().split(4):
        # Root mean square 0.2 of the rate, at singular values of one.
        assert float(gate.square().mean().sqrt()) == pytest.approx(0.02, rel=0.25)


def test_momentum_and_decay_by_hand():
    """Second update: the momentum is half-way between what it was and the gradient."""
    torch.manual_seed(0)
    first, second = torch.randn(4, 6), torch.randn(4, 6)
    start = torch.randn(4, 6)
    parameter = nn.Parameter(start.clone())
    optimizer = Muon([parameter], lr=0.1, weight_decay=0.3, gates=1, world=ALONE, momentum=0.5)
    expected, momentum = start, torch.zeros(4, 6)
    for gradient in (first, second):
        momentum = (momentum + gradient) / 2
        ahead = (gradient + momentum) / 2
        step = orthogonalise(ahead[None])[0].float() * 0.2 * 6**0.5
        expected = expected * (1 - 0.1 * 0.3) - 0.1 * step
        parameter.grad = gradient
        optimizer.step()
    torch.testing.assert_close(parameter.detach(), expected)


def test_every_parameter_has_one_optimiser_and_vectors_do_not_decay():
    module = nn.ModuleDict({"layers": nn.LSTM(5, 4), "output": nn.Linear(4, 3)})
    optimizers = make_optimizers(module, module["layers"], 4, OptimConfig(weight_decay=0.1), ALONE)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    taken = [parameter for group in groups for parameter in group["params"]]
    assert sorted(map(id, taken)) == sorted(map(id, module.parameters()))
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.1 if parameter.ndim > 1 else 0)
    assert [type(o).__name__ for o in optimizers] == ["Muon", "AdamW"]
    (only,) = make_optimizers(module, module["layers"], 4, OptimConfig(optimizer="adamw"), ALONE)
    assert isinstance(only, torch.optim.AdamW)
