"""Model files: what is written comes back, and nothing damaged is ever opened.

fixtures/format1.safetensors was made once, by the first version, with

    torch.manual_seed(1)
    front_end = LogMel(FeatureConfig(n_mels=8))
    front_end.mean.copy_(torch.linspace(-9, -2, 8))
    front_end.std.copy_(torch.linspace(1, 3, 8))
    model = build_model(BiLSTMConfig(layers=1, hidden=4, conv_channels=2), n_mels=8, vocab_size=6)
    tokenizer = Tokenizer(("<blank>", "|", "a", "b", "é", "th"))
    save_checkpoint(Path("tests/fixtures/format1.safetensors"), model, front_end, tokenizer,
                    {"data": "none", "hours": 0.5, "steps": 0})

and must be opened by every later version.
"""

import hashlib
import json
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import librosa
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_sequence

from asr.audio.features import FeatureConfig, LogMel
from asr.checkpoint import FORMAT_VERSION, load_checkpoint, save_checkpoint
from asr.errors import CheckpointError
from asr.models import BiLSTMConfig, build_model
from asr.tokenizer import Tokenizer
from asr.weights import quantise_rows

FORMAT_1 = Path(__file__).parent / "fixtures" / "format1.safetensors"
CONTENT = FORMAT_1.read_bytes()
NUM_HEADER = 8 + struct.unpack("<Q", CONTENT[:8])[0]


def header_of(file):
    with safe_open(file, framework="pt") as opened:
        return json.loads(opened.metadata()["asr"])


def opening_error(file):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    return caught.value


def write(folder, content):
    file = folder / "changed.safetensors"
    file.write_bytes(content)
    return file


def rewritten(folder, **changes):
    """The fixture with another header."""
    file = folder / "changed.safetensors"
    header = json.dumps(header_of(FORMAT_1) | changes, sort_keys=True)
    save_file(load_file(FORMAT_1), file, metadata={"asr": header})
    return file


FORMAT_2 = FORMAT_1.with_name("format2.safetensors")
PHONES = ("<blank>", "|", "AA", "B", "\u0259")


def make_parts(norm="layer", cell="lstm", sample_rate=16000, phone_layer=None):
    torch.manual_seed(5)
    front_end = LogMel(FeatureConfig(n_mels=8, sample_rate=sample_rate))
    front_end.mean.uniform_(-8, -2)
    front_end.std.uniform_(1, 3)
    config = BiLSTMConfig(
        layers=2, hidden=3, conv_channels=2, norm=norm, cell=cell, phone_layer=phone_layer
    )
    return build_model(config, 8, 29, len(PHONES)), front_end, Tokenizer()


def test_a_file_of_format_1_still_holds_what_it_held():
    checkpoint = load_checkpoint(FORMAT_1)
    assert header_of(FORMAT_1)["format_version"] == 1
    assert checkpoint.tokenizer.vocabulary == ("<blank>", "|", "a", "b", "é", "th")
    assert checkpoint.phones is None
    assert checkpoint.model.phones is None
    assert checkpoint.provenance == {"data": "none", "hours": 0.5, "steps": 0}
    assert checkpoint.front_end.config == FeatureConfig(n_mels=8)
    assert checkpoint.model.config == BiLSTMConfig(layers=1, hidden=4, conv_channels=2)
    assert checkpoint.seconds_per_step == 0.04
    assert checkpoint.path == FORMAT_1
    assert not checkpoint.model.training
    torch.testing.assert_close(checkpoint.front_end.mean, torch.linspace(-9, -2, 8))
    torch.testing.assert_close(checkpoint.front_end.std, torch.linspace(1, 3, 8))
    shapes = {name: tuple(tensor.shape) for name, tensor in load_file(FORMAT_1).items()}
    assert shapes["model.layers.0.forward_cell.weight_ih_l0"] == (16, 4)
    assert shapes["model.output.weight"] == (6, 8)
    assert all(p.dtype == torch.float32 for p in checkpoint.model.parameters())


@torch.no_grad()
def test_a_file_of_format_1_still_gives_the_same_log_probabilities():
    samples = np.random.default_rng(2).uniform(-0.3, 0.3, 4000).astype(np.float32)
    found = log_probs_of(load_checkpoint(FORMAT_1), samples)
    weights = {name: tensor.float() for name, tensor in load_file(FORMAT_1).items()}
    expected = recomputed(weights, samples)
    assert found.shape == (6, 6)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_file_of_format_2_still_holds_its_phones_and_weights():
    checkpoint = load_checkpoint(FORMAT_2)
    assert header_of(FORMAT_2)["format_version"] == 2
    assert checkpoint.phones.vocabulary == PHONES
    assert checkpoint.provenance == {"hours": 2.5}
    stored = load_file(FORMAT_2)
    for name, tensor in checkpoint.model.state_dict().items():
        assert torch.equal(tensor, stored[f"model.{name}"].float()), name


