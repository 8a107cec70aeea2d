"""Sentences without recordings, and the pieces of recordings that they are spoken with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from asr.data.batches import bucket_batches
from asr.data.dataset import SpeechDataset, collate
from asr.errors import ConfigError, TokenizerError
from asr.lexicon import PHONES, Lexicon, read_lexicon
from asr.lm.corpus import read_sentences
from asr.models import BiLSTM
from asr.text import normalise_target
from asr.tokenizer import Tokenizer
from asr.training.config import RunConfig, TextConfig
from asr.training.splicing import PieceBank, Sentence, Spliced, splice
from asr.word_pieces import open_word_pieces

__all__ = ["SplicedText", "TextSource", "hear_pieces", "open_text"]

_BATCH = 16
_POOL = 512
"""Sentences that are sorted by length to make batches of."""
_SAMPLE = 1000
"""Lines of a text that are tried before a run."""


class TextSource:
    """Sentences of a text file, by chance."""

    def __init__(
        self,
        path: Path,
        tokenizer: Tokenizer,
        phones: Tokenizer,
        lexicon: Lexicon,
        word_pieces: Tokenizer | None = None,
    ) -> None:
        """Read plain or compressed text, a sentence a line, all of it into memory.

        Raises:
            ManifestError: It cannot be read.
            ConfigError: Of a sample of its lines none can be spelled and pronounced.
        """
        self.tokenizer, self.phones, self.lexicon = tokenizer, phones, lexicon
        self.word_pieces = word_pieces
        self.lines = read_sentences(path)
        sample = self.lines[:: max(1, len(self.lines) // _SAMPLE)]
        if not any(_is_usable(self._sentence(line)) for line in sample):
            raise ConfigError(
                f"{path}: none of {len(sample)} lines can be spelled by the vocabulary and "
                "pronounced by the lexicon",
                "give a text with a sentence of known words on each line",
            )

    def draw(self, letters: int, rng: np.random.Generator) -> list[Sentence]:
        """Sentences of similar length; those without letters or phones are passed over.

        Args:
            letters: Of all of them together, padding included; a longer sentence comes alone.
            rng: Chooses; every sentence is as likely as any other.
        """
        lines = [self.lines[i] for i in rng.integers(len(self.lines), size=_POOL)]
        lengths = [float(len(line)) for line in lines]
        chosen = bucket_batches(lengths, letters, rng.integers(2**63, size=2).tolist())[0]
        sentences = (self._sentence(lines[i]) for i in chosen)
        return [sentence for sentence in sentences if _is_usable(sentence)]

    def _sentence(self, line: str) -> Sentence:
        line = normalise_target(line)
        try:
            return Sentence(
                self.tokenizer.encode(line),
                self.lexicon.tokens(line, self.phones),
                self.word_pieces.encode(line) if self.word_pieces else (),
            )
        except TokenizerError:
            return Sentence((), ())


def _is_usable(sentence: Sentence) -> bool:
    return bool(sentence.letters and sentence.phones)


def open_text(config: RunConfig, tokenizer: Tokenizer, rank: int) -> SplicedText | None:
    """The run's sentences without recordings, if it has any.

    Raises:
        ConfigError: There is no phone output, or no lexicon.
        AsrError: The text or the lexicon cannot be read.
    """
    if config.text.file is None:
        return None
    if config.model.phone_layer is None or config.data.lexicon is None:
        raise ConfigError("text.file needs model.phone_layer and data.lexicon")
    lexicon = read_lexicon(config.data.lexicon)
    word_pieces = open_word_pieces(config.word_pieces.file)
    source = TextSource(config.text.file, tokenizer, Tokenizer(PHONES), lexicon, word_pieces)
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

    def draw(self, step: int, number: int, device: torch.device) -> Spliced | None:
        """The batch of an update, or the one of that number in it."""
        rng = np.random.default_rng((*self.seed, step, number))
        sentences = self.source.draw(self.config.letters, rng)
        spliced = splice(self.bank, sentences, rng, self.config.misheard)
        return spliced.to(device) if spliced else None


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
    for first in range(0, len(chosen), _BATCH):
        keys = chosen[first : first + _BATCH]
        batch = collate([dataset[(epoch, (index,))] for epoch, index in keys]).to(device)
        outputs = model(batch.features, batch.lengths)
        assert outputs.phones is not None
        for row, steps in enumerate(outputs.steps.tolist()):
            bank.add(
                outputs.encoded[row, :steps].half().cpu(),
                outputs.phones[row, :steps].half().cpu(),
                batch.phones[row, : batch.phone_lengths[row]].tolist(),
            )
    return bank
