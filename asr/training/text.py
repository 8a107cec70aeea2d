"""Sentences without recordings, and the pieces of recordings that they are spoken with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from asr.data.dataset import SpeechDataset, collate
from asr.errors import ConfigError, TokenizerError
from asr.lexicon import PHONES, Lexicon, read_lexicon
from asr.lm.corpus import read_sentences
from asr.models import BiLSTM
from asr.tokenizer import Tokenizer
from asr.training.config import RunConfig, TextConfig
from asr.training.splicing import PieceBank, Spliced, splice

__all__ = ["SplicedText", "TextSource", "hear_pieces", "open_text"]

Sentence = tuple[list[int], list[int]]
"""Letters and phones."""

_BATCH = 16


class TextSource:
    """Sentences of a text file, by chance."""

    def __init__(
        self, path: Path, tokenizer: Tokenizer, phones: Tokenizer, lexicon: Lexicon
    ) -> None:
        """Read plain or compressed text, a sentence a line, all of it into memory.

        Raises:
            ManifestError: It cannot be read.
        """
        self.tokenizer, self.phones, self.lexicon = tokenizer, phones, lexicon
        self.lines = read_sentences(path)

    def draw(self, count: int, rng: np.random.Generator) -> list[Sentence]:
        """Letters and phones of up to `count` sentences; those that have none are passed over."""
        lines = (self.lines[i] for i in rng.integers(len(self.lines), size=count))
        return [sentence for sentence in map(self._sentence, lines) if sentence[0] and sentence[1]]

    def _sentence(self, line: str) -> Sentence:
        try:
            return self.tokenizer.encode(line), self.lexicon.tokens(line, self.phones)
        except TokenizerError:
            return [], []


def open_text(config: RunConfig, tokenizer: Tokenizer, rank: int) -> SplicedText | None:
    """The run's sentences without recordings, if it has any.

    Raises:
        ConfigError: The layers below would change while their pieces are in use.
        AsrError: The text or the lexicon cannot be read.
    """
    if config.text.file is None:
        return None
    if not config.phones.frozen or config.data.lexicon is None:
        raise ConfigError(
            "text.file needs phones.frozen and data.lexicon",
            "train the phones first, then go on from that model (init) with phones.frozen=true",
        )
    lexicon = read_lexicon(config.data.lexicon)
    source = TextSource(config.text.file, tokenizer, Tokenizer(PHONES), lexicon)
    return SplicedText(source, config.text, (config.train.seed, rank))


class SplicedText:
    """Batches of sentences that nobody spoke, the same for the same update."""

    def __init__(self, source: TextSource, config: TextConfig, seed: tuple[int, ...]) -> None:
        self.source, self.config, self.seed = source, config, seed
        self.bank = PieceBank()

    def renew(
        self, model: BiLSTM, dataset: SpeechDataset, epoch: int, device: torch.device
    ) -> None:
        """Cut other recordings to pieces; every epoch has its own."""
        rng = np.random.default_rng((*self.seed, epoch))
        count = min(self.config.recordings, len(dataset))
        chosen = rng.choice(len(dataset), size=count, replace=False)
        torch.manual_seed(int(rng.integers(2**63)))
        self.bank = hear_pieces(model, dataset, [(epoch, int(i)) for i in chosen], device)

    def draw(self, step: int, number: int) -> Spliced | None:
        """The batch of an update, or the one of that number in it."""
        rng = np.random.default_rng((*self.seed, step, number))
        return splice(self.bank, self.source.draw(self.config.sentences, rng), rng)


@torch.no_grad()
def hear_pieces(
    model: BiLSTM,
    dataset: SpeechDataset,
    chosen: Sequence[tuple[int, int]],
    device: torch.device,
) -> PieceBank:
    """Pieces of recordings as the model hears them, with its dropout if it is training.

    Args:
        model: With a phone output.
        dataset: Of recordings, as they are augmented.
        chosen: Epoch and utterance of each.
        device: Where the model is.
    """
    bank = PieceBank()
    with _listening(model) as heard:
        for first in range(0, len(chosen), _BATCH):
            keys = chosen[first : first + _BATCH]
            batch = collate([dataset[(epoch, (index,))] for epoch, index in keys]).to(device)
            outputs = model(batch.features, batch.lengths)
            assert outputs.phones is not None
            (states,) = heard
            heard.clear()
            for row, steps in enumerate(outputs.steps.tolist()):
                phones = batch.phones[row, : batch.phone_lengths[row]].tolist()
                bank.add(
                    states[row, :steps].half().cpu(),
                    outputs.phones[row, :steps].half().cpu(),
                    phones,
                )
    return bank


@contextmanager
def _listening(model: BiLSTM) -> Iterator[list[torch.Tensor]]:
    """What the phone output reads, call by call."""
    heard: list[torch.Tensor] = []
    assert model.phones is not None
    hook = model.phones.register_forward_hook(lambda _, inputs, __: heard.append(inputs[0]))
    try:
        yield heard
    finally:
        hook.remove()
