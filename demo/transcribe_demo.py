"""Transcribe the clips beside this script with the bundled model and score the result.

    python demo/transcribe_demo.py [MANIFEST]

Prints the text, the reference, the word error rate and the real-time factor.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import asr
from asr.data.manifest import read_manifest
from asr.scoring import score

CLIPS = Path(__file__).parent / "clips" / "manifest.jsonl"


def main() -> None:
    """Recognise every clip of the manifest on its own, as a user would."""
    utterances = read_manifest(Path(sys.argv[1]) if len(sys.argv) > 1 else CLIPS, need_text=True)
    recognizer = asr.load()
    recognizer.transcribe(utterances[0].audio)  # the first call also builds the beam search
    hypotheses, audio_s, started = [], 0.0, time.perf_counter()
    for utterance in utterances:
        transcript = recognizer.transcribe(utterance.audio)
        audio_s += transcript.duration
        hypotheses.append(transcript.text)
        print(f"{utterance.audio.name}\n  text:      {transcript.text}")
        print(f"  reference: {utterance.text}")
    elapsed_s = time.perf_counter() - started
    report = score([u.text for u in utterances], hypotheses)
    print(f"WER {report.wer:.1%}, real-time factor {elapsed_s / audio_s:.3f}")


if __name__ == "__main__":
    main()
