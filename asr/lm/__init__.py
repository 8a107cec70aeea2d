"""Language models: n-grams, estimated, pruned, written and read; and an LSTM over pieces of words.

The path of a text: `corpus` (words to numbers), `counts` (n-grams), `kneser_ney` (probabilities),
`pruning`, then `arpa` or `binary`; `build` goes along it, `scoring` reads what it wrote.
"""

from __future__ import annotations

from asr.lm.build import LmConfig, LmReport, build_lm
from asr.lm.mixture import mixed_scores
from asr.lm.recurrent import LstmLm, companion_of, load_lstm_lm
from asr.lm.scoring import NgramModel, perplexity, read_words

__all__ = [
    "LmConfig",
    "LmReport",
    "LstmLm",
    "NgramModel",
    "build_lm",
    "companion_of",
    "load_lstm_lm",
    "mixed_scores",
    "perplexity",
    "read_words",
]
