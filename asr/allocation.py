"""Building big structures once, and without the cyclic garbage collector in between."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import RLock
from typing import Any, TypeVar

__all__ = ["BuiltOnce", "without_collector"]

Built = TypeVar("Built")


class BuiltOnce(cached_property[Built]):
    """A property that is built on the first use, once for all threads.

    Since Python 3.12 functools's own has no lock, and every thread would build one.
    """

    _lock = RLock()

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        """What is built; later uses find it in the instance and do not come here."""
        with self._lock:
            return super().__get__(instance, owner)


@contextmanager
def without_collector() -> Iterator[None]:
    """Collect no cyclic garbage inside.

    Reading a lexicon of 100,000 words and building its tree makes a million objects that stay;
    the collector walks through all of them again and again, which doubles the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
