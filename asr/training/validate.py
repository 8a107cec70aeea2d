"""Greedy error rates and losses of a model on a corpus."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from rapidfuzz.distance import Levenshtein

from asr.audio.features import LogMel
from asr.ctc import collapse
from asr.data.batches import bucket_batches
from asr.scoring import ErrorReport, score
from asr.tokenizer import Tokenizer
from asr.training.config import RunConfig
from asr.training.data import Corpus, make_dataset, make_loader
from asr.training.objective import Objective
from asr.word_pieces import open_word_pieces

__all__ = ["Validation", "decode_greedy", "token_errors", "validate"]


@dataclass(frozen=True)
class Validation:
    """CTC losses per token and per phone, share of tokens right (1 - token error rate), rates.

    The rates are those of the word pieces, where the network has an output of them.
    """

    loss: float
    phone_loss: float
    token_accuracy: float
    report: ErrorReport


def decode_greedy(best: torch.Tensor, steps: torch.Tensor) -> list[list[int]]:
    """The best token of every step, collapsed, for each utterance of a batch.

    Args:
        best: int64 (batch, steps).
        steps: int64 (batch,), valid steps.
    """
    paths = zip(best.cpu(), steps.tolist(), strict=True)
    return [list(collapse(path[:length])[0]) for path, length in paths]


def token_errors(references: list[list[int]], hypotheses: list[list[int]]) -> int:
    """Edit distance between token sequences, summed."""
    pairs = zip(references, hypotheses, strict=True)
    return sum(Levenshtein.distance(reference, hypothesis) for reference, hypothesis in pairs)


@torch.inference_mode()
def validate(
    objective: Objective,
    corpus: Corpus,
    config: RunConfig,
    front_end: LogMel,
    tokenizer: Tokenizer,
    device: torch.device,
) -> Validation:
    """Evaluate in float32, without augmentation; leaves the module in evaluation mode."""
    objective.eval()
    dataset = make_dataset(corpus, config, front_end, training=False)
    batches = bucket_batches(corpus.durations, 2 * config.train.batch_s, (0,), jitter=0)
    letters: dict[int, list[int]] = {}
    word_pieces: dict[int, list[int]] = {}
    pieces = open_word_pieces(config.word_pieces.file)
    loss, phone_loss, num_phones = 0.0, 0.0, 0
    alone = [[(index,) for index in batch] for batch in batches]
    for batch in make_loader(dataset, alone, 0, workers=0):
        losses = objective(batch.to(device))
        loss += float(losses.ctc[torch.isfinite(losses.ctc)].sum())
        batch_phones = int(batch.phone_lengths.sum())
        phone_loss += float(losses.phones) * batch_phones
        num_phones += batch_phones
        indices = [index for (index,) in batch.indices]
        best = losses.log_probs.argmax(dim=-1)
        letters.update(zip(indices, decode_greedy(best, losses.steps), strict=True))
        if losses.best_pieces is not None:
            found = decode_greedy(losses.best_pieces, losses.steps)
            word_pieces.update(zip(indices, found, strict=True))
    decoded = [letters[i] for i in range(len(corpus.tokens))]
    num_tokens = sum(map(len, corpus.tokens))
    texts = [tokenizer.decode(ids) for ids in decoded]
    if pieces:
        texts = [pieces.decode(word_pieces[i]) for i in range(len(texts))]
    return Validation(
        loss=loss / num_tokens,
        phone_loss=phone_loss / max(1, num_phones),
        token_accuracy=1 - token_errors(corpus.tokens, decoded) / num_tokens,
        report=score(corpus.texts, texts),
    )