def log_probs_of(checkpoint, samples):
    features = checkpoint.front_end(torch.from_numpy(samples))[None]
    return checkpoint.model(features, torch.tensor([features.shape[1]])).letters[0]


def recomputed(weights, samples):
    """The fixture's network with librosa and torch's own bidirectional LSTM, packed."""
    power = librosa.feature.melspectrogram(
        y=samples, sr=16000, n_fft=400, hop_length=160, center=False, n_mels=8
    )
    features = (np.log(power.T + 1e-6) - weights["front_end.mean"].numpy()).astype(np.float32)
    x = (torch.from_numpy(features) / weights["front_end.std"])[None, None]
    for name in ("model.subsampling.convs.0", "model.subsampling.convs.1"):
        conv = F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], 2, 1)
        x = F.relu(conv)
    x = x[0].transpose(0, 1).flatten(1)
    x = layer_norm(x, weights, "model.norms.0.norm")
    lstm = torch.nn.LSTM(4, 4, bidirectional=True)
    for direction, suffix in (("forward", ""), ("backward", "_reverse")):
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            stored = weights[f"model.layers.0.{direction}_cell.{name}"]
            getattr(lstm, name + suffix).copy_(stored)
    x = layer_norm(lstm(pack_sequence([x]))[0].data, weights, "model.norms.1.norm")
    return F.linear(x, weights["model.output.weight"], weights["model.output.bias"]).log_softmax(-1)


def layer_norm(x, weights, name):
    return F.layer_norm(x, x.shape[1:], weights[f"{name}.weight"], weights[f"{name}.bias"])


def test_the_content_hash_is_that_of_header_names_types_shapes_and_bytes():
    header, tensors = header_of(FORMAT_1), load_file(FORMAT_1)
    stored = header.pop("content_hash")
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    assert load_checkpoint(FORMAT_1).content_hash == stored == digest.hexdigest()


@pytest.mark.parametrize(("norm", "cell"), [("layer", "lstm"), ("batch", "gru"), ("none", "rnn")])
@torch.no_grad()
def test_what_is_saved_comes_back(tmp_path, norm, cell):
    model, front_end, tokenizer = make_parts(norm, cell)
    provenance = {"data": ["a", "b"], "hours": 12.25, "config": {"seed": 1}}
    file = tmp_path / "new" / "model.safetensors"
    content_hash = save_checkpoint(file, model, front_end, tokenizer, provenance, torch.float32)
    checkpoint = load_checkpoint(file)
    assert checkpoint.content_hash == content_hash
    assert checkpoint.provenance == provenance
    assert checkpoint.tokenizer.vocabulary == tokenizer.vocabulary
    assert checkpoint.model.config == model.config
    assert checkpoint.front_end.config == front_end.config
    for name, tensor in (model.state_dict() | front_end.state_dict()).items():
        assert torch.equal(
            (checkpoint.model.state_dict() | checkpoint.front_end.state_dict())[name], tensor
        )
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@torch.no_grad()
def test_a_model_with_phones_comes_back_with_their_names_and_says_the_same(tmp_path):
    model, front_end, tokenizer = make_parts(phone_layer=1)
    model.phones.feedback.weight.normal_()
    save_checkpoint(tmp_path / "m", model, front_end, tokenizer, {}, torch.float32, phones=PHONES)
    checkpoint = load_checkpoint(tmp_path / "m")
    assert header_of(tmp_path / "m")["format_version"] == FORMAT_VERSION
    assert checkpoint.phones.vocabulary == PHONES
    assert checkpoint.tokenizer.vocabulary == tokenizer.vocabulary
    batch = torch.randn(2, 20, 8), torch.tensor([20, 13])
    expected, found = model.eval()(*batch), checkpoint.model(*batch)
    for row, count in enumerate(expected.steps):
        assert torch.equal(found.letters[row, :count], expected.letters[row, :count])
        assert torch.equal(found.phones[row, :count], expected.phones[row, :count])


