"""Two language models as one: each word's probability is a mean of theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from asr.lm.recurrent import LstmLm
from asr.lm.scoring import NgramModel

__all__ = ["mixed_scores"]


def mixed_scores(
    sentences: Sequence[Sequence[str]], ngrams: NgramModel | None, lstm: LstmLm, share: float
) -> torch.Tensor:
    """Natural log-probability of each sentence, its end included, float32 (sentences,).

    A word has `share` of the probability that the LSTM gives it and the rest of the n-grams', as
    is usual (Mikolov et al. 2010): where one of the two is surprised, the other has its say.

    Args:
        sentences: As words.
        ngrams: Without them the LSTM's is taken as it is.
        lstm: The other language model.
        share: From 0 to 1.

    Raises:
        TokenizerError: A word has a character that the LSTM does not know.
    """
    words = lstm.score_words(sentences)
    if ngrams is not None:
        said = [score for sentence in sentences for score in ngrams.score_words(sentence)]
        shares = torch.tensor([share, 1 - share]).log()
        words = torch.logaddexp(words + shares[0], torch.tensor(said) * math.log(10) + shares[1])
    sentence = torch.repeat_interleave(torch.tensor([len(one) + 1 for one in sentences]).long())
    return torch.zeros(len(sentences)).index_add_(0, sentence, words)
