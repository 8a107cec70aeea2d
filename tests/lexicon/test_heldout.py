"""Error rates counted by hand."""

import subprocess
import sys

import pytest

from asr.lexicon.heldout import error_rates, split

from .languages import soft_c


def phones(text):
    return tuple(text.split())


def test_errors_are_counted_against_the_nearest_way():
    pairs = [
        (phones("K AE T"), [phones("K AE T")]),
        (phones("IY DH ER"), [phones("AY DH ER"), phones("IY DH ER")]),
        (phones("B AA"), [phones("B AE T S"), phones("B EH T")]),  # 2 of 3 phones, not 3 of 4
        ((), [phones("OW")]),
    ]
    assert error_rates(pairs) == (2 / 4, 3 / (3 + 3 + 3 + 1))


def test_no_words_have_no_error_rate():
    with pytest.raises(ValueError, match="no words"):
        error_rates([])


def test_a_twentieth_of_the_plain_words_is_held_out_whatever_the_others():
    words = {f"{a}{b}{c}": [("AH",)] for a in "abcdefgh" for b in "abcdefgh" for c in "abcdefgh"}
    known, held_out = split(words | {"a's": [("AH",)], "a.": [("AH",)]})
    assert known | held_out == words
    assert not set(known) & set(held_out)
    assert 0.03 < len(held_out) / len(words) < 0.07
    half = dict(list(words.items())[::2])
    assert set(split(half)[1]) == set(held_out) & set(half)


def test_the_measurement_runs_as_a_program(tmp_path):
    lines = [f"{word} {' '.join(way)}\n" for word, ways in soft_c().items() for way in ways]
    (tmp_path / "words.txt").write_text("".join(lines))
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "asr.lexicon.heldout", str(tmp_path / "words.txt")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    assert "word error rate 0.00%, phone error rate 0.00%" in result.stdout
