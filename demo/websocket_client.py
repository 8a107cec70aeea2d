"""Stream a recording, or raw samples from standard input, to `asr serve` and print the captions.

    asr serve &
    python demo/websocket_client.py talk.mp3 [--url ws://127.0.0.1:8000/v1/live] [--fast]
    arecord -t raw -f S16_LE -r 16000 -c 1 | python demo/websocket_client.py -

Final segments go to standard output with their time, or with --json every message as it comes.
A token is taken from the environment variable ASR_TOKEN.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from asr.audio.files import read_blocks
from asr.errors import AsrError

RATE = 16_000
BLOCK_S = 0.1


def blocks_of(source: str) -> Iterator[bytes]:
    """Blocks of 16-bit little-endian samples."""
    if source == "-":
        while data := sys.stdin.buffer.read(round(2 * RATE * BLOCK_S)):
            yield data
        return
    for block in read_blocks(source, RATE, BLOCK_S):
        yield (np.clip(block, -1, 1) * 32767).astype("<i2").tobytes()


def send(socket: ClientConnection, source: str, fast: bool, errors: list[Exception]) -> None:
    """A block when it would have been spoken, and then the end; the server slows who is faster."""
    started, num_bytes = time.monotonic(), 0
    try:
        for block in blocks_of(source):
            socket.send(block)
            num_bytes += len(block)
            ahead_s = num_bytes / (2 * RATE) - (time.monotonic() - started)
            if ahead_s > 0 and source != "-" and not fast:
                time.sleep(ahead_s)
        socket.send('{"type": "finish"}')
    except ConnectionClosed:
        pass  # the reader is told why
    except (AsrError, OSError) as error:
        errors.append(error)
        socket.close()


def show(text: str, as_json: bool) -> None:
    """Print a message, or only the words of a final one."""
    message = json.loads(text)
    if as_json:
        print(text, flush=True)
    elif message["type"] == "final":
        print(f"{message['start']:8.2f}  {message['text']}", flush=True)


def main() -> int:
    """Send on one thread, print on the other."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("source")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/v1/live")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    token = os.environ.get("ASR_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{options.url}?format=pcm_s16le&sample_rate={RATE}"
    # A ping would wait behind the sound of --fast, and its answer come too late.
    with connect(url, additional_headers=headers, proxy=None, ping_interval=None) as socket:
        errors: list[Exception] = []
        arguments = (socket, options.source, options.fast, errors)
        threading.Thread(target=send, args=arguments, daemon=True).start()
        try:
            for text in socket:
                show(text, options.json)
        except ConnectionClosed as closed:
            print(f"ended: {closed.rcvd.reason if closed.rcvd else closed}", file=sys.stderr)
            return 1
    if errors:
        raise errors[0]
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (AsrError, OSError, InvalidStatus) as error:
        sys.exit(f"error: {error}")
