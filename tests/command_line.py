"""The program as a user runs it, without a process of its own."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import soundfile
import torch

from asr import cli
from asr.audio.features import FeatureConfig, LogMel
from asr.checkpoint import save_checkpoint
from asr.models import BiLSTMConfig, build_model
from asr.tokenizer import Tokenizer

from .training.tones import SAMPLE_RATE, speak


def command_line(capsys):
    """Runs a command line; gives its exit code and both streams."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return SimpleNamespace(code=caught.value.code or 0, out=streams.out, err=streams.err)

    return run


def assert_refused(result, code, *parts):
    """One line that has the parts, a hint at the most, nothing on standard output."""
    assert result.code == code, result.err
    assert result.out == ""
    assert "Traceback" not in result.err
    lines = result.err.strip().splitlines()
    assert len(lines) <= 2, result.err
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in result.err


def random_model(tmp_path_factory):
    """A network with random weights that writes something for any sound."""
    torch.manual_seed(3)
    tokenizer = Tokenizer()
    config = BiLSTMConfig(layers=1, hidden=8, dropout=0.0, conv_channels=4)
    network = build_model(config, 80, len(tokenizer))
    with torch.no_grad():
        network.output.weight.mul_(20)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_checkpoint(path, network, LogMel(FeatureConfig()), tokenizer, {"made": "by a test"})
    return path


def sound_writer(tmp_path):
    """Writes a recording of tones."""

    def write(name, text="abc cab"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, speak(text), SAMPLE_RATE)
        return path

    return write


def write_manifest(path, *entries):
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path
