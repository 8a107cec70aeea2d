from __future__ import annotations

import pytest

from asr.data.recipes.librispeech import librispeech
from asr.errors import ManifestError
from asr.types import Utterance


@pytest.fixture
def corpus(tmp_path):
    for chapter, text in (
        ("dev-clean/84/121123", "84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT IN LESS\n"),
        ("dev-clean/174/50561", "174-50561-0000 FORGOTTEN TOO THE NAME\n"),
    ):
        folder = tmp_path / "LibriSpeech" / chapter
        folder.mkdir(parents=True)
        (folder / f"{chapter[10:].replace('/', '-')}.trans.txt").write_text(text)
    return tmp_path / "LibriSpeech"


def test_lines_become_utterances_in_small_letters_with_their_speaker(corpus):
    utterances = list(librispeech(corpus))
    assert [u.id for u in utterances] == ["174-50561-0000", "84-121123-0000", "84-121123-0001"]
    assert utterances[1] == Utterance(
        id="84-121123-0000",
        audio=corpus / "dev-clean/84/121123/84-121123-0000.flac",
        text="go do you hear",
        speaker="libri-84",
    )


@pytest.mark.parametrize("part", ["", "dev-clean", "dev-clean/84", "dev-clean/84/121123"])
def test_any_part_of_the_corpus_can_be_given(corpus, part):
    assert "84-121123-0001" in [u.id for u in librispeech(corpus / part)]


def test_a_folder_without_transcripts_is_refused_with_a_hint(tmp_path):
    with pytest.raises(ManifestError, match=r"no \*\.trans\.txt") as caught:
        list(librispeech(tmp_path))
    assert "LibriSpeech" in caught.value.hint
