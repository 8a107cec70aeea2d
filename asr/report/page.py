"""The page as a whole: one file with its style, its script and its data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from html import escape
from pathlib import Path

from asr.comparison import Comparison
from asr.evaluation import Analysis, Evaluation
from asr.report.confidence import confidence_section
from asr.report.rows import embed, utterance_rows
from asr.report.sections import errors_section, method_section, overview, parts_section

__all__ = ["render_page", "write_page"]

_ASSETS = Path(__file__).parent / "assets"

# No network: whatever the page holds, the browser may load recordings from disk and nothing else.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "media-src 'self' file:"
)

_SECTIONS = {
    "overview": "Overview",
    "where": "Where",
    "what": "What",
    "confidence": "Confidence",
    "utterances": "Utterances",
    "how": "How",
}

_ORDERS = {
    "errors": "Most errors",
    "wer": "Highest error rate",
    "best": "Lowest error rate",
    "longest": "Longest",
    "noisiest": "Noisiest",
    "name": "Name",
}


def write_page(
    path: Path,
    title: str,
    evaluations: Sequence[Evaluation],
    analysis: Analysis,
    comparisons: Sequence[Comparison | None] = (),
) -> None:
    """Write the page; see `render_page`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = render_page(title, evaluations, analysis, comparisons, path.parent)
    path.write_text(page, encoding="utf-8")


def render_page(
    title: str,
    evaluations: Sequence[Evaluation],
    analysis: Analysis,
    comparisons: Sequence[Comparison | None],
    folder: Path,
) -> str:
    """The page's HTML.

    Args:
        title: What was evaluated.
        evaluations: The system that the page is about, and others on the same manifest.
        analysis: Of the first.
        comparisons: Of the first with each of the others; None where they have nothing in common.
        folder: Where the page is to lie; recordings below it are linked relative to it.
    """
    main = evaluations[0]
    data = {
        "systems": [one.name for one in evaluations],
        "utterances": utterance_rows(evaluations, folder),
    }
    body = [overview(evaluations, comparisons)]
    if main.results:
        body += [parts_section(main, analysis), errors_section(analysis)]
    if analysis.calibration:
        body += [confidence_section(analysis.calibration)]
    body += [_utterances(evaluations), method_section(main, analysis)]
    content = "".join(body)
    return (
        _head(title, [key for key in _SECTIONS if f'<section id="{key}"' in content])
        + content
        + f'</main>\n<script type="application/json" id="data">{embed(data)}</script>\n'
        + f"<script>{_asset('report.js')}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _head(title: str, sections: Sequence[str]) -> str:
    links = "".join(f'<li><a href="#{key}">{_SECTIONS[key]}</a></li>' for key in sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_asset("report.css")}</style>
</head>
<body>
<a class="skip" href="#utterances">To the utterances</a>
<header class="top"><h1>{escape(title)}</h1>
<p class="note" style="margin:0">{date.today():%-d %B %Y}</p></header>
<nav aria-label="Sections"><ul>{links}</ul></nav>
<main>
"""


def _utterances(evaluations: Sequence[Evaluation]) -> str:
    orders = _ORDERS | (
        {"behind": "Furthest behind the best system"} if len(evaluations) > 1 else {}
    )
    names = {str(i): one.name for i, one in enumerate(evaluations)}
    hidden = "" if len(evaluations) > 1 else " hidden"
    return f"""<section id="utterances"><h2>Utterances</h2>
<div class="controls">
<label>Search<input id="search" type="search" placeholder="a word, a speaker, or was>were"></label>
<label>Sort by<select id="order">{_options(orders)}</select></label>
<label{hidden}>System<select id="system">{_options(names)}</select></label>
</div>
<p class="legend"><span><i class="dot s" style="display:inline-block"></i> substituted</span>
<span><i class="dot d" style="display:inline-block"></i> deleted: spoken, not recognised</span>
<span><i class="dot i" style="display:inline-block"></i> inserted: recognised, not spoken</span>
<span>above, what was said; below, what was recognised</span></p>
<p class="soft" id="count" role="status"></p>
<noscript><p>The utterances need JavaScript; the rest of the page does not.</p></noscript>
<ol class="rows" id="rows"></ol>
<button class="more" id="more" type="button" hidden>Show more</button>
</section>
"""


def _options(names: dict[str, str]) -> str:
    return "".join(f'<option value="{key}">{escape(name)}</option>' for key, name in names.items())
