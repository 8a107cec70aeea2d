"""Speech recognition with bidirectional LSTMs and CTC.

import asr
print(asr.load().transcribe("talk.mp3").text)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr.recognizer import Recognizer

__all__ = ["load"]


def load(
    model: str | Path | None = None,
    *,
    decoder: str | None = None,
    lm: str | Path | None = None,
    device: str = "auto",
    num_alternatives: int = 0,
) -> Recognizer:
    """A recogniser, by default the bundled English one.

    Args:
        model: A model file, or a folder with one (model.safetensors, or a training run's
            best.safetensors) and its language model.
        decoder: "greedy" or "beam"; by default "beam" where there is a language model.
        lm: Another n-gram language model; what has its name beside it belongs to it (*.lstm,
            *.lexicon.xz).
        device: "auto", "cpu" or "cuda".
        num_alternatives: Texts that fit, best first, at most so many of each passage, in
            `Transcript.passages`; 0 for none but the transcript. Greedy decoding knows one.

    Raises:
        AsrError: The model, its language model or the device cannot be had.
    """
    from asr.loading import load_recognizer  # torch is slow to import

    return load_recognizer(
        Path(model) if model else None,
        decoder=decoder,
        lm=Path(lm) if lm else None,
        device=device,
        num_alternatives=num_alternatives,
    )
