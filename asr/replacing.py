"""Files that are written whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place to write to, which becomes `path` at the end if nothing was raised.

    It has a name of its own, so that two programs that write the same file do not disturb each
    other: the last one's stays. Devices and pipes are written to directly.

    Raises:
        OSError: The folder cannot be made, or there is no such place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        yield path
        return
    partial = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
