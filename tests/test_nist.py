"""Files for sclite, as its documentation describes them; sclite 2.10 reads and scores these."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.nist import normalise_words, write_nist
from asr.text import get_normaliser
from asr.types import Word

from .evaluation.made import evaluation


def word(text, start, end, confidence=0.5):
    return Word(text, start, end, confidence)


WORDS = {
    "b-2": (word("It's", 0.1, 0.5), word("twenty", 0.5, 0.75, 0.9), word("one!", 0.75, 1.0)),
    "a (1)": (word("Hello", 0.25, 0.75),),
}
ROWS = [
    ("b-2", "libri-12_3", "it is twenty one", "It's twenty one!"),
    ("a (1)", "", "hello there", "Hello"),
    ("c", "x", "", ""),
]


def test_every_file_has_its_format(tmp_path):
    made = evaluation(ROWS, normaliser="english", words=WORDS)
    paths = write_nist(made, tmp_path / "deep")
    content = {path.name: path.read_text() for path in paths}
    assert content["ref.trn"] == ("it is 21 (libri.12.3-b-2)\nhello there (unknown-a__1_)\n(x-c)\n")
    assert content["hyp.trn"] == "it is 21 (libri.12.3-b-2)\nhello (unknown-a__1_)\n(x-c)\n"
    assert content["ref.stm"] == (
        "a__1_ 1 unknown 0.000 2.000 hello there\n"
        "b-2 1 libri.12.3 0.000 2.000 it is 21\n"
        "c 1 x 0.000 2.000\n"
    )
    # "It's" becomes two words of half its time each; "twenty one!" becomes one of both times.
    assert content["hyp.ctm"] == (
        "a__1_ 1 0.250 0.500 hello 0.500\n"
        "b-2 1 0.100 0.200 it 0.500\n"
        "b-2 1 0.300 0.200 is 0.500\n"
        "b-2 1 0.500 0.500 21 0.500\n"
    )


def test_without_word_times_there_is_no_ctm_not_even_an_old_one(tmp_path):
    (tmp_path / "hyp.ctm").write_text("of another system\n")
    (tmp_path / "mine.ctm").write_text("")
    paths = write_nist(evaluation(ROWS), tmp_path)
    assert [path.name for path in paths] == ["ref.trn", "hyp.trn", "ref.stm"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "hyp.trn", "mine.ctm", "ref.stm", "ref.trn",
    ]  # fmt: skip


def test_what_sclite_would_not_take_for_a_word_is_written_as_one(tmp_path):
    rows = [("u", "s", "{ a / b } (the) @ <x> ;; y", "a (the)")]
    words = {"u": (word("a", 0.0, 1.0), word("(the)", 1.0, 2.0))}
    write_nist(evaluation(rows, normaliser="none", words=words), tmp_path)
    content = {path.name: path.read_text() for path in tmp_path.iterdir()}
    reference = "｛ a ／ b ｝ （the） ＠ ＜x> ；； y"
    assert content["ref.trn"] == f"{reference} (s-u)\n"
    assert content["hyp.trn"] == "a （the） (s-u)\n"
    assert content["ref.stm"] == f"u 1 s 0.000 2.000 {reference}\n"
    assert content["hyp.ctm"] == "u 1 0.000 1.000 a 0.500\nu 1 1.000 1.000 （the） 0.500\n"


def test_names_that_become_equal_are_told_apart(tmp_path):
    rows = [("a b", "", "x", "x"), ("a(b", "", "y", "y")]
    write_nist(evaluation(rows), tmp_path)
    assert (tmp_path / "ref.trn").read_text() == "x (unknown-a_b)\ny (unknown-a_b-2)\n"


@pytest.mark.parametrize("name", ["none", "basic", "english"])
@given(st.lists(st.sampled_from(["It's", "twenty", "one", "um", "Dr.", "--", "a b", "5%"])))
@settings(deadline=None)
def test_normalised_words_are_the_normalised_text_within_the_same_times(name, texts):
    words = [word(text, float(i), i + 1.0) for i, text in enumerate(texts)]
    found = list(normalise_words(words, name))
    plain = " ".join(text.replace(" ", "") for text in texts)
    assert " ".join(one.text for one in found) == get_normaliser(name)(plain)
    times = [time for one in found for time in (one.start, one.end)]
    assert times == sorted(times)
    assert all(0 <= time <= len(texts) for time in times)
