"""How much of everything the server takes, and the counting that holds it to that."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from asr.recognizer import Recognizer
from asr.streaming import LiveRecognizer

__all__ = ["Limits", "Pace", "RateLimiter", "Slots", "measure_cost", "streams_for"]

_SHARE = 0.5
"""Of the cores for live streams, so that a busy second delays nobody."""
_MEASURED_S = 6.0
_MAX_CLIENTS = 10_000


@dataclass(frozen=True)
class Limits:
    """What a client may ask for.

    Attributes:
        streams: Live streams at the same time.
        jobs: Recordings being recognised at the same time.
        waiting: Recordings that may wait for their turn.
        upload_bytes: Longest request body.
        recording_s: Longest recording in a request.
        stream_s: Longest live stream.
        lead_s: How far a live stream may run ahead of the clock before it is slowed down.
        requests_per_minute: Of one client, counted together: recordings and live streams.
        idle_s: A client that sends nothing for so long is dropped.
        send_s: A client that does not read what it is sent for so long is dropped.
        memory_bytes: An upload beyond this lies in an unnamed temporary file.
        message_bytes: Longest message of a live stream.
    """

    streams: int = 4
    jobs: int = 1
    waiting: int = 8
    upload_bytes: int = 200_000_000
    recording_s: float = 4 * 3600.0
    stream_s: float = 4 * 3600.0
    lead_s: float = 30.0
    requests_per_minute: int = 60
    idle_s: float = 30.0
    send_s: float = 10.0
    memory_bytes: int = 8_000_000
    message_bytes: int = 256 * 1024


def streams_for(cores: int, cost: float) -> int:
    """How many live streams the cores hold; at least one.

    Args:
        cores: Processor cores.
        cost: Seconds of work for a second of sound, on one core.
    """
    return max(1, int(cores * _SHARE / cost))


def measure_cost(recognizer: Recognizer) -> float:
    """Seconds that a second of live sound takes on one core, beside all else that runs there.

    The sound is noise that swells four times a second, as speech does.
    """
    rate = recognizer.checkpoint.front_end.config.sample_rate
    times = np.arange(round(_MEASURED_S * rate)) / rate
    noise = np.random.default_rng(0).standard_normal(len(times))
    sound = (0.1 * noise * np.sin(4 * np.pi * times) ** 2).astype(np.float32)
    list(LiveRecognizer(recognizer).run([sound]))  # the first run builds the search
    started = time.perf_counter()
    list(LiveRecognizer(recognizer).run([sound]))
    return (time.perf_counter() - started) / _MEASURED_S


class Slots:
    """A fixed number of places, taken and given back on one thread."""

    def __init__(self, total: int) -> None:
        """Store the number."""
        self.total = total
        self.taken = 0

    def take(self) -> bool:
        """Whether there was a free one; it is now taken."""
        if self.taken >= self.total:
            return False
        self.taken += 1
        return True

    def give_back(self) -> None:
        """Free one."""
        assert self.taken > 0
        self.taken -= 1


class RateLimiter:
    """A bucket of tokens for each client, filled evenly over a minute.

    Of the clients seen longest ago those beyond `_MAX_CLIENTS` are forgotten.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Store the rate; `clock` gives seconds."""
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """0.0 if the client may go on, which counts; else the seconds until it may."""
        now = self._clock()
        tokens, last = self._buckets.pop(client, (float(self.per_minute), now))
        tokens = min(self.per_minute, tokens + (now - last) * self.per_minute / 60)
        is_allowed = tokens >= 1
        self._buckets[client] = (tokens - is_allowed, now)
        if len(self._buckets) > _MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if is_allowed else (1 - tokens) * 60 / self.per_minute


class Pace:
    """Holds a stream to the clock: sound may come in at most `lead_s` before it could be spoken."""

    def __init__(self, lead_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock."""
        self.lead_s = lead_s
        self._clock = clock
        self._start = clock()

    def wait_s(self, heard_s: float) -> float:
        """How long to wait before more is taken in, where so much has been heard."""
        return max(0.0, heard_s - self.lead_s - (self._clock() - self._start))
