"""The network of a run: fresh, or with the weights of another, and what only training needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from asr.audio.features import LogMel
from asr.checkpoint import load_checkpoint
from asr.errors import ConfigError, TrainingError
from asr.lexicon import PHONES
from asr.models import BiLSTM, build_model
from asr.models.transfer import warm_start
from asr.tokenizer import Tokenizer
from asr.training.config import RunConfig
from asr.training.crf import trigram
from asr.training.objective import Objective

__all__ = [
    "first_model",
    "fresh_model",
    "go_on",
    "gradient_norms",
    "make_objective",
    "parts_of",
    "with_seed",
]


def go_on(config: RunConfig) -> RunConfig:
    """The run with a seed of its own, where it begins with another one's model.

    With the seed of that run it would draw the same augmentation, text and dropout again, update
    by update; a network knows those: its loss on them is a quarter below that on new ones.

    Raises:
        AsrError: That model cannot be read.
    """
    if config.init is None:
        return config
    run = load_checkpoint(config.init).provenance.get("config", {})
    before = int(run.get("train", {}).get("seed", 0))
    return with_seed(config, (before + config.train.seed) % 2**31)


def with_seed(config: RunConfig, seed: int) -> RunConfig:
    """The same run with another seed."""
    train = config.train.model_copy(update={"seed": seed})
    return config.model_copy(update={"train": train})


def fresh_model(
    config: RunConfig,
    tokenizer: Tokenizer,
    phones: Sequence[str],
    word_pieces: Sequence[str] = (),
) -> BiLSTM:
    """Random weights (torch's global generator); those of `phones.frozen` do not learn."""
    sizes = len(tokenizer), len(phones), len(word_pieces)
    model = build_model(config.model, config.features.n_mels, *sizes)
    if config.phones.frozen:
        _freeze(model)
    return model


def first_model(
    config: RunConfig,
    init: Path | None,
    tokenizer: Tokenizer,
    phones: Sequence[str],
    word_pieces: Sequence[str],
    front_end: LogMel,
    tell: Callable[[str], None],
) -> BiLSTM:
    """Random weights, or those of `init`, the model that is to be trained further.

    The front end then takes over that model's statistics: its weights were trained on features
    normalised with them. Frames may follow each other faster or slower than there, which is told:
    a network hears that as another tempo, and learns it.

    Raises:
        TrainingError: That model has another vocabulary, features, layer of phones or other sizes.
    """
    if init is None:
        return fresh_model(config, tokenizer, phones, word_pieces)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # what `init` lacks is the same in all runs, so that they have a mean
        model = fresh_model(config, tokenizer, phones, word_pieces)
    start = load_checkpoint(init)
    known = start.word_pieces.vocabulary if start.word_pieces else ()
    changed = bool(known and word_pieces) and known != tuple(word_pieces)
    if changed or start.tokenizer.vocabulary != tokenizer.vocabulary:
        raise TrainingError(f"{init}: has another vocabulary than this run")
    hint = "set model and features as asr info shows them"
    hop_ms, hop_before = config.features.hop_ms, start.front_end.config.hop_ms
    if start.front_end.config.model_copy(update={"hop_ms": hop_ms}) != config.features:
        raise TrainingError(f"{init}: has other features than this run", hint)
    if hop_ms != hop_before:
        tell(f"{init}: has features.hop_ms {hop_before:g}, this run {hop_ms:g}: another tempo")
    layer = start.model.config.phone_layer
    if layer and config.model.phone_layer and layer != config.model.phone_layer:
        raise TrainingError(f"{init}: has its phones on layer {layer}", hint)
    try:
        warm_start(model, start.model.state_dict())
        front_end.load_state_dict(start.front_end.state_dict())
    except RuntimeError as error:
        raise TrainingError(f"{init}: has other sizes than this run", hint) from error
    return model


def _freeze(model: BiLSTM) -> None:
    """Leave the phone output and all below it as they are."""
    if model.phones is None:
        raise ConfigError("phones.frozen needs a phone output", "set model.phone_layer")
    layer = model.config.phone_layer or 0
    below = [model.subsampling, *model.layers[:layer], *model.norms[: layer + 1]]
    for module in (*below, model.phones.output):
        module.requires_grad_(False)


def make_objective(
    config: RunConfig,
    model: BiLSTM,
    teacher_size: int | None,
    phone_sequences: Sequence[Sequence[int]] | None = None,
) -> Objective:
    """The network with its losses.

    Args:
        config: Of the run.
        model: The network.
        teacher_size: Width of the teacher's states; None without one.
        phone_sequences: What the random field's language model is counted from; None for CTC.
    """
    phone_model = None
    if phone_sequences is not None and config.phones.crf:
        phone_model = trigram(phone_sequences, len(PHONES))
    return Objective(
        model,
        teacher_size,
        teacher_weight=config.teacher.weight,
        phone_weight=config.phones.weight,
        crf_weight=config.phones.crf,
        phone_model=phone_model,
        text_weight=config.text.weight,
        word_piece_weight=config.word_pieces.weight,
        consistency_weight=config.consistency.weight,
    )


def parts_of(model: BiLSTM) -> dict[str, list[nn.Parameter]]:
    """The network's parameters from the bottom to the top, by the name of the part."""
    below = [model.subsampling, *model.layers]
    names = ["convolutions", *(f"layer {number}" for number in range(1, len(below)))]
    parts = {
        name: [*module.parameters(), *norm.parameters()]
        for name, module, norm in zip(names, below, model.norms, strict=True)
    }
    parts["letters"] = list(model.output.parameters())
    if model.phones is not None:
        parts["phones"] = list(model.phones.parameters())
    if model.word_pieces is not None:
        parts["word pieces"] = list(model.word_pieces.parameters())
    return parts


def gradient_norms(parts: dict[str, list[nn.Parameter]]) -> dict[str, float]:
    """Euclidean norm of each part's gradient; 0 where there is none."""
    gradients = {n: [p.grad for p in ps if p.grad is not None] for n, ps in parts.items()}
    return {name: float(nn.utils.get_total_norm(found)) for name, found in gradients.items()}
