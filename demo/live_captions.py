"""Live captions in 30 lines: what the microphone hears, or a recording played as if it were live.

python demo/live_captions.py [RECORDING]        # grey words may still change; Ctrl-C ends
"""

import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress

import asr
from asr.audio.microphone import open_microphone, simulate
from asr.streaming import LiveRecognizer


def until_interrupted(blocks: Iterator) -> Iterator:
    """Ctrl-C ends the sound, and what was heard of the last sentence is still printed."""
    with suppress(KeyboardInterrupt):
        yield from blocks


if __name__ == "__main__":
    live = LiveRecognizer(asr.load())
    try:
        with nullcontext(simulate(sys.argv[1])) if sys.argv[1:] else open_microphone() as blocks:
            for result in live.run(until_interrupted(blocks)):
                text = result.segment.text
                shown = f"{text}\n" if result.is_final else f"\x1b[90m{text[-78:]}\x1b[0m"
                print(f"\r\x1b[K{shown}", end="", flush=True)
    except asr.errors.AsrError as error:
        sys.exit(f"error: {error}")
