"""The page's data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asr.report.rows import embed, link_to, utterance_rows

from ..evaluation.made import evaluation


def test_an_utterance_has_the_results_of_every_system():
    first = evaluation([("a", "anna", "one two", "one"), ("b", "", "three", "three")])
    second = evaluation([("c", "", "four", "for"), ("a", "anna", "one two", "one too")])
    assert utterance_rows([first, second], Path("/a")) == [
        ["a", "anna", 2.0, 20.0, "a.wav", "one two", [["one", "=D"], ["one too", "=S"]]],
        ["b", "", 2.0, 20.0, "b.wav", "three", [["three", "="], None]],
        ["c", "", 2.0, 20.0, "c.wav", "four", [None, ["for", "S"]]],
    ]


@pytest.mark.parametrize(
    ("audio", "folder", "link"),
    [
        ("/a/b/c d.wav", "/a", "b/c%20d.wav"),
        ("/a/b/ü#?.wav", "/a/b", "%C3%BC%23%3F.wav"),
        ("/x/c d.wav", "/a", "file:///x/c%20d.wav"),
    ],
)
def test_recordings_below_the_page_are_linked_relative_to_it_and_others_absolute(
    audio, folder, link
):
    assert link_to(Path(audio), Path(folder)) == link


def test_a_relative_folder_is_that_of_the_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert link_to(tmp_path / "a.wav", Path(".")) == "a.wav"


def test_no_text_can_end_the_script_element():
    content = {"text": "</script><!-- <script> & \u2028 ü"}
    embedded = embed(content)
    assert "<" not in embedded
    assert "\u2028" not in embedded
    assert json.loads(embedded) == content
