"""The package's front door."""

import subprocess
import sys

import pytest

import asr
from asr.decoding import PhoneBeamDecoder, WordPieceDecoder
from asr.errors import CheckpointError, ConfigError
from asr.loading import PRETRAINED


def test_the_bundled_model_is_searched_with_its_language_model():
    assert isinstance(asr.load().decoder, PhoneBeamDecoder)
    assert isinstance(asr.load(decoder="greedy").decoder, WordPieceDecoder)


def test_another_language_model_may_be_named(tmp_path):
    file = tmp_path / "own.lm"
    file.write_bytes((PRETRAINED / "english.lm").read_bytes())
    decoder = asr.load(lm=file).decoder
    assert (decoder.lm, decoder.lstm) == (file, None)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="no such model"):
        asr.load(tmp_path / "missing.safetensors")
    with pytest.raises(ConfigError, match="no device 'tpu'"):
        asr.load(device="tpu")


def test_importing_the_package_does_not_load_torch():
    code = "import asr, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
