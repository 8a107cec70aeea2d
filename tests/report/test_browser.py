"""The page in a real browser, where one is installed: Chromium without a screen."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache

import pytest

from asr.evaluation import analyse
from asr.report import write_page

from ..evaluation.made import evaluation

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --dump-dom "
    "--disable-background-networking --disable-component-update --disable-sync"
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Gives the page's elements after its script has run, for a state of the page."""
    folder = tmp_path_factory.mktemp("page")
    names = [f"u{i:05}" for i in range(10_000)]
    said = "the quick brown fox jumps over the lazy dog and then it runs away home again"
    rows = [(name, f"s{i % 500}", said, said) for i, name in enumerate(names)]
    rows[7] = ("seventh", "anna", "was it so", "were so now")
    first = evaluation(rows, folder=folder)
    write_page(folder / "page.html", "page", [first], analyse(first))

    @cache
    def run(state=""):
        command = [CHROMIUM, *OPTIONS.split(), f"--user-data-dir={folder / 'profile'}"]
        url = f"{(folder / 'page.html').as_uri()}{state}"
        process = subprocess.run([*command, url], capture_output=True, timeout=120, check=True)
        return process.stdout.decode()

    assert (folder / "page.html").stat().st_size < 30e6
    return run


def rows_of(html):
    (content,) = re.findall(r'<ol class="rows" id="rows">(.*?)</ol>', html, re.DOTALL)
    return re.findall("<li>(.*?)</li>", content, re.DOTALL)


def test_ten_thousand_utterances_are_few_rows_until_they_are_wanted(opened):
    html = opened()
    assert "10,000 of 10,000 utterances" in html
    assert 40 <= len(rows_of(html)) <= 200
    # A tenth of it on an idle machine; the limit is only to notice what is out of all proportion.
    assert int(re.search(r'data-ready="(\d+)"', html).group(1)) < 30_000


def test_the_worst_comes_first_with_its_alignment(opened):
    first = rows_of(opened())[0]
    assert "seventh · anna" in first
    assert "1 substituted, 1 deleted, 1 inserted in 3 words" in first
    words = re.findall(r'<span class="(.)"><i[^>]*>(.*?)</i><i[^>]*>(.*?)</i></span>', first)
    assert sorted(words) == sorted(
        [("s", "was", "were"), ("d", "it", "·"), ("h", "so", "so"), ("n", "·", "now")]
    )


@pytest.mark.parametrize(
    ("state", "count"),
    [("#q=seventh", 1), ("#q=was%3Ewere", 1), ("#q=it%3E", 1), ("#q=%3Enow", 1),
     ("#q=was%3Ewas", 0), ("#q=u0001", 10)],
)  # fmt: skip
def test_utterances_can_be_searched_for_words_and_errors(opened, state, count):
    html = opened(state)
    assert f"{count} of 10,000 utterances" in html
    assert len(rows_of(html)) == count


def test_the_order_can_be_chosen(opened):
    assert "seventh" not in rows_of(opened("#sort=best"))[0]
    assert "seventh" in rows_of(opened("#sort=name"))[0]
