"""Open a model with what belongs to it: language models, pronunciations, decoder settings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from asr.checkpoint import Checkpoint, load_checkpoint
from asr.config import load
from asr.decoding import DecoderSettings, make_decoder
from asr.errors import ConfigError, DecoderError, DeviceError, TokenizerError
from asr.lexicon import Lexicon, read_lexicon
from asr.lm import LstmLm, companion_of, load_lstm_lm, read_words
from asr.recognizer import Recognizer
from asr.tokenizer import Tokenizer

__all__ = ["PRETRAINED", "load_recognizer", "pick_device"]

_log = logging.getLogger(__name__)

PRETRAINED = Path(__file__).parent / "pretrained" / "english"
"""The bundled model: weights, language model and decoder settings."""


def load_recognizer(
    model: Path | None = None,
    *,
    decoder: str | None = None,
    lm: Path | None = None,
    lexicon: Path | None = None,
    device: str = "auto",
    batch_windows: int = 8,
    num_alternatives: int = 0,
) -> Recognizer:
    """Open a model, and the language model and decoder settings that lie beside it.

    Args:
        model: A file, or a folder; the bundled model by default.
        decoder: "greedy" or "beam"; "beam" by default where there is a language model.
        lm: Other n-grams than those beside the weights; an LSTM of their name goes with them.
        lexicon: Other pronunciations than those beside the weights; by default those beside the
            language model that have its name.
        device: "auto", "cpu" or "cuda".
        batch_windows: Windows encoded together, copies of one counted (`BiLSTM.hear_as`).
        num_alternatives: As for `Recognizer`; greedy decoding knows only one.

    Raises:
        AsrError: One of them is missing, damaged or does not fit.
        ConfigError: A language model for greedy decoding.
    """
    if decoder == "greedy" and lm:
        raise ConfigError(f"{lm} for greedy decoding, which uses no language model", "leave it out")
    checkpoint = load_checkpoint(model or PRETRAINED, pick_device(device))
    lm = lm or checkpoint.language_model()
    name = decoder or ("beam" if lm else "greedy")
    file = checkpoint.path.parent / "decoder.yaml"
    settings = load(DecoderSettings, file) if file.exists() else None
    if name == "greedy":
        made = make_decoder(
            name,
            checkpoint.tokenizer,
            word_pieces=checkpoint.word_pieces,
            greedy=settings.greedy if settings else None,
        )
    else:
        words = read_words(lm) if lm else None
        pronunciations = _pronunciations(checkpoint, lexicon, lm, words or ())
        made = make_decoder(
            name,
            checkpoint.tokenizer,
            lm=lm,
            words=words,
            config=settings,
            pronunciations=pronunciations,
            lstm=_companion(lm, words or (), checkpoint.tokenizer) if lm else None,
        )
    return Recognizer(
        checkpoint, made, batch_windows=batch_windows, num_alternatives=num_alternatives
    )


def _companion(lm: Path, words: Sequence[str], tokenizer: Tokenizer) -> LstmLm | None:
    file = companion_of(lm)
    if file is None:
        return None
    lstm = load_lstm_lm(file)
    try:
        for character in filter(tokenizer.can_spell, sorted(set("".join(words)))):
            lstm.pieces.encode(2 * character)  # as a word's beginning and as its continuation
    except TokenizerError as error:
        raise DecoderError(
            f"{file}: {error}, and {lm} has words with it", "move it away, or train it on such text"
        ) from error
    return lstm


def _pronunciations(
    checkpoint: Checkpoint, lexicon: Path | None, lm: Path | None, words: Sequence[str]
) -> tuple[Tokenizer, Lexicon] | None:
    """Those that were named, those of the language model's name, or those beside the weights."""
    if checkpoint.phones is None:
        return None
    own = lm.with_suffix(".lexicon.xz") if lm else None
    file = lexicon or (own if own and own.exists() else checkpoint.lexicon())
    if file is None:
        _log.warning(
            "%s: no pronunciations (*.lexicon.xz) beside it, so beam search goes over letters, "
            "which makes more errors than over its phones",
            checkpoint.path,
        )
        return None
    found = read_lexicon(file, checkpoint.phones.vocabulary)
    unknown = [word for word in words if word not in found.pronunciations]
    if unknown:
        _log.warning(
            "%s: %d of %d words (%s) have no pronunciation in %s and cannot come out; "
            "make one for all with: asr lexicon build %s -o %s",
            *(lm, len(unknown), len(words), _some(unknown), file, lm, own),
        )
    return checkpoint.phones, found


def _some(words: Sequence[str]) -> str:
    return ", ".join([*words[:3], "..."] if len(words) > 3 else words)


def pick_device(name: str) -> torch.device:
    """The compute device of that name; "auto" is the GPU where there is one.

    Raises:
        ConfigError: No such name.
        DeviceError: There is no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"no device {name!r}; there are auto, cpu and cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError("no CUDA device found", "use --device cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
