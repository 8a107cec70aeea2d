import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest

from asr.errors import ManifestError
from asr.lm import corpus as module
from asr.lm.corpus import count_ids, read_corpus, read_sentences

TEXT = "the cat sat\nthe dog\n\n  \nthe cat\n"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def words_of(corpus):
    return [corpus.vocabulary.words[i] for i in corpus.tokens]


def problem_with(path):
    with pytest.raises(ManifestError) as caught:
        read_corpus([path])
    return str(caught.value)


def test_sentences_are_framed_and_empty_lines_left_out(text):
    corpus = read_corpus([text])
    assert " ".join(words_of(corpus)) == ("<s> the cat sat </s> <s> the dog </s> <s> the cat </s>")
    assert (corpus.num_sentences, corpus.num_words, corpus.num_unknown) == (3, 7, 0)


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [(".xz", lzma.compress), (".gz", gzip.compress), (".bz2", bz2.compress)],
)
def test_compressed_text_reads_like_plain_text(text, tmp_path, suffix, compress):
    packed = tmp_path / f"text{suffix}"
    packed.write_bytes(compress(TEXT.encode()))
    assert words_of(read_corpus([packed])) == words_of(read_corpus([text]))


def test_files_are_read_one_after_the_other(text, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("a dog")  # no line end
    assert words_of(read_corpus([other, text]))[:6] == ["<s>", "a", "dog", "</s>", "<s>", "the"]


def test_rare_words_become_unknown_and_are_counted(text):
    corpus = read_corpus([text], min_count=2)
    assert set(corpus.vocabulary.words) == {"<unk>", "<s>", "</s>", "the", "cat"}
    assert words_of(corpus)[:5] == ["<s>", "the", "cat", "<unk>", "</s>"]
    assert corpus.num_unknown == 2


def test_of_equally_frequent_words_the_first_in_the_alphabet_stay(text):
    corpus = read_corpus([text], vocabulary_size=3)
    assert set(corpus.vocabulary.words) - {"<unk>", "<s>", "</s>"} == {"the", "cat", "dog"}


def test_lines_with_other_characters_are_left_out_and_counted(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("room 7\nDon't\ndon't stop\n<s> the\nna\u00efve\n")
    corpus = read_corpus([path])
    assert words_of(corpus) == ["<s>", "don't", "stop", "</s>"]
    assert corpus.num_skipped == 4


def test_lines_are_normalised_when_asked(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("Don't stop, Na\u00efve!\nroom 7\n")
    corpus = read_corpus([path], normalise=True)
    assert words_of(corpus) == ["<s>", "don't", "stop", "naive", "</s>"]
    assert corpus.num_skipped == 1


def test_small_blocks_give_the_same_corpus(text, monkeypatch):
    whole = words_of(read_corpus([text]))
    monkeypatch.setattr(module, "_BLOCK_CHARACTERS", 3)
    assert words_of(read_corpus([text])) == whole


def test_progress_ends_at_one(text):
    heard = []
    read_corpus([text, text], progress=lambda stage, done: heard.append(done))
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_ids_are_counted(text):
    corpus = read_corpus([text])
    counts = count_ids(corpus.tokens, len(corpus.vocabulary))
    expected = {"<unk>": 0, "<s>": 3, "</s>": 3, "the": 3, "cat": 2, "sat": 1, "dog": 1}
    assert dict(zip(corpus.vocabulary.words, counts, strict=True)) == expected


def test_a_missing_text_is_named(tmp_path):
    assert "nowhere.txt: cannot be read" in problem_with(tmp_path / "nowhere.txt")


def test_an_empty_text_is_refused(tmp_path):
    path = tmp_path / "empty.txt"
    path.write_text("\n\n")
    assert "no text" in problem_with(path)


def test_a_text_of_unfit_lines_only_hints_at_normalising(tmp_path):
    path = tmp_path / "upper.txt"
    path.write_text("HELLO\nWORLD\n")
    with pytest.raises(ManifestError, match="2 lines with other characters") as caught:
        read_corpus([path])
    assert "normalise" in caught.value.hint


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [(".xz", lzma.compress), (".gz", gzip.compress), (".bz2", bz2.compress)],
)
@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"plain text\n"])
def test_a_damaged_compressed_text_is_refused(tmp_path, suffix, compress, damage):
    path = tmp_path / f"text{suffix}"
    path.write_bytes(damage(compress(TEXT.encode() * 50)))
    assert f"text{suffix}: " in problem_with(path)


def test_text_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("na\u00efve\n".encode("latin-1"))
    assert "not UTF-8 text" in problem_with(path)


def test_text_may_come_through_a_pipe():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        pipe.write("the cat\nthe dog\n")
    try:
        assert read_sentences(Path(f"/dev/fd/{reading}")) == ["the cat", "the dog"]
    finally:
        os.close(reading)
