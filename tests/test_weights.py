"""Weights in files: packed and unpacked, and every byte of a file checked.

What else may be wrong with a file is tested on model files, in test_checkpoint.py.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import CheckpointError
from asr.weights import pack, quantise_rows, read_weights, unpack, write_weights


@given(st.integers(0, 1000), st.sampled_from([1e-30, 1e-3, 1.0, 1e4]))
def test_no_weight_moves_by_more_than_a_254th_of_its_rows_largest(seed, size):
    matrix = size * torch.randn(5, 7, generator=torch.Generator().manual_seed(seed))
    matrix[0] = 0
    integers, scales = quantise_rows(matrix)
    assert integers.dtype == torch.int8
    assert integers.abs().max() <= 127
    moved = (integers * scales - matrix).abs()
    assert (moved <= matrix.abs().amax(dim=1, keepdim=True) * (1 / 254 + 1e-6)).all()
    assert not (integers * scales)[0].any()


STATE = {"matrix": torch.randn(3, 4), "vector": torch.randn(5), "count": torch.tensor(7)}


@pytest.mark.parametrize(
    ("dtype", "matrix", "vector"),
    [
        (torch.float32, torch.float32, torch.float32),
        (torch.float16, torch.float16, torch.float16),
        (torch.int8, torch.int8, torch.float16),
    ],
)
def test_matrices_vectors_and_counts_are_stored_each_in_its_type(dtype, matrix, vector):
    packed = pack(STATE, dtype)
    assert packed["model.matrix"].dtype == matrix
    assert packed["model.vector"].dtype == vector
    assert ("scale.matrix" in packed) == (dtype == torch.int8)
    unpacked = unpack(packed)
    assert unpacked.keys() == STATE.keys()
    assert unpacked["matrix"].dtype == unpacked["vector"].dtype == torch.float32
    assert torch.equal(unpacked["count"], STATE["count"])
    for name in ("matrix", "vector"):
        torch.testing.assert_close(unpacked[name], STATE[name], rtol=1e-3, atol=0.02)


def test_a_file_gives_back_header_tensors_and_hash(tmp_path):
    tensors = pack(STATE, torch.float32)
    content_hash = write_weights(tmp_path / "new" / "w", {"format_version": 2, "x": [1]}, tensors)
    header, found, stored = read_weights(tmp_path / "new" / "w", 2, "")
    assert header == {"format_version": 2, "x": [1]}
    assert stored == content_hash
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["w"]


def test_a_later_version_and_a_missing_file_are_told(tmp_path):
    write_weights(tmp_path / "w", {"format_version": 3}, {})
    with pytest.raises(CheckpointError, match="format version 3; this program reads 1 to 2"):
        read_weights(tmp_path / "w", 2, "")
    with pytest.raises(CheckpointError, match="no such model") as caught:
        read_weights(tmp_path / "v", 2, "look elsewhere")
    assert caught.value.hint == "look elsewhere"
