"""How many live streams this machine holds: as many as `asr serve` allows, in real time, and one.

    python demo/load_test.py [--streams N] [--seconds 20] [--decoder greedy]

Starts a server of its own on loopback, plays the demo clips to it in real time over all streams at
once, and prints how late the results came; a stream is held if the answer to the end of its sound
came within a second. Then it asks for one stream more, which must be refused at once while the
others go on. Exit status 1 if a stream was not held or the last one not refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from asr.audio.files import read_audio

CLIPS = sorted((Path(__file__).parent / "clips").glob("*.mp3"))
RATE = 16_000
BLOCK_S = 0.1
HELD_S = 1.0


def sound(seconds: float, first: int) -> bytes:
    """So much speech as 16-bit samples, beginning with another clip for every stream."""
    clips = [read_audio(path, RATE).samples for path in CLIPS]
    samples = np.concatenate(clips[first % len(clips) :] + clips[: first % len(clips)])
    samples = np.resize(samples, round(seconds * RATE))
    return (samples * 32767).astype("<i2").tobytes()


async def stream(url: str, seconds: float, number: int) -> float:
    """Speak in real time; how long after the last sample the last result came (seconds)."""
    data, size = sound(seconds, number), round(2 * RATE * BLOCK_S)
    async with connect(url, proxy=None) as connection:
        reader = asyncio.create_task(_read(connection))
        started = time.monotonic()
        for start in range(0, len(data), size):
            await asyncio.sleep(max(0.0, started + start / (2 * RATE) - time.monotonic()))
            await connection.send(data[start : start + size])
        await connection.send('{"type": "finish"}')
        ended = time.monotonic()
        await reader
        return time.monotonic() - ended


async def _read(connection: ClientConnection) -> None:
    async for text in connection:
        message = json.loads(text)
        if message["type"] == "error":
            raise RuntimeError(message["message"])


async def refusal(url: str) -> tuple[int | None, str, float]:
    """Close code, reason and delay of a stream too many."""
    started = time.monotonic()
    async with connect(url, proxy=None) as connection:
        try:
            async for _ in connection:
                if time.monotonic() - started > 2:
                    break
        except ConnectionClosed:
            pass
        code, reason = connection.close_code, connection.close_reason
    return code, reason or "", time.monotonic() - started


async def measure(url: str, num: int, seconds: float) -> int:
    """Run the streams, then one more in their midst; prints, and returns the exit status."""
    streams = [asyncio.create_task(stream(url, seconds, n)) for n in range(num)]
    await asyncio.sleep(seconds / 2)
    code, reason, delay_s = await refusal(url)
    late = sorted(await asyncio.gather(*streams))
    held = sum(value <= HELD_S for value in late)
    print(f"streams held in real time: {held} of {num} for {seconds:.0f} s")
    print(f"last result after the last sample: median {statistics.median(late):.2f} s, ", end="")
    print(f"worst {late[-1]:.2f} s")
    print(f"stream {num + 1}: close code {code} after {delay_s * 1000:.0f} ms: {reason}")
    return 0 if held == num and code == 1013 else 1


def main() -> int:
    """Start the server, measure, stop it."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--streams", type=int)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--decoder")
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "asr", "serve", "--port", str(port), "--rate", "10000"]
    command += ["--decoder", options.decoder] if options.decoder else []
    command += ["--streams", str(options.streams)] if options.streams else []
    server = subprocess.Popen(command)
    try:
        health = wait_for(f"http://127.0.0.1:{port}/health")
        limit = health["live_streams_limit"]
        print(f"{os.cpu_count()} cores, {limit} streams allowed")
        return asyncio.run(measure(f"ws://127.0.0.1:{port}/v1/live", limit, options.seconds))
    finally:
        server.terminate()
        server.wait()


def wait_for(url: str) -> dict[str, int]:
    """The server's health, once it is up; it has to load the model first."""
    for _ in range(600):
        try:
            with urlopen(url) as answer:
                return json.load(answer)
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server does not start")


if __name__ == "__main__":
    sys.exit(main())
