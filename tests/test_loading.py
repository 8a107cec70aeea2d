"""A model is opened with all that belongs to it, or it is said what is missing."""

import pytest
import torch

from asr.checkpoint import save_checkpoint
from asr.decoding import BeamDecoder, GreedyDecoder
from asr.errors import CheckpointError, ConfigError, DecoderError, DeviceError
from asr.lexicon import PHONES, write_lexicon
from asr.lm.pieces import Pieces
from asr.lm.recurrent import LstmLm, LstmLmConfig, save_lstm_lm
from asr.loading import load_recognizer, pick_device
from asr.models import BiLSTMConfig, build_model

from .test_recognizer import noise, tiny_recognizer
from .tones import TOKENIZER


@pytest.fixture
def folder(tmp_path):
    checkpoint = tiny_recognizer().checkpoint
    file = tmp_path / "model.safetensors"
    save_checkpoint(file, checkpoint.model, checkpoint.front_end, TOKENIZER, {})
    return tmp_path


def test_a_model_folder_without_a_language_model_is_decoded_greedily(folder):
    recognizer = load_recognizer(folder, device="cpu", batch_windows=3)
    assert isinstance(recognizer.decoder, GreedyDecoder)
    assert recognizer.batch_windows == 3
    assert recognizer.transcribe_samples(noise(1)).duration == 1.0


def test_decoder_settings_are_those_beside_the_weights(folder):
    (folder / "decoder.yaml").write_text("beam_size: 7\n")
    recognizer = load_recognizer(folder, decoder="beam", device="cpu")
    assert isinstance(recognizer.decoder, BeamDecoder)
    assert recognizer.decoder.config.beam_size == 7


ARPA = """\\data\\
ngram 1=5
ngram 2=1

\\1-grams:
-1 <unk> 0
-99 <s> 0
-1 </s>
-1 ab 0
-2 ba 0

\\2-grams:
-0.5 ab ba

\\end\\
"""


def test_an_lstm_language_model_is_used_with_the_n_grams_of_its_name(folder):
    lstm = LstmLm(Pieces.of("ab", {}, 1), LstmLmConfig(embedding=4, hidden=4))
    save_lstm_lm(folder / "words.lstm", lstm, {})
    assert isinstance(load_recognizer(folder, device="cpu").decoder, GreedyDecoder)
    for name in ("words.lm", "other.arpa"):
        (folder / name).write_text(ARPA)
    beside = load_recognizer(folder, device="cpu").decoder
    assert beside.lstm.pieces.tokens == lstm.pieces.tokens
    other = load_recognizer(folder, lm=folder / "other.arpa", device="cpu").decoder
    assert other.lm == folder / "other.arpa"
    assert other.lstm is None
    save_lstm_lm(folder / "other.lstm", lstm, {})
    assert load_recognizer(folder, lm=folder / "other.arpa", device="cpu").decoder.lstm
    (folder / "words.lstm").write_bytes(b"not a model")
    with pytest.raises(CheckpointError, match=r"words\.lstm: not a model"):
        load_recognizer(folder, device="cpu")


def test_an_lstm_language_model_without_letters_of_the_words_is_refused_at_once(folder):
    (folder / "words.lm").write_text(ARPA)
    lstm = LstmLm(Pieces.of("a", {}, 1), LstmLmConfig(embedding=4, hidden=4))
    save_lstm_lm(folder / "words.lstm", lstm, {})
    with pytest.raises(DecoderError, match=r"words\.lstm: the character 'b' is none of"):
        load_recognizer(folder, device="cpu")


def test_a_beam_without_pronunciations_for_its_phones_is_told(tmp_path, caplog):
    tiny = tiny_recognizer().checkpoint
    config = BiLSTMConfig(layers=1, hidden=6, conv_channels=2, phone_layer=1)
    model = build_model(config, 16, len(TOKENIZER), len(PHONES))
    file = tmp_path / "model.safetensors"
    save_checkpoint(file, model, tiny.front_end, TOKENIZER, {}, phones=PHONES)
    load_recognizer(file, decoder="greedy", device="cpu")
    assert not caplog.messages
    decoder = load_recognizer(file, decoder="beam", device="cpu").decoder
    assert isinstance(decoder, BeamDecoder)
    assert "no pronunciations (*.lexicon.xz) beside it" in caplog.messages[0]


def test_words_that_have_no_sound_are_told_and_their_lexicon_may_lie_beside_them(tmp_path, caplog):
    config = BiLSTMConfig(layers=1, hidden=6, conv_channels=2, phone_layer=1)
    model = build_model(config, 16, len(TOKENIZER), len(PHONES))
    file = tmp_path / "model" / "model.safetensors"
    save_checkpoint(
        file, model, tiny_recognizer().checkpoint.front_end, TOKENIZER, {}, phones=PHONES
    )
    lm = tmp_path / "own.lm"
    lm.write_text(ARPA)
    write_lexicon({"ab": [("AE", "B")]}, file.parent / "english.lexicon.xz")
    assert set(load_recognizer(file, lm=lm, device="cpu").decoder.lexicon.pronunciations) == {"ab"}
    (message,) = caplog.messages
    assert "1 of 2 words (ba) have no pronunciation" in message
    assert f"asr lexicon build {lm} -o {tmp_path / 'own.lexicon.xz'}" in message
    caplog.clear()
    both = {"ab": [("AE", "B")], "ba": [("B", "AE")]}
    write_lexicon(both, tmp_path / "own.lexicon.xz")
    found = load_recognizer(file, lm=lm, device="cpu").decoder.lexicon.pronunciations
    assert (dict(found), caplog.messages) == (both, [])


def test_what_cannot_be_loaded_is_an_error_that_names_it(folder):
    with pytest.raises(CheckpointError, match="no such model"):
        load_recognizer(folder / "other", device="cpu")
    with pytest.raises(ConfigError, match="no decoder 'viterbi'"):
        load_recognizer(folder, decoder="viterbi", device="cpu")
    with pytest.raises((ConfigError, DecoderError), match=r"missing\.lm"):
        load_recognizer(folder, lm=folder / "missing.lm", device="cpu")
    with pytest.raises(ConfigError, match="no device 'tpu'"):
        load_recognizer(folder, device="tpu")


def test_the_automatic_device_is_the_gpu_where_there_is_one(monkeypatch):
    for available, name in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert pick_device("auto").type == name
        assert pick_device("cpu").type == "cpu"
    with pytest.raises(DeviceError, match="no CUDA device"):
        pick_device("cuda")
