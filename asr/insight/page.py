"""The page of `asr explain`: one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import soundfile

from asr.checkpoint import Checkpoint
from asr.insight.explain import Explanation
from asr.insight.gates import Direction
from asr.insight.html import embed_json, fill, read_template, table
from asr.insight.judge import Judge
from asr.insight.memory_view import memory_caption, memory_charts, memory_table
from asr.insight.page_data import page_data
from asr.insight.reference_text import Comparison, Difference

__all__ = ["render_page"]

_STYLES = ("base.css", "explain.css")
_SCRIPTS = ("timeline.js", "drawing.js", "inside.js", "explain.js")

_CELL_CAPTIONS = {
    "lstm": "A unit of an LSTM keeps one number, its cell state. Three gates between 0 and 1 "
    "decide what comes in, what stays and what is shown.",
    "gru": "A unit of a GRU keeps one number, its output. Two gates between 0 and 1 decide how "
    "much of the past it sees and how much of it stays.",
    "rnn": "A unit of a simple recurrent network keeps one number, its output, which it computes "
    "anew at every step: it has no gates.",
}
_VERDICTS = {
    "word list": "Not in the decoder's word list: {words}.",
    "search": "The right words score better in all; the search lost them on the way.",
    "network": "The network heard it so.",
    "language model": "The network preferred the right words; the language model outvoted it.",
}
_EXPLAINED = {
    "phones": "The search went over phones (sounds), so the phones of the word are what is "
    "explained. The language model, and the letters where the search weighs them as well, have no "
    "part in this picture; and the number below is not the word’s confidence, which depends on "
    "what else the search found.",
    "letters": "The decoder read letters, so the letters of the word are what is explained; a "
    "language model has no part in this picture.",
    "word pieces": "The decoder read word pieces. What is explained are the letters of the word, "
    "which the same layers spell beside them; the number below is not the word’s confidence.",
    "fallback": "The search over phones led to no text that could be spelled in this time; the "
    "text was read from the letters, so the letters of the word are what is explained.",
}
_GREEDY = "The right words are more probable over all paths; greedy decoding follows only one."
_BY_PIECES = {
    "search": "The letters prefer the right words; the text was read from the word pieces.",
    "network": "The letters heard it so, too; the text was read from the word pieces.",
}


def render_page(
    found: Explanation,
    checkpoint: Checkpoint,
    *,
    layer: int,
    direction: Direction,
    word: int | None,
    decoder: str,
) -> str:
    """The HTML of an explanation.

    Args:
        found: What it shows.
        checkpoint: The model.
        layer: Shown first, from 1.
        direction: Shown first.
        word: Chosen first, from 0; None where there are no words.
        decoder: What chose the text, in words.
    """
    data = page_data(found, checkpoint, layer, direction, word)
    name = Path(found.clip.name).name
    features = checkpoint.front_end.config
    memory = found.memory
    values = {
        "title": escape(f"{name}: what the network heard"),
        "name": escape("standard input" if name == "-" else name),
        "style": read_template(*_STYLES),
        "summary": escape(_summary(found, checkpoint, decoder)),
        "transcript": _transcript(found),
        "audio": _audio(found),
        "n_mels": str(features.n_mels),
        "frames_per_s": f"{features.sample_rate / features.hop_length:g}",
        "steps_per_s": f"{1 / found.emissions.seconds_per_step:g}",
        "max_entropy": f"{data['max_entropy']:.1f}",
        "phones": _phones(found, checkpoint) if data["phones"] else "",
        "comparison": _comparison(found, decoder) if found.comparison else "",
        "cell_caption": _CELL_CAPTIONS[checkpoint.model.config.cell],
        "layer_options": "".join(
            f"<option>{n}</option>" for n in range(1, len(checkpoint.model.layers) + 1)
        ),
        "memory_charts": memory_charts(memory),
        "memory_caption": memory_caption(memory),
        "memory_table": memory_table(memory),
        "explained": _explained(found, decoder),
        "word_table": _word_table(found),
        "footer": _footer(found, checkpoint),
        "data": embed_json(data),
        "script": read_template(*_SCRIPTS),
    }
    return fill(read_template("explain.html"), values)


def _summary(found: Explanation, checkpoint: Checkpoint, decoder: str) -> str:
    clip, config = found.clip, checkpoint.model.config
    parameters = sum(p.numel() for p in checkpoint.model.parameters()) / 1e6
    units = " and ".join(str(2 * number) for number in dict.fromkeys(config.units))
    end_s = clip.start_s + clip.duration_s
    stretch = f"{clip.start_s:.2f} to {end_s:.2f} s" if clip.start_s else f"{end_s:.2f} s"
    return (
        f"{stretch} of sound through {config.layers} layers of {units} "
        f"{config.cell.upper()} units ({parameters:.1f} million weights); {decoder}."
        + (f" Note: {clip.note}." if clip.note else "")
    )


def _transcript(found: Explanation) -> str:
    if not found.words:
        return '<span class="soft">(no words)</span>'
    buttons = []
    for word in found.words:
        sure = word.confidence
        kind = "sure" if sure >= 0.8 else "doubt" if sure >= 0.5 else "unsure"
        title = f"{sure:.0%} sure, {word.start:.2f} to {word.end:.2f} s"
        buttons.append(
            f'<button type="button" class="{kind}" title="{title}" aria-pressed="false">'
            f"{escape(word.text)}</button>"
        )
    return " ".join(buttons)


def _audio(found: Explanation) -> str:
    """The clip as FLAC: every browser plays it, and nothing of it is lost but loudness beyond 1."""
    file = io.BytesIO()
    samples = np.clip(found.clip.samples, -1.0, 1.0)
    soundfile.write(file, samples, found.clip.sample_rate, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(file.getvalue()).decode()


def _phones(found: Explanation, checkpoint: Checkpoint) -> str:
    config = checkpoint.model.config
    is_top = config.phone_layer == config.layers
    name = f"Layer {config.phone_layer}" + (", the highest," if is_top else "")
    told = "the output of letters is" if is_top else "the layers above it are"
    squares = " Squares mark the pronunciation of the chosen text." if found.spoken else ""
    return (
        f'<p class="caption">{name} also names the sounds of speech (phones, as in ARPAbet), and '
        f"{told} told what it believes.{squares}</p>"
        '<div class="panel" data-panel="phones"></div>'
    )


def _explained(found: Explanation, decoder: str) -> str:
    """What the saliency is of; nothing where there is no word."""
    if not found.words:
        return ""
    if found.evidence == "letters" and "over phones" in decoder:
        return _EXPLAINED["fallback"]
    return _EXPLAINED["word pieces" if "of word pieces" in decoder else found.evidence]


# ---- the right text ------------------------------------------------------------------------


def _comparison(found: Explanation, decoder: str) -> str:
    comparison = found.comparison
    assert comparison is not None
    parts = [
        '<section id="comparison"><h2>Where it went wrong</h2>',
        f"<p>{_verdict_of_all(comparison)}</p>",
    ]
    if comparison.differences:
        parts.append(
            '<p class="caption">What the decoder gained at each place by writing what it wrote '
            f"instead of the right words: from the network ({_weighed(comparison.judge)}; all "
            "paths of the whole text) and from the language model and the price of a word, in "
            "natural logs. Above zero the wrong words scored better.</p>"
            f'<div class="scroll differences">{_difference_table(found, decoder)}</div>'
        )
    if comparison.spans and _fit(comparison):
        pictures = "letters and of the phones" if comparison.spoken else "letters"
        parts.append(
            '<p class="caption">The log-probability of the chosen text’s best path minus that of '
            f"the right one’s ({_weighed(comparison.judge)}), step by step: upwards the sound "
            "speaks for the chosen text, downwards for the right one. Green squares in the "
            f"picture of the {pictures} mark the right path.</p>"
            '<div class="panel" data-panel="gap"></div>'
        )
    return "".join([*parts, "</section>"])


def _weighed(judge: Judge) -> str:
    """What the network's scores are of, in words."""
    if judge.evidence == "phones" and judge.letter_weight:
        return f"of the phones, and {judge.letter_weight:g} times that of the letters"
    return f"of the {judge.evidence} alone" if judge.evidence == "phones" else "of the letters"


