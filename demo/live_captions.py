"""Live captions in 30 lines: what the microphone hears, or a recording played as if it were live.

python demo/live_captions.py [RECORDING]        # grey words may still change; Ctrl-C ends
"""

import sys
from contextlib import nullcontext

import asr
from asr.audio.microphone import open_microphone, simulate
from asr.streaming import LiveRecognizer

GREY, CLEAR, PLAIN = "\x1b[90m", "\r\x1b[K", "\x1b[0m"


def main() -> None:
    """Print every final segment on a line of its own, and the one being spoken below them."""
    live = LiveRecognizer(asr.load())
    source = nullcontext(simulate(sys.argv[1])) if len(sys.argv) > 1 else open_microphone()
    with source as blocks:
        for result in live.run(blocks):
            if result.is_final:
                print(f"{CLEAR}{result.segment.text}")
            else:
                print(f"{CLEAR}{GREY}{result.segment.text[-78:]}{PLAIN}", end="", flush=True)


if __name__ == "__main__":
    main()
