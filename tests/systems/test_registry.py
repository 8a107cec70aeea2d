"""Names on the command line to systems."""

from __future__ import annotations

import pytest

from asr import systems
from asr.errors import ConfigError
from asr.systems import open_system


def test_what_stands_behind_the_colon_is_handed_on(monkeypatch):
    monkeypatch.setitem(systems.SYSTEMS, "whisper", lambda argument: f"opened {argument}")
    assert open_system("whisper:C:/models/base") == "opened C:/models/base"
    assert open_system("whisper") == "opened "


def test_an_unknown_system_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match="no system 'kaldi'") as caught:
        open_system("kaldi:x")
    assert "pocketsphinx, whisper" in caught.value.hint
