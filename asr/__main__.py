"""`python -m asr` is `asr`."""

from __future__ import annotations

import os

__all__ = ["run"]

_INTERRUPTED = 130


def run() -> None:
    """The command line; Ctrl-C while it is still being imported ends it without a traceback."""
    try:
        from asr.cli import main

        main()
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)  # modules that came in half may not be able to clean up


if __name__ == "__main__":
    run()
