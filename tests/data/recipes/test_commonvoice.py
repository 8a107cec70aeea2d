from __future__ import annotations

import pytest

from asr.data.recipes.commonvoice import commonvoice
from asr.errors import ManifestError
from asr.types import Utterance


def test_rows_become_utterances_and_quotation_marks_quote_nothing(tmp_path):
    table = tmp_path / "train.tsv"
    table.write_text(
        "client_id\tpath\tsentence_id\tsentence\tup_votes\n"
        'aa11\tcommon_voice_en_1.mp3\ts1\t"Hello, he said.\t2\n'
        "bb22\tcommon_voice_en_2.mp3\ts2\tGood day.\t2\n"
    )
    first, second = commonvoice(table)
    assert first == Utterance(
        id="common_voice_en_1",
        audio=tmp_path / "clips/common_voice_en_1.mp3",
        text='"Hello, he said.',
        speaker="cv-aa11",
    )
    assert (second.text, second.speaker) == ("Good day.", "cv-bb22")


def test_a_table_without_speakers_leaves_them_unknown(tmp_path):
    table = tmp_path / "train.tsv"
    table.write_text("path\tsentence\na.mp3\tHello.\n")
    assert [u.speaker for u in commonvoice(table)] == [""]


def test_a_table_without_the_needed_columns_is_refused_by_their_names(tmp_path):
    table = tmp_path / "train.tsv"
    table.write_text("client_id\tsentence\nx\ty\n")
    with pytest.raises(ManifestError, match=r"train\.tsv: no column path"):
        list(commonvoice(table))


@pytest.mark.parametrize("row", ["\tc", "c.mp3"])
def test_a_row_without_path_or_sentence_is_named(tmp_path, row):
    table = tmp_path / "train.tsv"
    table.write_text(f"path\tsentence\na.mp3\tb\n\n{row}\n")
    with pytest.raises(ManifestError, match="line 4: no path or no sentence"):
        list(commonvoice(table))


def test_a_folder_is_refused_with_the_tables_in_it(tmp_path):
    (tmp_path / "train.tsv").write_text("")
    with pytest.raises(ManifestError, match=r"needs one of the tables in it \(train\.tsv\)"):
        list(commonvoice(tmp_path))