@torch.no_grad()
def test_a_model_with_word_pieces_comes_back_with_them_and_names_the_same(tmp_path):
    pieces = ("<blank>", "|", "a", "the", "and")
    _, front_end, tokenizer = make_parts()
    config = BiLSTMConfig(layers=2, hidden=5, conv_channels=3, phone_layer=1)
    model = build_model(config, 8, len(tokenizer), len(PHONES), len(pieces)).eval()
    names = {"phones": PHONES, "word_pieces": pieces}
    save_checkpoint(tmp_path / "m", model, front_end, tokenizer, {}, torch.float32, **names)
    checkpoint = load_checkpoint(tmp_path / "m")
    assert checkpoint.word_pieces.vocabulary == pieces
    batch = torch.randn(2, 30, 8), torch.tensor([30, 21])
    expected, found = model(*batch), checkpoint.model(*batch)
    log_probs = model.word_pieces_of(expected.states)[1, 1:5]
    emissions = checkpoint.emissions(found, 1, slice(1, 5))
    assert torch.equal(emissions.word_pieces.tokens, log_probs.argmax(dim=-1))
    torch.testing.assert_close(emissions.word_pieces.log_probs, log_probs.amax(dim=-1))
    assert torch.equal(emissions.log_probs, expected.letters[1, 1:5])
    assert torch.equal(emissions.phones, expected.phones[1, 1:5])


def test_to_open_a_model_torchs_compiler_is_not_imported(tmp_path):
    save_checkpoint(tmp_path / "m", *make_parts(phone_layer=1), {}, phones=PHONES)
    program = (
        "import sys, pathlib; from asr.checkpoint import load_checkpoint; "
        "load_checkpoint(pathlib.Path(sys.argv[1])); "
        "assert not {'torch._dynamo', 'sympy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "m"], check=True)


def test_a_model_without_phones_comes_back_without(tmp_path):
    save_checkpoint(tmp_path / "m", *make_parts(), {})
    assert load_checkpoint(tmp_path / "m").phones is None
    assert load_checkpoint(tmp_path / "m").word_pieces is None


@pytest.mark.parametrize("phones", [(), PHONES[:-1], (*PHONES, "Z")])
def test_phones_that_do_not_fit_the_weights_are_an_error(tmp_path, phones):
    save_checkpoint(tmp_path / "m", *make_parts(phone_layer=2), {}, phones=phones)
    opening_error(tmp_path / "m")


@torch.no_grad()
def test_half_precision_halves_the_file_and_rounds_weights_only(tmp_path):
    model, front_end, tokenizer = make_parts()
    sizes = {}
    for dtype in (torch.float16, torch.float32):
        save_checkpoint(tmp_path / "m", model, front_end, tokenizer, {}, dtype)
        sizes[dtype] = sum(t.nbytes for n, t in load_file(tmp_path / "m").items() if "model" in n)
    assert sizes[torch.float32] == 2 * sizes[torch.float16]
    save_checkpoint(tmp_path / "m", model, front_end, tokenizer, {})
    checkpoint = load_checkpoint(tmp_path / "m")
    assert torch.equal(checkpoint.model.output.weight, model.output.weight.half().float())
    assert torch.equal(checkpoint.front_end.mean, front_end.mean)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_eight_bits_quarter_the_matrices_and_say_nearly_the_same(tmp_path, norm):
    model, front_end, tokenizer = make_parts(norm=norm, phone_layer=1)
    parts = (model, front_end, tokenizer, {})
    save_checkpoint(tmp_path / "8", *parts, torch.int8, PHONES)
    save_checkpoint(tmp_path / "16", *parts, phones=PHONES)
    eight, sixteen = (load_checkpoint(tmp_path / name) for name in ("8", "16"))
    for name, tensor in eight.model.state_dict().items():
        expected = model.state_dict()[name]
        if expected.ndim > 1:
            integers, scales = quantise_rows(expected)
            assert torch.equal(tensor, integers * scales), name
        else:
            assert torch.equal(tensor, sixteen.model.state_dict()[name]), name
    stored = load_file(tmp_path / "8")
    matrices = [n for n, t in model.state_dict().items() if t.ndim > 1]
    assert all(stored[f"model.{n}"].dtype == torch.int8 for n in matrices)
    samples = np.random.default_rng(2).uniform(-0.3, 0.3, 4000).astype(np.float32)
    torch.testing.assert_close(
        log_probs_of(eight, samples), log_probs_of(sixteen, samples), rtol=0, atol=0.05
    )


def test_a_model_file_may_be_read_by_whom_any_new_file_may(tmp_path):
    save_checkpoint(tmp_path / "m", *make_parts(), {})
    (tmp_path / "any").touch()
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_a_step_lasts_as_long_as_its_samples_where_the_hop_is_rounded(tmp_path):
    save_checkpoint(tmp_path / "m", *make_parts(sample_rate=11025), {})
    # 10 ms are 110.25 samples, of which 110 are taken: 8 s an hour less.
    assert load_checkpoint(tmp_path / "m").seconds_per_step == pytest.approx(4 * 110 / 11025)


def test_a_folder_is_the_model_in_it_and_the_language_model_beside_it(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(CONTENT)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.path == tmp_path / "model.safetensors"
    assert checkpoint.language_model() is None
    (tmp_path / "words.lm").touch()
    assert checkpoint.language_model() == tmp_path / "words.lm"


def test_the_folder_of_a_training_run_is_its_best_model(tmp_path):
    (tmp_path / "best.safetensors").write_bytes(CONTENT)
    (tmp_path / "last.safetensors").write_bytes(b"another")
    assert load_checkpoint(tmp_path).path == tmp_path / "best.safetensors"


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
@example(CONTENT.index(b"1e-06") + 1, ord("e") ^ ord("E"))
@example(CONTENT.index(b"u00e9") + 3, ord("e") ^ ord("E"))
def test_one_changed_byte_is_noticed_wherever_it_is(tmp_path_factory, position, change):
    content = bytearray(CONTENT)
    content[position] ^= change
    file = write(tmp_path_factory.getbasetemp(), content)
    blanks = len(CONTENT[:NUM_HEADER]) - len(CONTENT[:NUM_HEADER].rstrip())
    if position in range(NUM_HEADER - blanks, NUM_HEADER) and content[position] in b"\t\n\r":
        assert load_checkpoint(file).content_hash == load_checkpoint(FORMAT_1).content_hash
    else:
        opening_error(file)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(CONTENT) - 1))
