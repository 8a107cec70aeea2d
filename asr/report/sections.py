"""The sections of the page that are written once and need no script."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from asr.comparison import Comparison
from asr.evaluation import Analysis, Evaluation
from asr.report.charts import Scale, axis, bar, histogram, interval, scale_to
from asr.scoring import Interval, Part, WordClass
from asr.scoring.words import first
from asr.text import Changes

__all__ = ["errors_section", "fact", "method_section", "overview", "parts_section", "percent"]

MOST_ROWS = 12
"""Of a table, before the rest is folded away."""
MOST_WORDS = 60
MOST_EXAMPLES = 20
HISTOGRAM_EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

_TITLES = {"speaker": "Speaker", "duration": "Duration", "snr": "Signal-to-noise ratio"}


def percent(value: float, digits: int = 1) -> str:
    """A rate for people; what is no number is a dash."""
    if math.isinf(value):
        return "∞"
    return "–" if math.isnan(value) else f"{100 * value:.{digits}f}\u00a0%"


def _range(ends: Interval) -> str:
    return f"{percent(ends[0])} to {percent(ends[1])}"


def overview(evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison | None]) -> str:
    """The first system's rates, what failed, and how the other systems stand against it."""
    main, several = evaluations[0], len(evaluations) > 1
    return "".join(
        (
            '<section id="overview" aria-label="Overview">',
            _headline(main),
            *(_failures(one, several) for one in evaluations),
            _stack(main) + _facts(main) if main.results else "",
            _systems(evaluations, comparisons) if several else "",
            "</section>",
        )
    )


def _headline(main: Evaluation) -> str:
    if not main.results:
        return (
            '<p class="headline"><strong>not measured</strong>'
            "<span>none of the recordings could be read</span></p>"
        )
    return (
        f'<p class="headline"><strong>{percent(main.report.wer)}</strong>'
        f"<span>word error rate · 95 % interval {_range(main.interval)}</span></p>"
    )


def _failures(one: Evaluation, several: bool) -> str:
    if not one.failures:
        return ""
    items = "".join(
        f"<li><b>{escape(name)}</b> {escape(reason)}</li>" for name, reason in one.failures.items()
    )
    total = len(one.failures) + len(one.results)
    who = f"{escape(one.name)}: " if several else ""
    return (
        f'<div class="alarm" role="note"><b>{who}{len(one.failures)} of {total} recordings '
        "failed</b> and count in no rate.<details><summary>Which, and why</summary>"
        f'<ul class="scroll">{items}</ul></details></div>'
    )


def _stack(main: Evaluation) -> str:
    """Hits and errors as parts of one bar."""
    report = main.report
    kinds = {
        "h": ("correct", report.hits),
        "s": ("substituted", report.substitutions),
        "d": ("deleted", report.deletions),
        "i": ("inserted", report.insertions),
    }
    total = sum(count for _, count in kinds.values()) or 1
    parts = "".join(
        f'<i class="{kind}" style="width:{100 * count / total:.3f}%"></i>'
        for kind, (_, count) in kinds.items()
    )
    said = ", ".join(f"{count} {name}" for name, count in kinds.values())
    return f'<div class="stack" role="img" aria-label="{said}">{parts}</div>'


def _facts(main: Evaluation) -> str:
    report, words = main.report, main.report.reference_words or 1
    speakers = len({speaker for speaker in main.speakers if speaker})
    facts = [
        ("s", "Substitutions", percent(report.substitutions / words), "substitutions"),
        ("d", "Deletions", percent(report.deletions / words), "deletions"),
        ("i", "Insertions", percent(report.insertions / words), "insertions"),
        ("", "Character errors", percent(report.cer), "cer"),
    ]
    boxes = [fact(kind, name, v, _range(main.intervals[key])) for kind, name, v, key in facts]
    spoken = f"{report.utterances:,} utterances"
    if speakers:
        spoken += f", {speakers:,} speaker{'s' if speakers > 1 else ''}"
    boxes.append(fact("", "Words", f"{report.reference_words:,}", spoken))
    speed = f"real-time factor {main.real_time_factor:.4f}"
    boxes.append(fact("", "Audio", _length(main.audio_s), speed))
    return f'<dl class="facts">{"".join(boxes)}</dl>'


def fact(kind: str, name: str, value: str, small: str) -> str:
    """One box of a list of facts; `kind` is the letter of its dot's colour, or empty."""
    dot = f'<i class="dot {kind}"></i>' if kind else ""
    return f"<div><dt>{dot}{name}</dt><dd>{value}<small>{small}</small></dd></div>"


