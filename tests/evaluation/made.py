"""Evaluations made from texts, without any recording."""

from __future__ import annotations

from asr.evaluation import Evaluation, Outcome, Result
from asr.scoring import bootstrap_rates, score_utterances, summarise
from asr.types import Utterance


def evaluation(rows, *, name="asr", normaliser="basic", failures=None, words=None, folder="/a"):
    """An evaluation of (id, speaker, reference, hypothesis) rows; two seconds each.

    `words` are the Word values of an utterance, by id.
    """
    scores = score_utterances([row[2] for row in rows], [row[3] for row in rows], normaliser)
    results = tuple(
        Result(
            Utterance(key, f"{folder}/{key}.wav", reference, 2.0, speaker),
            Outcome(key, f"{folder}/{key}.wav", text, (words or {}).get(key, ()), 2.0, 20.0),
            score,
        )
        for (key, speaker, reference, text), score in zip(rows, scores, strict=True)
    )
    return Evaluation(
        system={"name": name, "model": "x"},
        report=summarise(scores),
        intervals=bootstrap_rates(scores, [row[1] for row in rows]),
        results=results,
        failures=failures or {},
        audio_s=2.0 * len(rows),
        elapsed_s=0.5,
        normaliser=normaliser,
    )
