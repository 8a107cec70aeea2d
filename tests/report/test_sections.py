"""What stands in the sections."""

from __future__ import annotations

import math
import re

import pytest

from asr.comparison import Pair, compare
from asr.evaluation import analyse
from asr.report.sections import errors_section, method_section, overview, parts_section, percent

from ..evaluation.made import evaluation

ROWS = [("a", "anna", "the cat", "the bat"), ("b", "ben", "the dog sat", "the dog"),
        ("c", "ben", "yes", "oh yes")]  # fmt: skip


def plain(html):
    """The text of some HTML, entities as they are."""
    return " ".join(re.sub("<[^>]*>", " ", html).replace("\u00a0", " ").split())


@pytest.mark.parametrize(
    ("value", "written"), [(0.4571, "45.7 %"), (math.inf, "∞"), (math.nan, "–"), (1.5, "150.0 %")]
)
def test_rates_are_percent(value, written):
    assert percent(value).replace("\u00a0", " ") == written


def test_the_overview_has_every_rate_with_its_interval():
    text = plain(overview([evaluation(ROWS)], []))
    assert text.startswith("50.0 % word error rate · 95 % interval ")
    for kind in ("Substitutions", "Deletions", "Insertions"):
        assert f"{kind} 16.7 % " in text
    assert "6 3 utterances, 2 speakers" in text
    assert "failed" not in text


def test_failures_are_listed_and_escaped():
    html = overview([evaluation(ROWS, failures={"x<y": "no <b>file</b>"})], [])
    assert "1 of 4 recordings failed" in plain(html)
    assert "x&lt;y" in html
    assert "no &lt;b&gt;file" in html


def test_where_nothing_was_measured_no_rate_is_shown():
    text = plain(overview([evaluation([], failures={"a": "gone", "b": "gone"})], []))
    assert "not measured" in text
    assert "2 of 2 recordings failed" in text
    assert "%" not in text


def test_other_systems_stand_beside_ours_with_the_difference():
    first, second = evaluation(ROWS), evaluation([(*row[:3], row[2]) for row in ROWS], name="other")
    pairs = [
        Pair(a.utterance.id, a.utterance.speaker, a.score, b.score)
        for a, b in zip(first.results, second.results, strict=True)
    ]
    comparison = compare(("asr", "other"), pairs)
    # Either speaker has half of the words wrong in the first and none in the second.
    said = "other 0.0 % 0 0.083 -50.0 (-50.0 to -50.0), p = 0.25"
    text = plain(overview([first, second], [comparison]))
    assert text.endswith(said)
    assert plain(overview([first, second], [None])).endswith("other 0.0 % 0 0.083")


def test_a_system_that_failed_is_compared_on_what_both_could_do_and_its_failures_are_listed():
    # The other has all right that it could do, and so has ours of that: no difference.
    first = evaluation([*ROWS, ("d", "ben", "oh", "oh")])
    failures = dict.fromkeys("abc", "too <hard>")
    second = evaluation([("d", "ben", "oh", "oh")], name="other", failures=failures)
    pair = Pair("d", "ben", first.results[3].score, second.results[0].score)
    comparison = compare(("asr", "other"), [pair], ["a", "b", "c"])
    html = overview([first, second], [comparison])
    assert "other: 3 of 4 recordings failed" in plain(html)
    assert "asr: " not in plain(html)
    assert "<b>c</b> too &lt;hard&gt;" in html
    assert "System 0 % 50 % WER Failed Real time Against asr" in plain(html)
    # 3 errors in 7 words of ours, and 2 s of audio for 0.5 s of the other's time.
    assert "asr 42.9 % 0 0.062" in plain(html)
    assert plain(html).endswith(
        "other 0.0 % 3 0.250 +0.0 (+0.0 to +0.0), p = 1 "
        "0.0 % against 0.0 % on the 1 that both could do"
    )


def test_breakdowns_show_their_parts_and_not_what_is_one_part():
    made = evaluation(ROWS)
    text = plain(parts_section(made, analyse(made)))
    assert "Speaker" in text
    assert "anna 50.0 % 2" in text
    assert "ben 50.0 % 4" in text
    assert "Duration" not in text


def test_many_rows_are_folded_away():
    made = evaluation([(f"u{i}", f"s{i:02}", "a", "a") for i in range(20)])
    html = parts_section(made, analyse(made))
    assert "<summary>8 more</summary>" in html
    assert html.count('scope="row"') == 20


def test_words_can_be_chosen():
    html = errors_section(analyse(evaluation(ROWS)))
    assert 'data-filter="cat&gt;bat"' in html
    assert 'data-filter="sat&gt;"' in html
    assert 'data-filter="&gt;oh"' in html
    assert "common" not in html


def test_accuracy_by_frequency_is_shown_where_it_is_known():
    made = evaluation(ROWS)
    frequencies = {"the": 50_000.0}
    text = plain(errors_section(analyse(made, (), frequencies.get)))
    assert "10000 per million and more 100.0 % 2 1" in text
    assert "not in the vocabulary 50.0 % 4 4" in text


def test_what_was_normalised_is_shown_with_examples():
    made = evaluation([("a", "", "It's <b>", "it's b")], normaliser="english")
    html = method_section(made, analyse(made))
    text = plain(html)
    assert "Normaliser “english”" in text
    assert "2 of 2 reference words changed" in text
    assert "It&#x27;s → it is 1" in text
    assert "&lt;b&gt; → nothing 1" in text
    assert "model x" in text
