"""Building big structures of small objects, without the cyclic garbage collector in between."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_collector"]


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
