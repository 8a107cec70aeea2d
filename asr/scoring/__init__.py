"""Word and character error rates: counts, intervals, breakdowns, and which words go wrong."""

from __future__ import annotations

from asr.scoring.breakdown import Part, break_down
from asr.scoring.intervals import Interval, bootstrap_rates, bootstrap_wer
from asr.scoring.rates import ErrorReport, UtteranceScore, score, score_utterances, summarise
from asr.scoring.words import Confusions, WordClass, count_confusions, word_accuracy

__all__ = [
    "Confusions",
    "ErrorReport",
    "Interval",
    "Part",
    "UtteranceScore",
    "WordClass",
    "bootstrap_rates",
    "bootstrap_wer",
    "break_down",
    "count_confusions",
    "score",
    "score_utterances",
    "summarise",
    "word_accuracy",
]
