"""Reading a corpus's text files, with errors that name them."""

from __future__ import annotations

from pathlib import Path

from asr.errors import ManifestError

__all__ = ["read_text"]


def read_text(path: Path) -> str:
    """The contents of a UTF-8 file, with or without byte order mark.

    Raises:
        ManifestError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{path}: not UTF-8 (byte {error.start + 1})", f"iconv -t UTF-8 '{path}' converts it"
        ) from error
