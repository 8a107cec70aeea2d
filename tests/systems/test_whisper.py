"""The adapter around faster-whisper, which stands in here; the real one where it is installed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from asr.errors import AsrError, CheckpointError, ConfigError
from asr.systems import whisper
from asr.systems.whisper import WhisperSystem, open_whisper
from asr.types import Audio, Word

AUDIO = Audio(np.zeros(32000, np.float32), 16000)


class Model:
    """Says two segments, or fails."""

    def __init__(self, *arguments, **options):
        self.arguments, self.options = arguments, options

    def transcribe(self, samples, **options):
        if len(samples) == 0:
            raise RuntimeError("nothing to hear")
        assert samples.dtype == np.float32
        assert (options["language"], options["word_timestamps"]) == ("en", True)
        word = SimpleNamespace(word=" Hello", start=np.float64(0.1), end=0.5, probability=0.9)
        blank = SimpleNamespace(word=" ", start=0.5, end=0.5, probability=0.9)
        segments = [
            SimpleNamespace(text=" Hello", start=0.0, end=0.6, words=[word, blank]),
            SimpleNamespace(text=" there.", start=0.6, end=1.0, words=None),
        ]
        return iter(segments), None


def test_segments_become_a_transcript():
    (found,) = WhisperSystem(Model(), Path("m/whisper-base"), "float32").transcribe_many([AUDIO])
    assert found.text == "Hello there."
    assert found.duration == 2.0
    assert found.words == (Word("Hello", 0.1, 0.5, 0.9),)
    assert type(found.words[0].start) is float


def test_what_fails_does_not_stop_the_rest():
    system = WhisperSystem(Model(), Path("base"), "float32")
    empty = Audio(np.zeros(0, np.float32), 16000)
    missing, failed, found = system.transcribe_many([Path("/none.wav"), empty, AUDIO])
    assert isinstance(missing, AsrError)
    assert "none.wav" in str(missing)
    assert str(failed) == "whisper-base: nothing to hear"
    assert found.text == "Hello there."


@pytest.mark.parametrize(("folder", "name"), [("base", "whisper-base"), ("whisper-x", "whisper-x")])
def test_it_is_called_by_the_folder_of_its_model(folder, name):
    system = WhisperSystem(Model(), Path("models") / folder, "float32")
    assert system.name == system.describe()["name"] == name
    assert system.describe()["model"] == f"models/{folder}"


@pytest.fixture
def installed(monkeypatch):
    """faster-whisper and CTranslate2, with or without a GPU."""

    def install(num_gpus=0, model=Model):
        modules = {
            "faster_whisper": SimpleNamespace(WhisperModel=model),
            "ctranslate2": SimpleNamespace(get_cuda_device_count=lambda: num_gpus),
        }
        monkeypatch.setattr(whisper, "import_optional", lambda module, _: modules[module])

    return install


@pytest.mark.parametrize(("num_gpus", "device"), [(0, "cpu"), (1, "cuda")])
def test_a_folder_is_opened_without_any_download(installed, tmp_path, num_gpus, device):
    (tmp_path / "model.bin").touch()
    installed(num_gpus)
    system = open_whisper(str(tmp_path))
    assert system.model.arguments == (str(tmp_path),)
    assert system.model.options["local_files_only"] is True
    assert system.model.options["device"] == device


def test_what_is_no_model_is_refused(installed, tmp_path):
    def refuse(*_, **__):
        raise RuntimeError("unsupported version")

    installed(model=refuse)
    with pytest.raises(ConfigError, match="needs a model"):
        open_whisper("")
    with pytest.raises(CheckpointError, match=r"no model\.bin"):
        open_whisper(str(tmp_path))
    (tmp_path / "model.bin").touch()
    with pytest.raises(CheckpointError, match="not a Whisper model: unsupported version"):
        open_whisper(str(tmp_path))
