"""`python -m asr` is `asr`."""

from asr.cli import main

if __name__ == "__main__":
    main()
