"""Measure speed and memory of the bundled model on this machine; `make bench` runs it.

Every row is a fresh process, as a user would start it. Long recordings are the demo clips,
repeated. Nothing is asserted: machines differ.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from asr.audio.files import read_audio
from asr.data.manifest import read_manifest

CLIPS = Path(__file__).parent / "clips"
LENGTHS_MIN = (10, 60, 180)


def main() -> None:
    """Print one line for each measurement."""
    print(f"{'what':42}{'audio':>9}{'wall':>9}{'RTF':>9}{'peak MB':>9}")
    clips = [u.audio for u in read_manifest(CLIPS / "manifest.jsonl")]
    samples = [read_audio(clip).samples for clip in clips]
    clips_s = sum(map(len, samples)) / 16000
    _measure("start-up to first text, beam", len(samples[0]) / 16000, [str(clips[0])], "beam")
    with tempfile.TemporaryDirectory() as folder:
        for minutes in LENGTHS_MIN:
            path = Path(folder, f"{minutes}min.flac")
            _write_long(path, samples, minutes)
            for decoder in ("greedy", "beam"):
                _measure(f"transcribe {minutes} min, {decoder}", minutes * 60, [str(path)], decoder)
        copies = [str(_copy(clip, Path(folder), n)) for n in range(25) for clip in clips]
        for decoder in ("greedy", "beam"):
            _measure(f"transcribe {len(copies)} clips, {decoder}", 25 * clips_s, copies, decoder)


def _measure(name: str, audio_s: float, files: list[str], decoder: str) -> None:
    command = [sys.executable, "-m", "asr", "transcribe", "--decoder", decoder, *files]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = _wait(process)
    wall_s = time.perf_counter() - started
    print(
        f"{name:42}{audio_s:8.0f}s{wall_s:8.1f}s{wall_s / audio_s:9.4f}{peak / 2**20:9.0f}",
        flush=True,
    )


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Peak resident memory in bytes of a process that succeeded."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{process.args!r} failed with {process.returncode}")
    return int(usage.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def _write_long(path: Path, clips: list[np.ndarray], minutes: int) -> None:
    pause = np.zeros(8000, np.float32)
    hand = np.concatenate([part for clip in clips for part in (clip, pause)])
    with soundfile.SoundFile(path, "w", 16000, 1) as file:
        left = minutes * 60 * 16000
        while left > 0:
            file.write(hand[:left])
            left -= len(hand)


def _copy(clip: Path, folder: Path, number: int) -> Path:
    link = folder / f"{number}-{clip.name}"
    link.symlink_to(clip.resolve())
    return link


if __name__ == "__main__":
    main()
