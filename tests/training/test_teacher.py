"""Windows that hold everything and no more than 30 s, and a store that survives interruption."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.data.manifest import write_manifest
from asr.data.teacher import TeacherCache
from asr.errors import CheckpointError, TrainingError
from asr.training import teacher
from asr.training.teacher import WINDOW_S, pack_windows, store_states
from asr.types import Utterance

GAP_S = 0.3


def utterances_of(durations):
    return [Utterance(f"u{i}", Path("x.wav"), "", d) for i, d in enumerate(durations)]


@given(st.lists(st.none() | st.floats(0.05, 40), max_size=60))
@settings(deadline=None)
def test_every_utterance_is_in_one_window_and_no_shared_window_exceeds_30_s(durations):
    windows = pack_windows(utterances_of(durations))
    assert sorted(u.id for w in windows for u in w) == sorted(
        f"u{i}" for i in range(len(durations))
    )
    for window in windows:
        if len(window) > 1:
            speech = sum(u.duration for u in window)
            assert speech + GAP_S * (len(window) - 1) <= WINDOW_S + 1e-9


def test_short_utterances_share_windows():
    # 30 s hold nine of 3 s with 0.3 s and a row of rounding each.
    assert [len(w) for w in pack_windows(utterances_of([3.0] * 18))] == [9, 9]


class Ramps:
    """An encoder whose states say which utterance they are of; `limit` windows, then it stops."""

    limit = 100
    size = 2

    def __init__(self, whisper, left_out):
        pass

    def encode(self, utterances):
        Ramps.limit -= 1
        if Ramps.limit < 0:
            raise KeyboardInterrupt
        return {
            u.id: np.full((round(u.duration / 0.02), 2), int(u.id[1:]), np.float16)
            for u in utterances
        }


@pytest.fixture
def manifest(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "_Encoder", Ramps)
    monkeypatch.setattr(Ramps, "limit", 100)
    write_manifest(utterances_of([4.0, 20.0, 25.0, 6.0, 11.0]), tmp_path / "m.jsonl")
    return tmp_path / "m.jsonl"


def values_of(store, mean, std):
    """The one value of each utterance's states, before they were standardised."""
    cache = TeacherCache(store, [f"u{i}" for i in range(5)])
    states = [cache.states_at(i, np.arange(5) * 0.02) for i in range(5)]
    return [np.unique(np.round(s.numpy() * std + mean, 3)).tolist() for s in states]


def statistics(store):
    index = json.loads((store / "index.json").read_text())
    return np.array(index["mean"]), np.array(index["std"])


def test_every_utterance_gets_its_own_rows_and_the_statistics_are_numpys(manifest, tmp_path):
    done = []
    store_states(tmp_path, tmp_path / "store", [manifest], done.append)
    assert done == pytest.approx([1 / 3, 2 / 3, 1])  # 25 + 4, 20 + 6 and 11 s
    mean, std = statistics(tmp_path / "store")
    rows = np.repeat(np.arange(5.0), [200, 1000, 1250, 300, 550])
    np.testing.assert_allclose(mean, rows.mean(), rtol=1e-3)
    np.testing.assert_allclose(std, rows.std(), rtol=1e-3)
    assert values_of(tmp_path / "store", mean, std) == [[0], [1], [2], [3], [4]]


@pytest.mark.parametrize("torn", ["", '{"id": "u0", "ro'])
def test_interrupted_it_goes_on_where_it_was(manifest, tmp_path, torn):
    store = tmp_path / "store"
    Ramps.limit = 1
    with pytest.raises(KeyboardInterrupt):
        store_states(tmp_path, store, [manifest])
    with (store / "progress.jsonl").open("a") as log:
        log.write(torn)
    with (store / "states.f16").open("ab") as states:
        states.write(b"\x01" * 100)  # rows that the log does not know
    Ramps.limit = 100
    store_states(tmp_path, store, [manifest])
    mean, std = statistics(store)
    assert values_of(store, mean, std) == [[0], [1], [2], [3], [4]]
    Ramps.limit = 0  # nothing is left to encode
    store_states(tmp_path, store, [manifest])


def test_two_utterances_of_one_id_are_refused(manifest, tmp_path):
    (tmp_path / "other.jsonl").write_text(manifest.read_text())
    with pytest.raises(TrainingError, match="5 utterances of several manifests"):
        store_states(tmp_path, tmp_path / "store", [manifest, tmp_path / "other.jsonl"])


class Halves(teacher._Encoder):
    """An encoder that gives back the sample in the middle of every row."""

    def __init__(self, left_out):
        self.size = 1
        self._left_out = left_out

    def _encode_window(self, samples):
        return samples[160::320, None].astype(np.float16)


def test_what_cannot_be_read_is_left_out_and_wrong_durations_do_no_harm(tmp_path):
    durations = {"whole": 2.0, "long": 29.0, "longer": 29.0, "late": 1.0}
    for number, (name, seconds) in enumerate(durations.items(), start=1):
        samples = np.full(round(seconds * 16000), number / 10, np.float32)
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000, "FLOAT")
    (tmp_path / "bad.wav").write_text("no sound")
    names = ["bad", *durations]
    left_out = []
    found = Halves(left_out.append).encode(
        [Utterance(n, tmp_path / f"{n}.wav", "", 3.0) for n in names]
    )
    assert set(found) == {"whole", "long"}  # and for the others there is no room
    np.testing.assert_allclose(found["whole"], 0.1, rtol=1e-3)
    np.testing.assert_allclose(found["long"], 0.2, rtol=1e-3)
    assert [tmp_path.name in str(error) for error in left_out] == [True]
    assert "bad.wav" in str(left_out[0])


def test_the_states_of_two_teachers_are_not_mixed(manifest, tmp_path):
    store_states(tmp_path, tmp_path / "store", [manifest])
    log = tmp_path / "store" / "progress.jsonl"
    log.write_text(log.read_text().replace(tmp_path.name, "whisper-large"))
    with pytest.raises(TrainingError, match="store: has the states of another teacher"):
        store_states(tmp_path, tmp_path / "store", [manifest])


def test_a_folder_without_a_whisper_model_is_refused(tmp_path, monkeypatch):
    def open_model(folder, **_):
        raise RuntimeError("Unable to open file 'model.bin'")

    library = SimpleNamespace(models=SimpleNamespace(Whisper=open_model))
    monkeypatch.setattr(teacher, "import_optional", lambda *_: library)
    with pytest.raises(CheckpointError, match=f"{tmp_path.name}: not a Whisper model: Unable"):
        store_states(tmp_path, tmp_path / "store", [])
    assert not (tmp_path / "store").exists()
