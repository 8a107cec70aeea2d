"""Whether one system is better: by hand, against sctk's own numbers, and against a closed form."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.comparison import Pair, compare, compare_files, matched_pairs, segment_errors
from asr.errors import AsrError
from asr.scoring import score_utterances

from .evaluation.made import evaluation
from .scoring.sctk import read_trn


def pairs(references, first, second, speakers=None):
    names = [f"u{i}" for i in range(len(references))]
    return [
        Pair(*row)
        for row in zip(
            names,
            speakers or [""] * len(names),
            score_utterances(references, first),
            score_utterances(references, second),
            strict=True,
        )
    ]


def test_matched_pairs_agree_with_sctk():
    # sctk 2.4.10: sclite -r ref.trn -h greedy.trn -h beam.trn -i spu_id -p | sc_stats -p -t mapsswe
    # -v -n -; Debian's sclite writes a line break where sc_stats expects ":" or ",".
    # (# segs: 60) (mean: 2.367) (std dev: 2.504) (Z Stat: 7.321) (Stat Diff: Yes)
    found = matched_pairs(pairs(*map(read_trn, ["ref", "greedy", "beam"])))
    assert found.segments == 60
    assert found.mean == pytest.approx(2.367, abs=5e-4)
    assert found.deviation == pytest.approx(2.504, abs=5e-4)
    assert found.z == pytest.approx(7.321, abs=5e-4)
    assert found.p_value < 1e-12


@pytest.mark.parametrize(
    ("first", "second", "segments"),
    [
        ("====", "====", []),
        ("=S==", "====", [(1, 0)]),
        # One good word between two errors does not part them; two do.
        ("S=S=", "====", [(2, 0)]),
        ("S==S", "====", [(1, 0), (1, 0)]),
        # A word is good only where both have it right.
        ("S===S", "=S===", [(1, 1), (1, 0)]),
        ("S====S", "==S===", [(1, 1), (1, 0)]),
        # An insertion belongs before the word that follows it, which may be the first good one.
        ("=I===", "====", [(1, 0)]),
        ("S=I=S", "====", [(3, 0)]),
        ("SI==S", "====", [(2, 0), (1, 0)]),
        ("====II", "====", [(2, 0)]),
        ("====", "====I", [(0, 1)]),
        ("II", "", [(2, 0)]),
        ("DDDD", "SSII==", [(4, 4)]),
    ],
)
def test_segments_written_out_by_hand(first, second, segments):
    assert segment_errors(first, second) == segments


@given(st.lists(st.tuples(*[st.sampled_from("=SD"), st.sampled_from(["", "I", "II"])] * 2)))
def test_segments_hold_every_error_once(slots):
    first = "".join(inserted + word for word, inserted, _, _ in slots)
    second = "".join(inserted + word for _, _, word, inserted in slots)
    found = segment_errors(first, second)
    assert sum(a for a, _ in found) == len(first) - first.count("=")
    assert sum(b for _, b in found) == len(second) - second.count("=")
    assert all(a + b > 0 for a, b in found)
    assert segment_errors(second, first) == [(b, a) for a, b in found]


def test_the_statistic_is_that_of_the_definition():
    # Differences 1, 1, 0, -1 in four utterances: mean 1/4, variance 11/12, z = 1/4 / sqrt(11/48).
    references = ["a"] * 4
    found = matched_pairs(pairs(references, ["x", "x", "x", "a"], ["a", "a", "x", "x"]))
    assert (found.segments, found.mean) == (4, 0.25)
    assert found.deviation == pytest.approx(math.sqrt(11 / 12))
    assert found.z == pytest.approx(0.25 / math.sqrt(11 / 48))
    assert found.p_value == pytest.approx(math.erfc(found.z / math.sqrt(2)))


def test_systems_without_a_difference_have_none():
    same = compare(("a", "b"), pairs(["a b", "c"], ["a x", "c"], ["a x", "c"]))
    assert same.difference == 0.0
    assert same.interval == (0.0, 0.0)
    assert same.probability == 0.5
    assert (same.matched.z, same.matched.p_value) == (0.0, 1.0)
    assert same.improved == same.worsened == []


@pytest.mark.parametrize(("segments", "p_value"), [(2, 0.5), (5, 1 / 16), (5000, 0.0)])
def test_where_all_segments_differ_alike_the_sign_test_judges(segments, p_value):
    found = matched_pairs(pairs(["a"] * segments, ["b"] * segments, ["a"] * segments))
    assert (found.segments, found.mean, found.deviation) == (segments, 1.0, 0.0)
    assert found.p_value == pytest.approx(p_value)  # all heads or all tails
    assert found.p_value == pytest.approx(math.erfc(found.z / math.sqrt(2)))
    other_way = matched_pairs(pairs(["a"] * segments, ["a"] * segments, ["b"] * segments))
    assert other_way.z == -found.z


def test_the_difference_is_resampled_by_speaker():
    # The second system is better for one speaker by 1/2 and worse for the other by 1/2: draws of
    # two speakers differ by -1/2, 0 or 1/2, with probabilities 1/4, 1/2 and 1/4.
    references, speakers = ["a b"] * 40, ["one"] * 20 + ["two"] * 20
    first = ["a x"] * 20 + ["a b"] * 20
    second = ["a b"] * 20 + ["a x"] * 20
    found = compare(("a", "b"), pairs(references, first, second, speakers))
    assert found.interval == (-0.5, 0.5)
    assert found.probability == pytest.approx(0.5, abs=0.05)
    alone = compare(("a", "b"), pairs(references, first, second))
    assert -0.3 < alone.interval[0] < 0 < alone.interval[1] < 0.3


def test_the_interval_agrees_with_the_normal_approximation():
    # 400 one-word utterances; the second mends 60 of the first's errors and makes 20 new ones.
    # The difference has mean -40/400 and variance (80/400 - (40/400)^2) / 400.
    references = ["a"] * 400
    first = ["x"] * 100 + ["a"] * 300
    second = ["a"] * 60 + ["x"] * 60 + ["a"] * 280
    found = compare(("a", "b"), pairs(references, first, second))
    error = math.sqrt((0.2 - 0.01) / 400)
    assert found.difference == pytest.approx(-0.1)
    assert found.interval[0] == pytest.approx(-0.1 - 1.96 * error, abs=0.008)
    assert found.interval[1] == pytest.approx(-0.1 + 1.96 * error, abs=0.008)
    assert found.probability > 0.999


FIRST = [("a", "s", "one two", "one too"), ("b", "s", "three", "three"), ("c", "t", "x y z", "")]
SECOND = [("a", "s", "one two", "one two"), ("c", "t", "x y z", "x"), ("d", "t", "w", "w"),
          ("b", "s", "three", "tree")]  # fmt: skip


@pytest.fixture
def files(tmp_path):
    """Writes the results of two systems."""

    def write(first=FIRST, second=SECOND, **second_options):
        made = [evaluation(first), evaluation(second, **second_options)]
        paths = [tmp_path / "a.json", tmp_path / "b.json"]
        for path, one in zip(paths, made, strict=True):
            path.write_text(json.dumps(one.to_json()))
        return paths

    return write


def test_files_are_compared_on_what_both_have(files):
    found = compare_files(*files())
    assert [(pair.id, pair.change) for pair in found.improved] == [("a", -1), ("c", -1)]
    assert [(pair.id, pair.change) for pair in found.worsened] == [("b", 1)]
    assert found.left_out == ("d",)
    assert (found.first.wer, found.second.wer) == (4 / 6, 3 / 6)
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert content["difference"] == pytest.approx(-1 / 6)
    assert content["improved"][0] == {
        "id": "a", "change": -1, "reference": "one two", "first": "one too", "second": "one two",
    }  # fmt: skip


def test_what_cannot_be_compared_is_refused(files, tmp_path):
    with pytest.raises(AsrError, match=r"'basic', .* with 'english'"):
        compare_files(*files(normaliser="english"))
    with pytest.raises(AsrError, match="no utterance in common"):
        compare_files(*files(second=[("z", "", "a", "a")]))
    with pytest.raises(AsrError, match="differ in the reference of 'a'"):
        compare_files(*files(second=[("a", "", "one three", "a")]))
    good, _ = files()
    for content, message in [
        ("{", "not JSON"),
        ("[]", "not results"),
        ('{"wer": 1}', "not results"),
        ('{"utterance_results": []}', "not results"),
        ('{"normaliser": "none", "utterance_results": {}}', "not results"),
        ('{"normaliser": "none", "utterance_results": [1]}', "not results"),
        ('{"normaliser": "none", "utterance_results": [{"id": "a"}]}', "not results"),
    ]:
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(AsrError, match=message):
            compare_files(good, tmp_path / "bad.json")
    with pytest.raises(AsrError, match="No such file"):
        compare_files(good, tmp_path / "none.json")