def _fit(comparison: Comparison) -> bool:
    """Whether the recording has the steps for both texts."""
    return math.isfinite(comparison.chosen_acoustic) and math.isfinite(comparison.right_acoustic)


def _verdict_of_all(comparison: Comparison) -> str:
    if not comparison.differences:
        return "Nowhere: the text is the reference."
    right = escape(" ".join(comparison.words))
    text = f"The reference is “{right}”. {_unknown(comparison)}"
    if not _fit(comparison):
        return text + "The recording is too short for the network to write it at all."
    acoustic = comparison.chosen_acoustic - comparison.right_acoustic
    language = comparison.chosen_language - comparison.right_language
    return text + (
        f"The network finds the chosen text {_times(acoustic)} the right one (natural logs "
        f"{comparison.chosen_acoustic:.1f} and {comparison.right_acoustic:.1f}, "
        f"{_weighed(comparison.judge)})"
        + (
            f"; the language model's weighed preference is {language:+.1f} for the chosen."
            if language
            else "."
        )
    )


def _unknown(comparison: Comparison) -> str:
    """What is special about words of the reference that the decoder cannot write."""
    judge, notes = comparison.judge, []
    if comparison.unknown:
        notes.append(f"The decoder cannot write {_quoted(comparison.unknown)}. ")
    notes += [
        f"“{escape(word)}” is not in the lexicon; it is taken to be said {' '.join(phones)}. "
        for word, phones in judge.predicted.items()
    ]
    if judge.unsayable:
        notes.append(
            f"The search went over phones, but nothing tells how {_quoted(judge.unsayable)} would "
            "be said, so that the network’s scores in this section are those of the letters. "
        )
    return "".join(notes)


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"“{escape(word)}”" for word in words)


