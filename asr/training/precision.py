"""Which arithmetic trains fastest on this hardware."""

from __future__ import annotations

from typing import Literal

import torch

from asr.errors import TrainingError

__all__ = ["Precision", "has_bfloat16", "matrix_dtype", "uses_bfloat16"]

Precision = Literal["auto", "fp32", "bf16"]

_NAMES = {"cpu": "processor", "cuda": "GPU"}
_CPU_FEATURES = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")


def has_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies matrices of bfloat16.

    Where it does not, torch still computes the products, on a processor with AVX2 sixty times
    slower than in float32.
    """
    if device.type == "cuda":
        native: bool = torch.cuda.is_bf16_supported(including_emulation=False)
        return native
    able = torch.cpu.get_capabilities()
    return any(able.get(feature, False) for feature in _CPU_FEATURES)


def uses_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether to train under autocast to bfloat16; `auto` is where the hardware has it.

    Raises:
        TrainingError: It is asked for where the hardware has it not; of some networks torch could
            not even compute the LSTM there.
    """
    if precision == "bf16" and not has_bfloat16(device):
        raise TrainingError(
            f"train.precision=bf16: this {_NAMES.get(device.type, device.type)} has no bfloat16",
            "leave train.precision at auto, or set it to fp32",
        )
    return precision != "fp32" and has_bfloat16(device)


def matrix_dtype(device: torch.device) -> torch.dtype:
    """For products that need few digits."""
    return torch.bfloat16 if has_bfloat16(device) else torch.float32
