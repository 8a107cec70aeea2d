"""bfloat16 where the hardware has it; elsewhere it is refused, or float32 taken."""

from types import MappingProxyType

import pytest
import torch

from asr.errors import TrainingError
from asr.training import precision
from asr.training.optimizer import orthogonalise
from asr.training.precision import has_bfloat16, matrix_dtype, uses_bfloat16

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(params=[False, True])
def able(request, monkeypatch):
    """A processor that has, or has not, what it takes."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: request.param)
    return request.param


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx2": True}, False),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"neon": True, "bf16": True}, True),
        ({"neon": True, "bf16": False}, False),
    ],
)
def test_the_processors_features_decide(monkeypatch, features, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: MappingProxyType(features))
    assert has_bfloat16(CPU) is expected


@pytest.mark.parametrize("expected", [False, True])
def test_a_gpu_that_emulates_it_does_not_count(monkeypatch, expected):
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: including_emulation or expected,
    )
    assert has_bfloat16(CUDA) is expected


def test_auto_takes_it_where_it_is_there(able):
    assert uses_bfloat16("auto", CPU) is able
    assert not uses_bfloat16("fp32", CPU)
    assert matrix_dtype(CPU) == (torch.bfloat16 if able else torch.float32)


def test_asked_for_it_is_taken_or_refused(able):
    if able:
        assert uses_bfloat16("bf16", CPU)
    else:
        with pytest.raises(TrainingError, match="precision=bf16: this processor has no bfloat16"):
            uses_bfloat16("bf16", CPU)


def test_muons_iteration_is_the_same_in_both(able):
    matrices = torch.randn(3, 8, 12, generator=torch.Generator().manual_seed(1))
    found = orthogonalise(matrices)
    assert found.dtype == matrix_dtype(CPU)
    _, values, _ = torch.linalg.svd(found.float())
    assert (values > 0.6).all()
    assert (values < 1.3).all()