def _times(log_ratio: float) -> str:
    if abs(log_ratio) < 0.05:
        return "as probable as"
    power = abs(log_ratio) / math.log(10)
    often = f"{10**power:.2g}" if power < 2 else f"about 10<sup>{power:.0f}</sup>"
    return f"{often} times {'more' if log_ratio > 0 else 'less'} probable than"


def _difference_table(found: Explanation, decoder: str) -> str:
    assert found.comparison is not None
    step_s, start_s = found.emissions.seconds_per_step, found.clip.start_s
    weighs = any(difference.language for difference in found.comparison.differences)
    rows = []
    for difference in found.comparison.differences:
        from_s, to_s = difference.start_step * step_s, difference.end_step * step_s
        button = (
            f'<button type="button" data-from="{from_s:.2f}" data-to="{to_s:.2f}">'
            f"{from_s + start_s:.2f} s</button>"
        )
        chosen, right = escape(" ".join(difference.chosen)), escape(" ".join(difference.right))
        rows.append(
            [
                button,
                f"<del>{chosen}</del>" if chosen else '<span class="soft">(nothing)</span>',
                f"<ins>{right}</ins>" if right else '<span class="soft">(nothing)</span>',
                _signed(difference.acoustic),
                *([_signed(difference.language)] if weighs else []),
                escape(_verdict(difference, decoder)),
            ]
        )
    head = ("at", "written", "right", "network", *(["language"] if weighs else []), "why")
    return table(head, rows, numbers=(3, 4) if weighs else (3,))


def _verdict(difference: Difference, decoder: str) -> str:
    if decoder.endswith("of word pieces") and difference.verdict in _BY_PIECES:
        return _BY_PIECES[difference.verdict]
    if difference.verdict == "search" and decoder.startswith("greedy"):
        return _GREEDY
    return _VERDICTS[difference.verdict].format(words=", ".join(difference.unknown))


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−") if math.isfinite(value) else "∞"


# ---- the rest ------------------------------------------------------------------------------


def _word_table(found: Explanation) -> str:
    rows = [
        [
            str(number),
            escape(word.text),
            f"{word.start + found.clip.start_s:.2f}",
            f"{word.end + found.clip.start_s:.2f}",
            f"{word.confidence:.0%}",
        ]
        for number, word in enumerate(found.words, start=1)
    ]
    return table(("", "word", "from (s)", "to (s)", "confidence"), rows, numbers=(0, 2, 3, 4))


def _footer(found: Explanation, checkpoint: Checkpoint) -> str:
    deviation = max(cell.deviation for cell in found.cells)
    return (
        f"<p>Model {escape(str(checkpoint.path))}, content hash "
        f"{escape(checkpoint.content_hash[:16])}. Gates and states were recomputed from the same "
        "weights by a step-by-step reference (asr/insight/reference.py, drawn in docs/lstm.md); "
        f"its outputs differ from torch's by at most {deviation:.0e}. They are stored in "
        "63 levels, cell states in 255. Made by asr explain; this page loads nothing from "
        "anywhere.</p>"
    )
