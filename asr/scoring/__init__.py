"""Word and character error rates: counts, intervals, breakdowns, which words, and how surely."""

from __future__ import annotations

from asr.scoring.breakdown import Part, break_down
from asr.scoring.calibration import Calibration, calibrate_words
from asr.scoring.intervals import Interval, bootstrap_rates, bootstrap_wer
from asr.scoring.rates import ErrorReport, UtteranceScore, score, score_utterances, summarise
from asr.scoring.words import Confusions, WordClass, count_confusions, word_accuracy

__all__ = [
    "Calibration",
    "Confusions",
    "ErrorReport",
    "Interval",
    "Part",
    "UtteranceScore",
    "WordClass",
    "bootstrap_rates",
    "bootstrap_wer",
    "break_down",
    "calibrate_words",
    "count_confusions",
    "score",
    "score_utterances",
    "summarise",
    "word_accuracy",
]
