import gzip
import lzma

import pytest
from pydantic import ValidationError

from asr.config import build
from asr.errors import ConfigError, ManifestError
from asr.lm import LmConfig, NgramModel, build_lm, perplexity, read_words

from .oracle import FIXTURES

TEXT = FIXTURES / "sentences.txt"
LINES = TEXT.read_text().splitlines()
WORDS = {word for line in LINES for word in line.split()}


def test_the_report_counts_what_went_in_and_came_out(tmp_path):
    report = build_lm([TEXT], tmp_path / "english.lm", LmConfig(order=3))
    assert (report.num_sentences, report.num_words) == (150, sum(len(x.split()) for x in LINES))
    assert (report.num_unknown, report.num_skipped, report.notes) == (0, 0, ())
    # lmplz prints 83 483 666 for this text.
    assert report.num_ngrams == (83, 483, 666)
    assert report.size == (tmp_path / "english.lm").stat().st_size


@pytest.mark.parametrize(
    ("name", "start"),
    [("lm.arpa", b"\\data\\"), ("lm.arpa.gz", b"\x1f\x8b"), ("lm.lm", b"mmap lm"), ("lm", b"mmap")],
)
def test_the_name_decides_the_format(tmp_path, name, start):
    build_lm([TEXT], tmp_path / name, LmConfig(order=2))
    assert (tmp_path / name).read_bytes().startswith(start)
    assert set(read_words(tmp_path / name)) == WORDS


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
def test_every_order_can_be_built_and_scored(tmp_path, order):
    build_lm([TEXT], tmp_path / "english.lm", LmConfig(order=order))
    found, unknown = perplexity(NgramModel.load(tmp_path / "english.lm"), LINES)
    assert 1 < found < len(WORDS)
    assert unknown == 0


def test_the_vocabulary_is_limited(tmp_path):
    report = build_lm([TEXT], tmp_path / "lm", LmConfig(order=2, vocabulary_size=10))
    assert report.num_ngrams[0] == 13
    assert len(read_words(tmp_path / "lm")) == 10
    assert report.num_unknown > 0


def test_listed_words_are_known_and_as_probable_as_one_that_nobody_has_seen(tmp_path):
    (tmp_path / "words.txt").write_text("Hanoi\nlaptop's\nthe\ncafé\nsmørrebrød\n")
    words = tmp_path / "words.txt"
    report = build_lm([TEXT], tmp_path / "lm", LmConfig(order=3), words=words)
    assert set(read_words(tmp_path / "lm")) == WORDS | {"hanoi", "laptop's", "cafe"}
    assert report.num_ngrams == (86, 483, 666)
    assert (report.num_words, report.num_unknown) == (sum(len(x.split()) for x in LINES), 0)
    model = NgramModel.load(tmp_path / "lm")
    unseen = [model.score_alone(word) for word in ("hanoi", "laptop's", "cafe", "nobody")]
    assert unseen == pytest.approx([unseen[0]] * 4)
    known = [model.score_alone(word) for word in WORDS]
    assert max(unseen) < min(known)


def test_listed_words_stay_where_rare_ones_are_left_out(tmp_path):
    rarest = min(sorted(WORDS), key=lambda word: sum(x.split().count(word) for x in LINES))
    (tmp_path / "words.txt").write_text(rarest)
    options = LmConfig(order=2, vocabulary_size=10)
    build_lm([TEXT], tmp_path / "without", options)
    build_lm([TEXT], tmp_path / "with", options, words=tmp_path / "words.txt")
    assert {*read_words(tmp_path / "with")} == {*read_words(tmp_path / "without"), rarest}
    model = NgramModel.load(tmp_path / "with")
    assert model.score_alone(rarest) > model.score_alone("unheard")


def test_a_list_without_words_is_refused(tmp_path):
    (tmp_path / "words.txt").write_text("123\n")
    with pytest.raises(ManifestError, match="no words"):
        build_lm([TEXT], tmp_path / "lm", LmConfig(), words=tmp_path / "words.txt")


