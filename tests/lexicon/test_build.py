"""Lexicons of whole files: which words there are, and what is said about them."""

import gzip
import lzma
import os

import pytest

from asr.errors import ConfigError, DecoderError, ManifestError
from asr.lexicon import Pronouncer, build_lexicon, collect_words, read_lexicon
from asr.lm import LmConfig, build_lm

from .languages import divide, say_soft_c, soft_c

HELD_OUT, KNOWN = divide(soft_c())


@pytest.fixture(scope="module")
def language():
    """Says the words of soft_c, one of them in two ways."""
    return Pronouncer(KNOWN | {"tea": [("T", "EH", "AA"), ("T", "IH")]})


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def test_the_words_of_a_text_are_normalised_sorted_and_different(write):
    text = write("text.txt", "The cat\u2019s hat,\nthe CAT\n\nDr. No\n")
    assert collect_words([text]) == ["cat", "cat's", "doctor", "hat", "no", "the"]


@pytest.mark.parametrize(("name", "pack"), [("w.xz", lzma.compress), ("w.gz", gzip.compress)])
def test_packed_lists_are_read_like_plain_ones(write, name, pack):
    assert collect_words([write(name, pack(b"b\na\n"))]) == ["a", "b"]


@pytest.mark.parametrize("name", ["words.lm", "words.arpa", "words.arpa.gz"])
def test_the_words_of_a_language_model_and_a_list_are_put_together(write, tmp_path, name):
    build_lm([write("text.txt", "abba abba tea\n")], tmp_path / name, LmConfig(order=2))
    assert collect_words([tmp_path / name]) == ["abba", "tea"]
    more = write("more.txt", "tea\nx\n")
    assert collect_words([tmp_path / name, more]) == ["abba", "tea", "x"]


def test_every_word_is_said_and_counted_by_its_origin(write, tmp_path, language):
    new = list(HELD_OUT)[:5]
    words = write("words.txt", "\n".join(["tea", "tea's", "b4", "4", *new]))
    out = tmp_path / "out.xz"
    report = build_lexicon([words], out, language)
    assert (report.num_known, report.num_derived, report.num_predicted) == (1, 1, 5)
    assert (report.num_words, report.num_pronunciations) == (7, 9)
    assert report.skipped == ("4", "b4")
    assert report.size == out.stat().st_size
    assert read_lexicon(out).pronunciations == {
        "tea": [("T", "EH", "AA"), ("T", "IH")],
        "tea's": [("T", "EH", "AA", "Z"), ("T", "IH", "Z")],
        **{word: [say_soft_c(word)] for word in new},
    }


def test_words_of_transcripts_are_normalised_and_added(write, tmp_path, language):
    new, *_ = HELD_OUT
    out = tmp_path / "out"
    words = write("words.txt", "tea")
    report = build_lexicon([words], out, language, transcripts=[f"{new.upper()}, tea!", "7"])
    assert (report.num_words, report.skipped) == (2, ("7",))
    assert read_lexicon(out).pronunciations == {
        "tea": [("T", "EH", "AA"), ("T", "IH")],
        new: [say_soft_c(new)],
    }
    assert collect_words([], ["B a", "a"]) == ["a", "b"]
    with pytest.raises(ManifestError, match="the transcripts: no words"):
        collect_words([], ["..."])


def test_the_same_words_give_the_same_bytes(write, tmp_path, language):
    orders = [list(HELD_OUT), list(HELD_OUT)[::-1]]
    for number, words in enumerate(orders):
        text = write(f"{number}.txt", "\n".join(words))
        build_lexicon([text], tmp_path / f"{number}.xz", language)
    assert (tmp_path / "0.xz").read_bytes() == (tmp_path / "1.xz").read_bytes()


def test_progress_goes_through_the_stages(write, tmp_path, language):
    heard = []
    words = write("words.txt", "\n".join(map(str, range(1500))))
    build_lexicon([words], tmp_path / "out", language, lambda *stage: heard.append(stage))
    assert heard == [("reading words", 0.0), ("pronouncing", 0.0), ("pronouncing", 1000 / 1500)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.txt", None, "cannot be read"),
        ("none.xz", None, "cannot be read"),
        ("empty.txt", "", "no words"),
        ("blank.txt", " \n ... \n", "no words"),
        ("latin.txt", b"caf\xe9", "not UTF-8"),
        ("not.xz", "words", "damaged"),
        ("not.gz", "words", "damaged"),
        ("cut.xz", lzma.compress(b"words" * 99)[:-9], "damaged"),
        ("cut.gz", gzip.compress(b"words" * 99)[:-9], "damaged"),
    ],
)
def test_a_file_without_words_is_a_clear_error_in_one_line(write, tmp_path, name, content, message):
    path = tmp_path / name if content is None else write(name, content)
    with pytest.raises(ManifestError, match=message) as caught:
        collect_words([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_language_model_is_refused(write):
    with pytest.raises(DecoderError, match="damaged"):
        collect_words([write("lm.arpa", "\\data\\\nngram 1=5\n\n\\1-grams:\n-1\ta\n\n\\end\\\n")])


def test_a_lexicon_that_cannot_be_written_is_refused(write, tmp_path, language):
    with pytest.raises(ConfigError, match="cannot be written"):
        build_lexicon([write("words.txt", "tea")], tmp_path / "words.txt" / "x", language)


def test_a_pipe_is_refused_instead_of_losing_its_beginning(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ManifestError, match="pipe: not a file; it is read twice"):
        collect_words([tmp_path / "pipe"])
