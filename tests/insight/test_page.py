"""The page of an explanation: complete, alone, and alive in a real browser."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from asr.insight.explain import explain
from asr.insight.page import render_page
from asr.lexicon import Lexicon

from .tiny import clip_of, explained, phone_decoder, tiny_recognizer

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
CONFIGS = [{}, {"phones": True}, {"config": {"cell": "gru"}}, {"config": {"cell": "rnn"}}]


class Page(HTMLParser):
    """What a test asks of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.panels, self.scripts, self._script = [], [], [], False
        self.words = []
        self.feed(text)
        self.data = json.loads(self.scripts[0])

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [attrs[name] for name in ("src", "href") if name in attrs]
        if "data-panel" in attrs:
            self.panels.append(attrs["data-panel"])
        if tag == "script":
            self._script = True
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._script = False

    def handle_data(self, data):
        if self._script:
            self.scripts[-1] += data


def page_of(name="greedy decoding", **options):
    recognizer, found = explained(**options)
    return render_page(
        found, recognizer.checkpoint, layer=1, direction="forward", word=0, decoder=name
    )


def by_phones(search=(), **options):
    decoder = phone_decoder(**dict(search))
    return page_of("beam search over phones", phones=True, decoder=decoder, **options)


@pytest.mark.parametrize("options", CONFIGS, ids=str)
def test_a_page_needs_nothing_but_itself(options):
    text = page_of(**options)
    page = Page(text)
    assert page.links
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|https?://(?!www\.w3\.org/)", text)
    assert "{{" not in text
    assert "default-src 'none'" in text


def test_phones_and_the_right_text_have_panels_only_where_there_are_any():
    assert {"phones", "gap"}.isdisjoint(Page(page_of()).panels)
    assert {"phones", "gap"} <= set(Page(page_of(phones=True, reference="abc")).panels)


def test_a_page_says_whether_letters_or_phones_made_a_word():
    letters, phones = page_of(), by_phones()
    assert "the letters of the word are what is explained" in letters
    assert "the phones of the word are what is explained" in phones
    assert "not the word’s confidence" in phones
    assert all("log of the confidence" not in page for page in (letters, phones))
    assert Page(letters).data["evidence"] == "letters"
    data = Page(phones).data
    assert data["evidence"] == "phones"
    assert {word["explained"] for word in data["words"]} <= {"AA B", "B AA", "B AA B"}
    assert any(data["phones"]["path"])
    fallen_back = page_of("beam search over phones", phones=True)
    assert "led to no text that could be spelled" in fallen_back
    assert "which the same layers spell" in page_of("greedy decoding of word pieces")


def test_letters_are_not_blamed_for_what_word_pieces_wrote():
    text = page_of("greedy decoding of word pieces", reference="cab cab cab")
    assert "the text was read from the word pieces" in text
    assert "greedy decoding follows only one" not in text
    assert "the text was read from the word pieces" not in page_of(reference="cab cab cab")


@pytest.mark.parametrize(
    ("weight", "weighed"),
    [(0.0, "of the phones alone"), (0.5, "of the phones, and 0.5 times that of the letters")],
)
def test_the_gap_says_what_it_is_of(weight, weighed):
    text = by_phones(reference="cab cab cab", search={"letter_weight": weight})
    assert text.count(f"({weighed})") == 1  # the chart
    assert text.count(weighed) == 3  # the text and the table as well
    assert page_of(reference="cab cab cab").count("of the letters") >= 3


def test_a_word_that_the_decoder_cannot_write_has_a_score():
    text = by_phones(reference="cab bac")
    assert "The decoder cannot write “bac”." in text
    assert "“bac” is not in the lexicon; it is taken to be said" in text
    assert "The network finds the chosen text" in text
    assert "∞" not in text
    without_c = Lexicon({"ab": [("AA", "B")], "b": [("B",)]})
    unsaid = by_phones(reference="ab c", search={"lexicon": without_c})
    assert "nothing tells how “c” would be said" in unsaid
    assert "∞" not in unsaid
    assert "The network finds the chosen text" in unsaid


@pytest.mark.parametrize(("layer", "told"), [(1, "the layers above it are told"),
                                             (2, "the highest, also names")])  # fmt: skip
def test_what_is_told_of_the_phones_depends_on_their_layer(layer, told):
    text = page_of(phones=True, config={"phone_layer": layer})
    assert told in text
    assert ("the layers above it" in text) == (layer == 1)


def test_names_and_texts_are_escaped():
    recognizer = tiny_recognizer()
    clip = replace(clip_of(), name="a<img src=x>.wav", note="<b>note</b>")
    found = explain(recognizer, clip)
    text = render_page(
        found, recognizer.checkpoint, layer=1, direction="forward", word=0, decoder="<i>"
    )
    assert not re.search(r"<img|<b>note|<i>", text)
    assert "a&lt;img src=x&gt;.wav" in text


def test_every_word_can_be_chosen_and_says_how_sure_it_is():
    _, found = explained()
    text = page_of()
    for word in found.words:
        assert f"{word.confidence:.0%} sure" in text
    assert text.count('aria-pressed="false">') >= len(found.words)


def test_the_right_text_is_weighed_in_words():
    text = page_of(reference="cab cab cab")
    assert "Where it went wrong" in text
    assert "The network finds the chosen text" in text
    _, found = explained()
    right = " ".join(word.text for word in found.words)
    assert "Nowhere: the text is the reference." in page_of(reference=right)
    impossible = page_of(reference="abc " * 60)
    assert "too short" in impossible
    assert "gap" not in Page(impossible).panels


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.parametrize(
    "options",
    [
        {"phones": True, "reference": "abc cab", "words": ["1"], "decoder": phone_decoder()},
        {"config": {"cell": "gru"}},
        {"config": {"cell": "rnn"}, "text": "a"},
    ],
    ids=str,
)
def test_a_browser_draws_it_without_an_error(options, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page_of(**options), encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    flags += "--disable-background-networking --disable-component-update --disable-sync "
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, "--virtual-time-budget=20000", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    body = re.search(r"<body[^>]*>", done.stdout)[0]
    assert body == '<body data-ready="true">'
    panels = Page(page_of(**options)).panels
    quantities = {"lstm": 5, "gru": 4, "rnn": 1}[options.get("config", {}).get("cell", "lstm")]
    assert done.stdout.count("<canvas") == len(panels) + quantities
