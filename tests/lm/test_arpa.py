import gzip
import math

import pytest

from asr.lm.arpa import write_arpa

from .oracle import model_of, table_of

SENTENCES = [list("abc"), list("ab"), list("cab"), ["a"]]


@pytest.fixture
def model():
    return model_of(SENTENCES, 3)[0]


def test_the_file_has_the_sections_of_the_format(model, tmp_path):
    write_arpa(model, tmp_path / "lm.arpa")
    lines = (tmp_path / "lm.arpa").read_text().splitlines()
    sizes = [len(level) for level in model.grams]
    head = ["\\data\\", *(f"ngram {n}={size}" for n, size in enumerate(sizes, 1)), ""]
    assert lines[: len(head)] == head
    assert lines[-1] == "\\end\\"
    for n, size in enumerate(sizes, 1):
        start = lines.index(f"\\{n}-grams:") + 1
        assert lines[start + size] == ""
        assert all(len(row.split("\t")) == (2 if n == 3 else 3) for row in lines[start:][:size])


def test_numbers_are_base_ten_logarithms_to_the_precision_of_float32(model, tmp_path):
    write_arpa(model, tmp_path / "lm.arpa")
    rows = [line.split("\t") for line in (tmp_path / "lm.arpa").read_text().splitlines()]
    table = table_of(model)
    rows = [row for row in rows if len(row) > 1]
    assert len(rows) == len(table)
    for row in rows:
        prob, backoff = table[tuple(row[1].split())]
        assert float(row[0]) == pytest.approx(math.log10(prob), rel=1e-7, abs=1e-12)
        if len(row) == 3:
            assert float(row[2]) == pytest.approx(math.log10(backoff), rel=1e-7, abs=1e-12)


def test_a_compressed_file_has_the_same_text(model, tmp_path):
    write_arpa(model, tmp_path / "lm.arpa")
    write_arpa(model, tmp_path / "packed", compress=True)
    assert (
        gzip.decompress((tmp_path / "packed").read_bytes()) == (tmp_path / "lm.arpa").read_bytes()
    )