def _length(seconds: float) -> str:
    return f"{seconds / 3600:.2f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def _systems(evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison | None]) -> str:
    ends = [end for one in evaluations for end in (one.report.wer, one.interval[1])]
    scale = scale_to(min(max(_finite(ends)), 2.0))
    rows = [
        _system_row(e, scale, c) for e, c in zip(evaluations, [None, *comparisons], strict=True)
    ]
    head = (
        f'<th scope="col">System</th><th class="chart">{axis(scale)}</th>'
        '<th scope="col" class="n">WER</th><th scope="col" class="n">Failed</th>'
        '<th scope="col" class="n wide">Real time</th>'
        f'<th scope="col">Against {escape(evaluations[0].name)}</th>'
    )
    return (
        '<div class="card"><h3>Systems</h3><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _system_row(one: Evaluation, scale: Scale, comparison: Comparison | None) -> str:
    wer, said = one.report.wer, _against(comparison) if comparison else ""
    chart = interval(scale, wer, one.interval, wer) if one.results else ""
    return (
        f'<tr><th scope="row">{escape(one.name)}</th><td class="chart">{chart}</td>'
        f'<td class="n">{percent(wer)}</td><td class="n">{len(one.failures):,}</td>'
        f'<td class="n wide">{one.real_time_factor:.3f}</td><td>{said}</td></tr>'
    )


def _against(found: Comparison) -> str:
    """The difference on what both could do, which the rates beside it need not be about."""
    low, high = found.interval
    said = (
        f"{100 * found.difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}), "
        f"p = {found.matched.p_value:.2g}"
    )
    if not found.left_out:
        return said
    return (
        f'{said}<br><span class="soft">{percent(found.second.wer)} against '
        f"{percent(found.first.wer)} on the {len(found.pairs):,} that both could do</span>"
    )


def _finite(values: Iterable[float]) -> list[float]:
    """Those that are numbers; 1 where none is."""
    return [value for value in values if math.isfinite(value)] or [1.0]


def parts_section(main: Evaluation, analysis: Analysis) -> str:
    """Where it errs: distributions and breakdowns."""
    cards = [_histogram(main)]
    for name, parts in analysis.breakdowns.items():
        if len(parts) > 1:
            cards.append(_breakdown(_TITLES.get(name, name), name, parts, main.report.wer))
    return (
        '<section id="where"><h2>Where it errs</h2>'
        '<p class="note">Points are word error rates, lines their 95 % intervals, '
        "dashed the whole corpus.</p>"
        f'<div class="cards flow">{"".join(cards)}</div></section>'
    )


def _histogram(main: Evaluation) -> str:
    """Utterances by their error rate."""
    counts = [0] * (len(HISTOGRAM_EDGES) + 1)
    for one in main.scores:
        counts[sum(one.wer > edge for edge in HISTOGRAM_EDGES)] += 1
    labels = ["0", *(f"{100 * edge:.0f}" for edge in HISTOGRAM_EDGES[1:]), "more"]
    said = ", ".join(f"{c} up to {label}" for c, label in zip(counts, labels, strict=True))
    return (
        '<div class="card"><h3>Utterances by error rate</h3>'
        f'<p class="hidden">Percent: {said}</p>{histogram(counts, labels)}'
        '<p class="note">Each column: error rate up to so many percent.</p></div>'
    )


def _breakdown(title: str, name: str, parts: Sequence[Part], whole: float) -> str:
    if name == "speaker":
        parts = sorted(parts, key=lambda part: -part.report.wer)
    ends = [end for part in parts for end in (part.report.wer, part.interval[1])]
    scale = scale_to(min(max(_finite(ends)), 2.0))
    rows = [_part_row(part, scale, whole) for part in parts]
    head = (
        f'<tr><th></th><th class="chart">{axis(scale)}</th>'
        '<th scope="col" class="n">WER</th><th scope="col" class="n">Words</th></tr>'
    )
    return f'<div class="card"><h3>{escape(title)}</h3>{_table(head, rows)}</div>'


def _part_row(part: Part, scale: Scale, whole: float) -> str:
    chart = interval(scale, part.report.wer, part.interval, whole)
    known = not math.isnan(part.interval[0])
    title = f"95 % interval {_range(part.interval)}" if known else "one utterance: no interval"
    return (
        f'<tr title="{title}"><th scope="row">{escape(part.label)}</th>'
        f'<td class="chart">{chart}</td><td class="n">{percent(part.report.wer)}</td>'
        f'<td class="n">{part.report.reference_words:,}</td></tr>'
    )


def _table(head: str, rows: Sequence[str]) -> str:
    """A table whose rows after the first dozen are folded away, their columns still aligned."""
    shown, rest = rows[:MOST_ROWS], rows[MOST_ROWS:]
    table = f"<table><thead>{head}</thead><tbody>{''.join(shown)}</tbody></table>"
    if not rest:
        return table
    return (
        f"{table}<details><summary>{len(rest):,} more</summary>"
        f'<div class="scroll"><table><tbody>{"".join(rest)}</tbody></table></div></details>'
    )


def errors_section(analysis: Analysis) -> str:
    """On what it errs: confusions, and words by how common they are."""
    found = analysis.confusions
    pairs = [
        (f"{r}>{h}", f'{escape(r)}<span class="arrow">→</span>{escape(h)}', count)
        for (r, h), count in first(found.substitutions, MOST_WORDS)
    ]
    deleted = [(f"{w}>", escape(w), count) for w, count in first(found.deletions, MOST_WORDS)]
    inserted = [(f">{w}", escape(w), count) for w, count in first(found.insertions, MOST_WORDS)]
    return (
        '<section id="what"><h2>What it gets wrong</h2>'
        '<p class="note">Choose a word to see where it happened.</p><div class="cards three">'
        + _words("s", "Substituted", pairs, len(found.substitutions))
        + _words("d", "Deleted", deleted, len(found.deletions))
        + _words("i", "Inserted", inserted, len(found.insertions))
        + "</div>"
        + _frequency(analysis.word_classes)
        + "</section>"
    )


def _words(kind: str, title: str, entries: Sequence[tuple[str, str, int]], total: int) -> str:
    if not entries:
        return f'<div class="card"><h3>{title}</h3><p class="soft">none</p></div>'
    most = max(count for _, _, count in entries)
    scale = Scale(most, most)
    rows = [
        f'<tr><th scope="row"><button class="word" type="button" data-filter="{escape(key)}">'
        f'{shown}</button></th><td class="chart">{_plain_bar(scale, count)}</td>'
        f'<td class="n">{count:,}</td></tr>'
        for key, shown, count in entries
    ]
    return (
        f'<div class="card {kind}"><h3>{title} <span class="soft">· {total:,} different</span></h3>'
        f"{_table('', rows)}</div>"
    )


def _plain_bar(scale: Scale, count: int) -> str:
    """A bar without a grid: counts have no axis."""
    return (
        '<svg height="26" aria-hidden="true"><rect class="bar" y="8" '
        f'width="{scale.at(count)}" height="10" rx="3"/></svg>'
    )


def _frequency(classes: Sequence[WordClass] | None) -> str:
    if not classes:
        return ""
    words, hits = sum(one.words for one in classes), sum(one.hits for one in classes)
    scale = Scale(1.0, 0.25)
    rows = "".join(
        f'<tr><th scope="row">{escape(one.label)}</th>'
        f'<td class="chart">{bar(scale, one.accuracy, hits / words)}</td>'
        f'<td class="n">{percent(one.accuracy)}</td><td class="n">{one.words:,}</td>'
        f'<td class="n wide">{one.different:,}</td></tr>'
        for one in classes
    )
    return (
        '<div class="card" style="margin-top:1rem"><h3>Words recognised, by how common they are'
        f'</h3><table><thead><tr><th></th><th class="chart">{axis(scale)}</th>'
        '<th scope="col" class="n">Right</th><th scope="col" class="n">Spoken</th>'
        f'<th scope="col" class="n wide">Different</th></tr></thead><tbody>{rows}</tbody></table>'
        '<p class="note">Occurrences in a million words, as the language model expects them.'
        "</p></div>"
    )


def method_section(main: Evaluation, analysis: Analysis) -> str:
    """How it was measured: the system, the normaliser and what it changed, the statistics."""
    known = [(key, value) for key, value in main.system.items() if value not in (None, "", {})]
    described = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td style="overflow-wrap:anywhere">'
        f"{escape(str(value))}</td></tr>"
        for key, value in known
    )
    return (
        '<section id="how"><h2>How it was measured</h2><div class="cards">'
        f'<div class="card"><h3>System</h3><table><tbody>{described}</tbody></table></div>'
        f'<div class="card"><h3>Normaliser “{escape(main.normaliser)}”</h3>'
        + "".join(_changes(side, changes) for side, changes in analysis.changes.items())
        + "</div></div>"
        '<p class="note">Errors are summed over all utterances before they are divided by the '
        "words of the references. Intervals are 95 % percentile bootstraps over speakers, or over "
        "utterances where fewer than two speakers are known (Bisani and Ney 2004). The "
        "signal-to-noise ratio is an estimate from the power of 20 ms frames: the louder half is "
        "taken for speech with noise, the quietest tenth for noise alone.</p></section>"
    )


def _changes(side: str, changes: Changes) -> str:
    said = f"{changes.changed:,} of {changes.words:,} {side} words changed"
    if not changes.pairs:
        return f"<p>{said}.</p>"
    rows = "".join(
        f'<tr><td>{escape(before)}<span class="arrow">→</span>'
        f"{escape(after) if after else '<i class=soft>nothing</i>'}</td>"
        f'<td class="n">{count:,}</td></tr>'
        for (before, after), count in first(changes.pairs, MOST_EXAMPLES)
    )
    return (
        f"<details><summary>{said}</summary>"
        f'<div class="scroll"><table><tbody>{rows}</tbody></table></div></details>'
    )