def test_pruning_by_count_or_entropy_makes_the_file_smaller(tmp_path):
    sizes = [
        build_lm([TEXT], tmp_path / "lm", LmConfig(order=3, **options)).size
        for options in ({}, {"cutoffs": (0, 0, 1)}, {"cutoffs": (0, 1)})
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert build_lm([TEXT], tmp_path / "lm", LmConfig(entropy_threshold=1e-3)).size < sizes[0]


def test_the_last_cutoff_stands_for_all_higher_orders(tmp_path):
    short = build_lm([TEXT], tmp_path / "a", LmConfig(order=4, cutoffs=(0, 1)))
    long = build_lm([TEXT], tmp_path / "b", LmConfig(order=4, cutoffs=(0, 1, 1, 1)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert short == long


def test_texts_are_added_up(tmp_path):
    halves = [tmp_path / "first.txt", tmp_path / "second.txt.xz"]
    halves[0].write_text("\n".join(LINES[:70]))
    halves[1].write_bytes(lzma.compress("\n".join(LINES[70:]).encode()))
    build_lm(halves, tmp_path / "halves.lm", LmConfig())
    build_lm([TEXT], tmp_path / "whole.lm", LmConfig())
    assert (tmp_path / "halves.lm").read_bytes() == (tmp_path / "whole.lm").read_bytes()


def test_a_text_too_small_for_discounts_is_noted(tmp_path):
    path = tmp_path / "tiny.txt"
    path.write_text("hello world\n")
    report = build_lm([path], tmp_path / "lm", LmConfig(order=2))
    assert len(report.notes) == 2
    assert "order 1" in report.notes[0]
    assert "0.5/1.0/1.5" in report.notes[0]
    assert read_words(tmp_path / "lm") == ["hello", "world"]


def test_lines_that_do_not_fit_are_counted_or_normalised(tmp_path):
    path = tmp_path / "mixed.txt"
    path.write_text("Hello, world!\nhello world\n")
    plain = build_lm([path], tmp_path / "lm", LmConfig())
    assert (plain.num_sentences, plain.num_skipped) == (1, 1)
    normalised = build_lm([path], tmp_path / "lm", LmConfig(normalise=True))
    assert (normalised.num_sentences, normalised.num_skipped) == (2, 0)


def test_progress_goes_through_the_stages(tmp_path):
    heard = []
    build_lm([TEXT], tmp_path / "lm", LmConfig(), lambda stage, done: heard.append((stage, done)))
    stages = list(dict.fromkeys(stage for stage, _ in heard))
    assert stages == ["reading text", "counting n-grams", "estimating", "writing"]
    assert heard[-1] == ("writing", 1.0)


def test_a_failed_build_leaves_the_old_file_and_nothing_else(tmp_path):
    out = tmp_path / "models" / "lm"
    build_lm([TEXT], out, LmConfig(order=2))
    before = out.read_bytes()
    with pytest.raises(ManifestError):
        build_lm([tmp_path / "none.txt"], out, LmConfig(order=2))
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


def test_an_output_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        build_lm([TEXT], tmp_path / "file" / "lm", LmConfig())
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        build_lm([TEXT], tmp_path / "folder", LmConfig())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    "values",
    [
        {"order": 1},
        {"order": 7},
        {"cutoffs": (1, 1)},
        {"cutoffs": (0, 2, 1)},
        {"cutoffs": ()},
        {"prob_bits": 0},
        {"backoff_bits": 1},
        {"vocabulary_size": 0},
        {"entropy_threshold": -1.0},
        {"ordre": 3},
    ],
)
def test_settings_that_make_no_sense_are_refused(values):
    with pytest.raises(ValidationError):
        LmConfig(**values)
    with pytest.raises(ConfigError, match="settings"):
        build(LmConfig, values, "settings")


def test_arpa_text_is_the_same_compressed_or_not(tmp_path):
    build_lm([TEXT], tmp_path / "lm.arpa", LmConfig())
    build_lm([TEXT], tmp_path / "lm.arpa.gz", LmConfig())
    packed = (tmp_path / "lm.arpa.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "lm.arpa").read_bytes()
