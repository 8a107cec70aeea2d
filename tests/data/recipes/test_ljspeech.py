from __future__ import annotations

import pytest

from asr.data.recipes.ljspeech import ljspeech
from asr.errors import ManifestError
from asr.types import Utterance


def test_the_written_out_text_is_taken_where_there_is_one(tmp_path):
    (tmp_path / "metadata.csv").write_text(
        'LJ001-0007|the "42-line Bible" of about 1455,|the "forty-two line Bible" of about'
        " fourteen fifty-five,\n"
        "LJ001-0008|has never been surpassed.\n"
        "LJ001-0009|Printing,|\n"
    )
    first, second, third = ljspeech(tmp_path)
    assert first == Utterance(
        id="LJ001-0007",
        audio=tmp_path / "wavs/LJ001-0007.wav",
        text='the "forty-two line Bible" of about fourteen fifty-five,',
        speaker="ljspeech",
    )
    assert second.text == "has never been surpassed."
    assert third.text == "Printing,"


@pytest.mark.parametrize("line", ["LJ001-0002", "LJ001-0002|a|b|c"])
def test_a_line_with_other_columns_is_named(tmp_path, line):
    (tmp_path / "metadata.csv").write_text(f"LJ001-0001|a|a\n\n{line}\n")
    with pytest.raises(ManifestError, match=r"metadata\.csv: line 3: . columns"):
        list(ljspeech(tmp_path))


def test_a_folder_without_the_table_is_refused_by_name(tmp_path):
    with pytest.raises(ManifestError, match=r"metadata\.csv: No such file"):
        list(ljspeech(tmp_path))
