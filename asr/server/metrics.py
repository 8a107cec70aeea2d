"""Counts of what the server does, in Prometheus' text format.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator

__all__ = ["CONTENT_TYPE", "Counter", "Gauge", "Histogram", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_DELAYS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Counter:
    """A sum that only grows, for each combination of labels."""

    kind = "counter"

    def __init__(self, name: str, help: str, labels: tuple[str, ...] = ()) -> None:
        """Store what it is."""
        self.name, self.help, self.labels = name, help, labels
        self._values: defaultdict[tuple[str, ...], float] = defaultdict(float)
        if not labels:
            self._values[()] = 0.0

    def add(self, amount: float = 1, *values: object) -> None:
        """Add for these values of the labels."""
        assert len(values) == len(self.labels)
        self._values[tuple(map(str, values))] += amount

    def value(self, *values: object) -> float:
        """The sum so far."""
        return self._values.get(tuple(map(str, values)), 0.0)

    def lines(self) -> Iterator[str]:
        """A line for each combination of labels."""
        for values, amount in sorted(self._values.items()):
            pairs = zip(self.labels, values, strict=True)
            labels = ",".join(f'{label}="{_escape(value)}"' for label, value in pairs)
            yield f"{self.name}{f'{{{labels}}}' if labels else ''} {amount:.10g}"


class Gauge:
    """Something that is asked for when the metrics are."""

    kind = "gauge"

    def __init__(self, name: str, help: str, read: Callable[[], float]) -> None:
        """Store what it is."""
        self.name, self.help, self._read = name, help, read

    def lines(self) -> Iterator[str]:
        """The value now."""
        yield f"{self.name} {self._read():.10g}"


class Histogram:
    """How many observations were at most so large."""

    kind = "histogram"

    def __init__(self, name: str, help: str, bounds: tuple[float, ...] = _DELAYS_S) -> None:
        """Store what it is; `bounds` ascend."""
        self.name, self.help, self.bounds = name, help, bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self._sum += value

    def lines(self) -> Iterator[str]:
        """Cumulative counts, their sum and their number."""
        total = 0
        for bound, count in zip((*self.bounds, "+Inf"), self._counts, strict=True):
            total += count
            yield f'{self.name}_bucket{{le="{bound}"}} {total}'
        yield f"{self.name}_sum {self._sum:.10g}"
        yield f"{self.name}_count {total}"


class Metrics:
    """All that is counted. Changed on the event loop's thread only."""

    def __init__(self) -> None:
        self.requests = Counter(
            "asr_http_requests_total", "Answers to recordings sent.", ("status",)
        )
        self.streams = Counter("asr_live_streams_total", "Live streams accepted.")
        self.refused = Counter(
            "asr_refused_total", "Requests and streams refused for a limit.", ("reason",)
        )
        self.audio_s = Counter("asr_audio_seconds_total", "Sound recognised.", ("kind",))
        self.work_s = Counter("asr_work_seconds_total", "Time spent recognising it.", ("kind",))
        self.delay_s = Histogram(
            "asr_live_delay_seconds", "From a block's arrival to its results on their way."
        )
        self.gauges: list[Gauge] = []

    def text(self) -> str:
        """Everything, for a scraper."""
        metrics: list[Counter | Histogram | Gauge] = [self.requests, self.streams, self.refused]
        metrics += [self.audio_s, self.work_s, self.delay_s, *self.gauges]
        lines = []
        for metric in metrics:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
            lines += metric.lines()
        return "\n".join(lines) + "\n"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
