"""What NIST's sctk was given for the numbers in these tests: LibriSpeech dev-clean, two systems."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "fixtures" / "sctk"


def read_trn(name):
    """The texts of a transcription file, without their identifiers."""
    lines = (FOLDER / f"{name}.trn").read_text().splitlines()
    return [re.fullmatch(r"(.*?) ?\(\S+\)", line).group(1) for line in lines]
