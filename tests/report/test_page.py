"""The page as a whole: self-contained, and well-formed."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from asr.evaluation import analyse
from asr.report import write_page
from asr.types import Word

from ..evaluation.made import evaluation

VOID = {"meta", "input", "br"}


class Checker(HTMLParser):
    """Collects elements; complains where one is closed that is not open."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.ids, self.labels = [], [], [], 0

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.links += [values[key] for key in ("src", "href") if key in values]
        self.ids += [values["id"]] if "id" in values else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page(tmp_path):
    """Writes the page of some rows."""

    def write(rows, **options):
        made = evaluation(rows, folder=tmp_path, **options)
        path = tmp_path / "deep" / "report.html"
        write_page(path, "asr on <test>", [made], analyse(made))
        return path.read_text(encoding="utf-8")

    return write


ROWS = [("a", "anna", "the cat", "the </script><b>"), ("b", "", "ü", "ü")]


def test_every_element_is_closed_and_every_link_stays_in_the_page(page):
    checker = Checker()
    words = {"b": (Word("ü", 0.0, 1.0, 0.5),)}
    checker.feed(page(ROWS, normaliser="none", failures={"x": "gone"}, words=words))
    assert checker.open == []
    assert checker.links
    assert all(link.startswith("#") and link[1:] in checker.ids for link in checker.links)
    assert len(checker.ids) == len(set(checker.ids))


def test_nothing_is_fetched(page):
    html = page(ROWS)
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|@import|url\(", html)


def test_the_data_are_all_utterances(page):
    html = page(ROWS, normaliser="none")
    (content,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    data = json.loads(content)
    assert data["systems"] == ["asr"]
    assert [row[0] for row in data["utterances"]] == ["a", "b"]
    assert data["utterances"][0][6] == [["the </script><b>", "=S"]]


def test_the_title_is_escaped(page):
    assert "<title>asr on &lt;test&gt;</title>" in page(ROWS)


def test_a_page_without_results_still_names_the_failures(page):
    html = page([], failures={"a": "gone"})
    assert "not measured" in html
    assert "gone" in html
    assert "Where it errs" not in html
    assert 'href="#where"' not in html


def test_confidences_have_a_section_where_there_are_any(page):
    words = {"b": (Word("ü", 0.0, 1.0, 0.5),)}
    html = page(ROWS, normaliser="none", words=words)
    assert '<section id="confidence">' in html
    assert '<a href="#confidence">' in html
    assert "#confidence" not in page(ROWS, normaliser="none")
