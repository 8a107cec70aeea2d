"""The page's section on confidences: whether they are what they say."""

from __future__ import annotations

from asr.report.charts import histogram, reliability
from asr.report.sections import fact, percent
from asr.scoring import Calibration
from asr.scoring.calibration import Bin

__all__ = ["confidence_section"]


def confidence_section(found: Calibration) -> str:
    """The reliability diagram with the number of words in each bin, and the same as a table."""
    return (
        '<section id="confidence"><h2>Whether its confidences are true</h2>'
        f"{_facts(found)}"
        f'<div class="cards">{_diagram(found)}{_table(found)}</div></section>'
    )


def _facts(found: Calibration) -> str:
    nce = "–" if found.nce is None else f"{found.nce:.2f}"
    left_out = f"{found.left_out:,} left out" if found.left_out else "none left out"
    boxes = (
        fact("", "Expected calibration error", percent(found.ece), "0 is perfect"),
        fact("", "Normalised cross entropy", nce, "1 is perfect, 0 says nothing of a word"),
        fact("", "Recognised words", f"{found.words:,}", left_out),
    )
    return f'<dl class="facts">{"".join(boxes)}</dl>'


def _diagram(found: Calibration) -> str:
    points = [(one.confidence, one.accuracy, one.interval) for one in found.bins if one.words]
    counts = histogram(
        [one.words for one in found.bins], [f"{100 * one.high:.0f}" for one in found.bins]
    )
    return (
        '<div class="card"><h3>Words right, by confidence</h3>'
        f'<div style="margin:.8rem .4rem 0 2.6rem">{reliability(points)}{counts}</div>'
        '<p class="note">Points are shares of right words at their mean confidence, lines 95 % '
        "intervals (Wilson 1927, words taken for independent). On the dashed line confidences "
        "are true, below it too high. Each column: words with a confidence up to so many percent."
        "</p></div>"
    )


def _table(found: Calibration) -> str:
    head = (
        '<th scope="col" class="n">Mean</th><th scope="col" class="n">Right</th>'
        '<th scope="col" class="n wide">95 % interval</th><th scope="col" class="n">Words</th>'
    )
    rows = "".join(_row(one) for one in found.bins if one.words)
    return (
        '<div class="card"><h3>In numbers</h3><table><thead><tr><th scope="col">Confidence</th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table>"
        '<p class="note">Right is a word that the alignment counts as a hit. Left out are words '
        "that the normaliser joins or drops, and words without a confidence.</p></div>"
    )


def _row(one: Bin) -> str:
    low, high = one.interval
    return (
        f'<tr><th scope="row">{100 * one.low:.0f} to {percent(one.high, 0)}</th>'
        f'<td class="n">{percent(one.confidence)}</td><td class="n">{percent(one.accuracy)}</td>'
        f'<td class="n wide">{percent(low)} to {percent(high)}</td>'
        f'<td class="n">{one.words:,}</td></tr>'
    )
