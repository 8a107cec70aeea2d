"""What an installation may take."""

import re
from importlib.metadata import requires


def test_torch_and_torchaudio_are_of_the_very_same_number():
    # torchaudio 2.11.1 came out alone; beside torch 2.11.0 it cannot be loaded.
    found = (re.fullmatch(r"(torch|torchaudio)==([\d.]+)", one) for one in requires("asr") or ())
    pinned = {match[1]: match[2] for match in found if match}
    assert pinned.keys() == {"torch", "torchaudio"}
    assert pinned["torch"] == pinned["torchaudio"]
