from __future__ import annotations

import pytest

from asr.data.recipes.reading import read_text
from asr.errors import ManifestError


def test_text_is_read_with_and_without_byte_order_mark(tmp_path):
    (tmp_path / "a.txt").write_bytes("grün".encode())
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbf" + "grün".encode())
    assert read_text(tmp_path / "a.txt") == read_text(tmp_path / "b.txt") == "grün"


def test_a_text_that_is_not_utf8_is_named_with_the_place(tmp_path):
    (tmp_path / "a.txt").write_bytes("grün".encode("latin-1"))
    with pytest.raises(ManifestError, match=r"a\.txt: not UTF-8 \(byte 3\)"):
        read_text(tmp_path / "a.txt")


def test_a_missing_text_is_named(tmp_path):
    with pytest.raises(ManifestError, match=r"a\.txt: No such file"):
        read_text(tmp_path / "a.txt")
