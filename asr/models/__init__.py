"""Acoustic models by name. Each takes (features, lengths) to `Outputs`."""

from __future__ import annotations

from asr.models.bilstm import BiLSTM, BiLSTMConfig, Outputs

__all__ = ["MODELS", "BiLSTM", "BiLSTMConfig", "Outputs", "build_model"]

MODELS = {"bilstm": BiLSTM}
"""The class of each `model.name`; its configuration is a Config with that name as a literal."""


def build_model(
    config: BiLSTMConfig,
    n_mels: int,
    vocab_size: int,
    num_phones: int = 0,
    num_word_pieces: int = 0,
) -> BiLSTM:
    """A freshly initialised model (torch's global generator)."""
    return MODELS[config.name](config, n_mels, vocab_size, num_phones, num_word_pieces)
