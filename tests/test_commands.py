"""Tuning, exporting and describing models, as a user asks for them."""

from __future__ import annotations

import json
from shutil import copy

import numpy as np
import pytest
import soundfile
import torch
import yaml

from asr.audio.features import FeatureConfig, LogMel
from asr.audio.vocal_tract import warp_frequencies
from asr.checkpoint import load_checkpoint, save_checkpoint
from asr.decoding import BeamConfig
from asr.lexicon import PHONES
from asr.loading import load_recognizer
from asr.models import BiLSTMConfig, build_model
from asr.tokenizer import ENGLISH, Tokenizer

from .command_line import (
    assert_refused,
    command_line,
    random_model,
    sound_writer,
    write_manifest,
)

asr = pytest.fixture(command_line)
sound = pytest.fixture(sound_writer)
model = pytest.fixture(random_model, scope="module")


@pytest.fixture
def lm(asr, tmp_path):
    (tmp_path / "t.txt").write_text("the cat sat\nthe dog sat\nthe cat ran\n" * 3)
    lm = tmp_path / "t.lm"
    assert asr("lm", "build", tmp_path / "t.txt", "-o", lm, "--set", "order=2").code == 0
    return lm


def test_the_beam_is_tuned_into_a_file_that_is_used_from_then_on(asr, model, lm, sound, tmp_path):
    entry = {"audio_filepath": str(sound("a.wav")), "text": "the cat sat", "id": "a"}
    manifest = write_manifest(tmp_path / "m.jsonl", entry)
    (tmp_path / "own").mkdir()
    model, settings = copy(model, tmp_path / "own"), tmp_path / "own" / "decoder.yaml"
    settings.write_text("beam_size: 7\n")
    result = asr("tune", manifest, "--model", model, "--lm", lm, "-o", settings)
    assert (result.code, result.out) == (0, "")
    chosen = yaml.safe_load(settings.read_text())
    assert set(BeamConfig.model_fields) <= set(chosen)
    assert chosen["beam_size"] == 7
    lines = [line for line in result.err.splitlines() if line.startswith("lm_weight")]
    best = min(lines, key=lambda line: float(line.split()[-1].rstrip("%")))
    assert best.startswith(f"lm_weight {chosen['lm_weight']} word_score {chosen['word_score']} ")
    refused = asr("tune", manifest, "--model", model, "-o", settings)
    assert_refused(refused, 2, "no language model", "--lm")


def test_the_confidences_of_word_pieces_are_tuned_with_the_beam(asr, lm, sound, tmp_path):
    torch.manual_seed(7)
    config = BiLSTMConfig(layers=2, hidden=8, conv_channels=4, phone_layer=1)
    pieces = (*ENGLISH, "the", "cat")
    network = build_model(config, 80, len(ENGLISH), len(PHONES), len(pieces))
    torch.nn.init.normal_(network.word_pieces.weight, std=9)
    path, names = tmp_path / "m" / "model.safetensors", {"phones": PHONES, "word_pieces": pieces}
    path.parent.mkdir()
    save_checkpoint(path, network, LogMel(FeatureConfig()), Tokenizer(), {}, **names)
    entry = {"audio_filepath": str(sound("a.wav")), "text": "the cat sat", "id": "a"}
    manifest, settings = write_manifest(tmp_path / "m.jsonl", entry), path.parent / "decoder.yaml"
    assert asr("tune", manifest, "--model", path, "--lm", lm, "-o", settings).code == 0
    greedy = yaml.safe_load(settings.read_text())["greedy"]
    assert set(greedy) == {"confidence_scale", "confidence_ceiling"}
    decoder = load_recognizer(path, decoder="greedy", device="cpu").decoder
    assert decoder.config.model_dump() == greedy


@pytest.mark.parametrize(("weights", "least"), [("int8", 0), ("float32", 1.5)])
def test_a_model_is_written_with_other_weights(asr, model, tmp_path, weights, least):
    result = asr("export", model, "-o", tmp_path / "other.safetensors", "--weights", weights)
    assert (result.code, result.out) == (0, "")
    assert weights in result.err
    found = json.loads(asr("info", tmp_path / "other.safetensors").out)
    before = json.loads(asr("info", model).out)
    assert found["provenance"] == before["provenance"]
    assert found["parameters"] == before["parameters"]
    assert found["bytes"] > least * before["bytes"]


def test_a_model_is_written_that_listens_several_times(asr, model, sound, tmp_path):
    other = tmp_path / "other.safetensors"
    tracts = ["--vocal-tract", "1.0", "--vocal-tract", "1.06"]
    assert asr("export", model, "-o", other, "--weights", "float32", *tracts).code == 0
    assert json.loads(asr("info", other).out)["model"]["vocal_tracts"] == [1.0, 1.06]
    loaded, plain = load_checkpoint(other), load_checkpoint(model)
    features = torch.randn(1, 40, plain.front_end.config.n_mels)
    length = torch.tensor([40])
    with torch.inference_mode():
        heard = loaded.model(features, length).letters.exp()
        warped = warp_frequencies(features[0], 1.06, plain.front_end.config)[None]
        both = [plain.model(x, length).letters.exp() for x in (features, warped)]
    torch.testing.assert_close(heard, (both[0] + both[1]) / 2, rtol=1e-4, atol=1e-5)
    assert asr("transcribe", sound("a.wav"), "--model", other).code == 0
    refused = asr("export", model, "-o", other, "--vocal-tract", "3")
    assert_refused(refused, 2, "vocal tracts", "between 0.5 and 2")


