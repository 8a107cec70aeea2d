"""A system over a manifest: recordings decoded ahead, results kept as they come, rates at the end.

The path of a manifest: `recordings` (decoding in worker threads), `journal` (results on disk, for
going on after a stop), `run` (both, around a system), `analysis` (what the results say).
"""

from __future__ import annotations

from asr.evaluation.analysis import BUILT_IN, Analysis, analyse
from asr.evaluation.journal import Journal, Outcome
from asr.evaluation.run import Evaluation, Progress, Result, evaluate

__all__ = [
    "BUILT_IN",
    "Analysis",
    "Evaluation",
    "Journal",
    "Outcome",
    "Progress",
    "Result",
    "analyse",
    "evaluate",
]