@example(len(CONTENT) // 2)
@example(0)
def test_a_file_that_is_cut_short_is_noticed(tmp_path_factory, size):
    error = opening_error(write(tmp_path_factory.getbasetemp(), CONTENT[:size]))
    assert "cut short" in error.hint


def test_a_byte_too_many_is_noticed(tmp_path):
    opening_error(write(tmp_path, CONTENT + b"\0"))


@pytest.mark.parametrize("content", [b"dear model\n" * 50, b"{}", b"\x80\x04K\x01."])
def test_what_is_no_model_file_is_said_to_be_none(tmp_path, content):
    assert "not a model file" in str(opening_error(write(tmp_path, content)))


def test_safetensors_without_our_header_are_no_model(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "m")
    assert "no asr header" in str(opening_error(tmp_path / "m"))


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, "1", None, 1.5])
def test_a_format_of_another_version_is_named(tmp_path, version):
    error = opening_error(rewritten(tmp_path, format_version=version))
    assert f"format version {version}; this program reads 1 to {FORMAT_VERSION}" in str(error)
    assert error.hint == "update the program"


def test_changed_values_are_noticed(tmp_path):
    assert "content hash" in str(opening_error(rewritten(tmp_path, provenance={"hours": 9e9})))
    assert "content hash" in str(opening_error(rewritten(tmp_path, content_hash="0" * 64)))


def test_a_model_that_does_not_fit_its_weights_is_an_error(tmp_path):
    file = tmp_path / "m"
    model, front_end, _ = make_parts()
    save_checkpoint(file, model, front_end, Tokenizer(("<blank>", "|", "a")), {})
    assert "do not fit" in str(opening_error(file))


def test_what_does_not_exist_is_said_to_be_missing(tmp_path):
    assert "no such model" in str(opening_error(tmp_path / "missing"))
    with pytest.raises(CheckpointError, match="no such model"):
        load_checkpoint(tmp_path)  # a folder without a model


def test_an_option_that_is_no_more_is_overlooked_only_where_it_was_not_used(tmp_path):
    model = header_of(FORMAT_2)["model"]
    assert model["reduce_after"] is None
    assert load_checkpoint(FORMAT_2).model.config.phone_layer == 1
    file = tmp_path / "m"
    parts = make_parts()
    used = {**parts[0].config.model_dump(), "reduce_after": 1}
    parts[0].config = SimpleNamespace(model_dump=lambda: used)
    save_checkpoint(file, *parts, {})
    assert "reduce_after" in str(opening_error(file))


def test_opening_a_model_draws_no_random_numbers():
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    load_checkpoint(FORMAT_2)
    assert torch.equal(torch.rand(3), expected)


def test_a_model_whose_letters_come_from_phones_comes_back(tmp_path):
    config = BiLSTMConfig(
        layers=2, hidden=3, conv_channels=2, phone_layer=1, letters_from="phones", dropout=0.0
    )
    _, front_end, tokenizer = make_parts()
    model = build_model(config, 8, 29, len(PHONES)).eval()
    save_checkpoint(tmp_path / "m", model, front_end, tokenizer, {}, phones=PHONES)
    found = load_checkpoint(tmp_path / "m").model
    features, lengths = torch.randn(2, 30, 8), torch.tensor([30, 20])
    assert found.config == config
    expected = model(features, lengths).letters  # before weights were rounded to 16 bits
    torch.testing.assert_close(found(features, lengths).letters, expected, rtol=0, atol=0.01)