def test_a_model_is_written_that_is_the_mean_of_two(asr, model, tmp_path):
    first, other, out = load_checkpoint(model), tmp_path / "other.safetensors", tmp_path / "mean"
    twice = build_model(first.model.config, 80, len(ENGLISH))
    twice.load_state_dict({name: 2 * tensor for name, tensor in first.model.state_dict().items()})
    save_checkpoint(other, twice, first.front_end, Tokenizer(), {"hours": 3})
    mean = ["--mean-with", other, "--share", "0.25", "--weights", "float32"]
    assert asr("export", model, "-o", out, *mean).code == 0
    for name, tensor in load_checkpoint(out).model.state_dict().items():
        expected = 1.25 * first.model.state_dict()[name]
        torch.testing.assert_close(tensor, expected, rtol=2e-3, atol=1e-4)
    told = json.loads(asr("info", out).out)["provenance"]["mean_with"]
    assert (told["share"], told["provenance"]) == (0.25, {"hours": 3})
    assert told["content_hash"] == load_checkpoint(other).content_hash


def test_models_with_other_features_have_no_mean(asr, model, tmp_path):
    first, other = load_checkpoint(model), tmp_path / "other.safetensors"
    first.front_end.mean += 1
    save_checkpoint(other, first.model, first.front_end, Tokenizer(), {})
    refused = asr("export", model, "-o", tmp_path / "mean", "--mean-with", other)
    assert_refused(refused, 2, "no mean", "trained further")


def test_models_with_other_letters_have_no_mean(asr, model, tmp_path):
    first, other = load_checkpoint(model), tmp_path / "other.safetensors"
    turned = Tokenizer([*ENGLISH[:2], *reversed(ENGLISH[2:])])
    save_checkpoint(other, first.model, first.front_end, turned, {})
    refused = asr("export", model, "-o", tmp_path / "mean", "--mean-with", other)
    assert_refused(refused, 2, "no mean", "trained further")


def test_a_model_is_not_replaced_by_another_of_itself(asr, model, tmp_path):
    other = copy(model, tmp_path / "other.safetensors")
    before = other.read_bytes()
    assert_refused(asr("export", other, "-o", other), 2, "both as a source and as the result")
    command = ["export", model, "-o", other, "--mean-with", other]
    assert_refused(asr(*command), 2, "both as a source and as the result")
    assert other.read_bytes() == before


def test_a_tuning_set_stays_and_has_utterances(asr, model, lm, sound, tmp_path):
    entry = {"audio_filepath": str(sound("a.wav")), "text": "the cat sat", "id": "a"}
    manifest = write_manifest(tmp_path / "m.jsonl", entry)
    before, command = manifest.read_text(), ["tune", manifest, "--model", model, "--lm", lm, "-o"]
    assert_refused(asr(*command, manifest), 2, "both as a source and as the result")
    assert asr(*command, tmp_path / "d.yaml", "--most", "0").code == 2
    assert manifest.read_text() == before
    assert not (tmp_path / "d.yaml").exists()


def test_a_share_of_nothing_is_refused(asr, model, tmp_path):
    refused = asr("export", model, "-o", tmp_path / "m", "--share", "0.3")
    assert_refused(refused, 2, "--share", "--mean-with")


def test_weights_of_a_type_that_there_is_not_are_refused(asr, model, tmp_path):
    refused = asr("export", model, "-o", tmp_path / "m", "--weights", "int4")
    assert_refused(refused, 2, "no weights 'int4'", "int8, float16, float32")


def test_what_a_model_is_comes_as_json(asr, model):
    result = asr("info", model)
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert found["provenance"] == {"made": "by a test"}
    assert found["seconds_per_step"] == pytest.approx(0.04)
    assert len(found["vocabulary"]) == 29
    assert found["language_model"] is None
    assert found["lstm_language_model"] is None


def test_what_is_too_long_to_be_searched_at_once_is_not_tuned_on(asr, model, lm, sound, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(31 * 16000), 16000)
    entries = [
        {"audio_filepath": str(path), "text": "the cat sat", "id": path.stem}
        for path in (tmp_path / "long.wav", sound("a.wav"))
    ]
    settings = tmp_path / "decoder.yaml"
    command = ("--model", model, "--lm", lm, "-o", settings)
    assert asr("tune", write_manifest(tmp_path / "m.jsonl", *entries), *command).code == 0
    assert " on 1 utterances" in settings.read_text()
    alone = write_manifest(tmp_path / "l.jsonl", entries[0])
    assert_refused(asr("tune", alone, *command), 2, "no recording of 30 s or less")
