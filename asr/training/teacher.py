"""Store a Whisper encoder's hidden states for every utterance of some manifests.

The encoder always sees 30 s, so several short utterances share a window. Interrupted, it goes on
where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asr.audio.files import read_audio
from asr.data.manifest import read_manifest
from asr.data.teacher import check_unique
from asr.errors import AudioError, CheckpointError, TrainingError
from asr.systems.protocol import import_optional
from asr.types import Utterance

__all__ = ["pack_windows", "store_states"]

SAMPLE_RATE = 16000
WINDOW_S = 30.0
ROW_S = 0.02
_ROW_SAMPLES = round(ROW_S * SAMPLE_RATE)
_GAP_S = 0.3


def pack_windows(utterances: Sequence[Utterance]) -> list[list[Utterance]]:
    """First-fit decreasing: utterances of one window are at most 30 s with a pause between them."""
    windows: list[list[Utterance]] = []
    room: list[float] = []
    for utterance in sorted(utterances, key=lambda u: -(u.duration or WINDOW_S)):
        size = min(utterance.duration or WINDOW_S, WINDOW_S - _GAP_S) + _GAP_S + ROW_S
        fits = next((i for i, left in enumerate(room) if size <= left), None)
        if fits is None:
            windows.append([])
            room.append(WINDOW_S)
            fits = len(windows) - 1
        windows[fits].append(utterance)
        room[fits] -= size
    return windows


def store_states(
    whisper: Path,
    out: Path,
    manifests: Sequence[Path],
    progress: Callable[[float], None] = lambda part: None,
    left_out: Callable[[AudioError], None] = lambda error: None,
) -> None:
    """Encode every utterance and write the store that `TeacherCache` reads.

    Args:
        whisper: A folder with a CTranslate2 conversion of a Whisper model, as faster-whisper has.
        out: The store's folder.
        manifests: Of the utterances.
        progress: Is told which part is done.
        left_out: Is told why a recording could not be read.

    Raises:
        ConfigError: faster-whisper is not installed.
        CheckpointError: There is no such model in the folder.
        ManifestError: A manifest cannot be read.
        TrainingError: Two utterances have the same id, the store has another teacher's states, or
            no recording can be read.
    """
    encoder = _Encoder(whisper, left_out)
    utterances = [u for path in manifests for u in read_manifest(path)]
    check_unique([u.id for u in utterances])
    out.mkdir(parents=True, exist_ok=True)
    rows, done = _resume(out / "progress.jsonl", {"whisper": whisper.name, "size": encoder.size})
    windows = pack_windows(utterances)
    with (out / "states.f16").open("ab") as states, (out / "progress.jsonl").open("a") as log:
        states.truncate(done * 2 * encoder.size)
        for number, window in enumerate(windows):
            missing = [u for u in window if u.id not in rows]
            if not missing:
                continue
            for utterance_id, state in encoder.encode(missing).items():
                states.write(state.tobytes())
                rows[utterance_id] = (done, len(state))
                done += len(state)
                states.flush()
                log.write(json.dumps({"id": utterance_id, "rows": rows[utterance_id]}) + "\n")
            log.flush()
            progress((number + 1) / len(windows))
    if not done:
        raise TrainingError(f"{out}: none of {len(utterances)} recordings can be read")
    _write_index(out, rows, encoder.size)


def _resume(log: Path, teacher: dict[str, Any]) -> tuple[dict[str, tuple[int, int]], int]:
    """What is done, by a log whose first line says of which teacher."""
    rows = {}
    # A line without its end was being written when the program was killed.
    lines = [line for line in _lines(log) if line.endswith("\n")]
    first, *lines = lines or [json.dumps(teacher) + "\n"]
    if json.loads(first) != teacher:
        raise TrainingError(f"{log.parent}: has the states of another teacher", "name another one")
    log.write_text("".join([first, *lines]))
    for line in lines:
        entry = json.loads(line)
        rows[entry["id"]] = (entry["rows"][0], entry["rows"][1])
    return rows, max((first + count for first, count in rows.values()), default=0)


def _lines(log: Path) -> list[str]:
    return log.read_text().splitlines(keepends=True) if log.exists() else []


def _write_index(out: Path, rows: dict[str, tuple[int, int]], size: int) -> None:
    states = np.memmap(out / "states.f16", np.float16, "r").reshape(-1, size)
    sample = states[:: max(1, len(states) // 200_000)].astype(np.float32)
    index = {
        "size": size,
        "seconds_per_row": ROW_S,
        "mean": sample.mean(0).tolist(),
        "std": sample.std(0).clip(1e-3).tolist(),
        "rows": rows,
    }
    (out / "index.json").write_text(json.dumps(index))


class _Encoder:
    """The Whisper encoder behind one method."""

    def __init__(self, folder: Path, left_out: Callable[[AudioError], None]) -> None:
        self._ctranslate2 = import_optional("ctranslate2", "faster-whisper", "teacher")
        features = import_optional("faster_whisper.feature_extractor", "faster-whisper", "teacher")
        try:
            self._model = self._ctranslate2.models.Whisper(
                str(folder), device="cpu", compute_type="float32"
            )
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"{folder}: not a Whisper model: {error}") from error
        self._left_out = left_out
        self._front_end = features.FeatureExtractor()
        self.size = self._encode_window(np.zeros(SAMPLE_RATE, np.float32)).shape[1]

    def encode(self, utterances: Sequence[Utterance]) -> dict[str, npt.NDArray[np.float16]]:
        """States (rows, size) by utterance id, all from one window."""
        window = np.zeros(round(WINDOW_S * SAMPLE_RATE), np.float32)
        spans: list[tuple[str, int, int]] = []
        end = 0
        for utterance in utterances:
            samples = self._read(utterance)[: max(0, len(window) - end)]  # durations may be wrong
            if not len(samples):
                continue
            window[end : end + len(samples)] = samples
            spans.append((utterance.id, end // _ROW_SAMPLES, -(-len(samples) // _ROW_SAMPLES)))
            end += len(samples) + round(_GAP_S * SAMPLE_RATE)
            end = -(-end // _ROW_SAMPLES) * _ROW_SAMPLES
        states = self._encode_window(window)
        return {name: states[first : first + count] for name, first, count in spans}

    def _encode_window(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
        features = self._front_end(samples, padding=0)[:, :3000]
        features = np.pad(features, ((0, 0), (0, 3000 - features.shape[1])))
        view = self._ctranslate2.StorageView.from_array(
            np.ascontiguousarray(features[None], dtype=np.float32)
        )
        states: npt.NDArray[np.float16] = np.array(
            self._model.encode(view, to_cpu=True), np.float16
        )
        first: npt.NDArray[np.float16] = states[0]
        return first

    def _read(self, utterance: Utterance) -> npt.NDArray[np.float32]:
        try:
            return read_audio(utterance.audio, SAMPLE_RATE).samples
        except AudioError as error:
            self._left_out(error)
            return np.zeros(0, np.float32)
