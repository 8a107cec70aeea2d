"""`asr explain` and `asr inspect` as a user meets them: files, notes, and one line for mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from PIL import Image

from asr.audio.features import FeatureConfig, LogMel
from asr.checkpoint import save_checkpoint
from asr.lexicon import PHONES
from asr.models import BiLSTMConfig, build_model
from asr.tokenizer import ENGLISH, Tokenizer

from .command_line import command_line
from .training.tones import SAMPLE_RATE, record, speak


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network with random weights that writes several words for some tones."""
    torch.manual_seed(7)
    tokenizer = Tokenizer()
    config = BiLSTMConfig(layers=2, hidden=8, dropout=0.0, conv_channels=4)
    network = build_model(config, 80, len(tokenizer))
    with torch.no_grad():
        network.output.weight.mul_(20)
        network.output.bias[tokenizer.separator_id] += 3
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_checkpoint(path, network, LogMel(FeatureConfig()), tokenizer, {})
    return path


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "tones.wav"
    soundfile.write(path, speak("abc cab"), SAMPLE_RATE)
    return path


@pytest.fixture
def asr(capsys, tmp_path, monkeypatch):
    """Runs a command line in an empty folder; gives its exit code and both streams."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return command_line(capsys)


def values_of(path):
    page = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page)[1])


def test_a_page_is_written_beside_you_and_named_after_the_recording(asr, model, sound, tmp_path):
    result = asr("explain", sound, "--model", model)
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("tones.html: 1.40 s, ")
    assert (tmp_path / "here/tones.html").exists()


def test_what_is_shown_first_can_be_chosen(asr, model, sound, tmp_path):
    page = tmp_path / "deep/page.html"
    options = ["--layer", 1, "--direction", "backward", "--word", 2, "--word", 1]
    result = asr("explain", sound, "--model", model, "-o", page, *options)
    assert result.code == 0, result.err
    values = values_of(page)
    assert (values["initial"]["layer"], values["initial"]["direction"]) == (1, "backward")
    assert values["initial"]["word"] == 1
    assert set(values["integrated"]) == {"0", "1"}


def test_a_page_names_the_word_pieces_that_greedy_decoding_reads(asr, sound, tmp_path):
    torch.manual_seed(7)
    config = BiLSTMConfig(layers=2, hidden=8, conv_channels=4, phone_layer=1)
    pieces = (*ENGLISH, "the", "cat")
    network = build_model(config, 80, len(ENGLISH), len(PHONES), len(pieces))
    torch.nn.init.normal_(network.word_pieces.weight, std=9)
    path, names = tmp_path / "model.safetensors", {"phones": PHONES, "word_pieces": pieces}
    save_checkpoint(path, network, LogMel(FeatureConfig()), Tokenizer(), {}, **names)
    done = asr("explain", sound, "--model", path, "-o", "page.html")
    assert done.code == 0, done.err
    page = Path("page.html").read_text()
    assert "greedy decoding of word pieces" in page
    assert "which the same layers spell" in page


def test_a_stretch_is_explained_at_its_own_time(asr, model, sound, tmp_path):
    page = tmp_path / "page.html"
    assert asr("explain", sound, "--model", model, "-o", page, "--from", 0.2, "--to", 1).code == 0
    values = values_of(page)
    assert (values["start_s"], values["duration"]) == (0.2, pytest.approx(0.8))


def test_a_long_recording_is_cut_and_this_is_said_in_one_line(asr, model, tmp_path):
    sound = tmp_path / "long.wav"
    soundfile.write(sound, speak("a" * 160), SAMPLE_RATE)
    result = asr("explain", sound, "--model", model, "-o", tmp_path / "p.html")
    # A slow machine says now and then that it is still at work.
    lines = [line for line in result.err.splitlines() if not line.endswith(" so far")]
    assert result.code == 0
    assert lines[0].startswith(f"note: {sound}: only 0 to 30 s are explained")
    assert len(lines) == 2


def test_pictures_are_written_on_request(asr, model, sound, tmp_path):
    folder = tmp_path / "pictures"
    options = ["--png", folder, "--layer", 2]
    assert asr("explain", sound, "--model", model, "-o", tmp_path / "p.html", *options).code == 0
    names = {path.name for path in folder.iterdir()}
    assert {"spectrogram.png", "posteriors.png", "layer2-forward.png"} <= names
    for path in folder.iterdir():
        with Image.open(path) as picture:
            assert picture.width == 1600


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (["--layer", "3"], 2, "no layer 3; the model has layers 1 to 2"),
        (["--layer", "0"], 2, "no layer 0"),
        (["--direction", "up"], 2, "no direction 'up'; there are forward and backward"),
        (["--word", "zebra"], 2, "no word 'zebra' in the transcript"),
        (["--from", "9"], 1, "nothing to explain from 9 s on: it has 1.40 s"),
        (["--from", "1", "--to", "0.5"], 2, "from 1 s to 0.5 s is no stretch of a recording"),
        (["--from", "nan"], 2, "from nan s to the end is no stretch of a recording"),
        (["--from", "inf"], 2, "from inf s to the end is no stretch of a recording"),
        (["--to", "nan"], 2, "from 0 s to nan s is no stretch of a recording"),
        (["--reference", "abc 42"], 1, "the character '4' is not in the vocabulary"),
        (["--decoder", "magic"], 2, "no decoder 'magic'"),
        (["--model", "gone.safetensors"], 1, "gone.safetensors"),
        (["-o", "/proc/no/page.html"], 1, "/proc"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(asr, model, sound, options, code, part):
    result = asr("explain", sound, "--model", model, *options)
    assert result.code == code, result.err
    lines = result.err.splitlines()
    assert lines[0].startswith("error: ")
    assert part in lines[0]
    assert len(lines) <= 2
    assert "Traceback" not in result.err


@pytest.mark.parametrize("content", [None, b"", b"this is text"])
def test_a_recording_that_cannot_be_read_is_named(asr, model, tmp_path, content):
    sound = tmp_path / "bad.wav"
    if content is not None:
        sound.write_bytes(content)
    result = asr("explain", sound, "--model", model)
    assert result.code == 1
    assert "bad.wav" in result.err.splitlines()[0]
    assert "Traceback" not in result.err


@pytest.mark.parametrize("option", ["-o", "--png"])
def test_what_cannot_be_written_is_found_out_before_any_work(
    asr, model, sound, tmp_path, monkeypatch, option
):
    monkeypatch.setattr("asr.commands_insight.explain", lambda *_, **__: pytest.fail("worked"))
    (tmp_path / "file").touch()
    where = tmp_path / "file" / "page"  # not even root can make a folder in a file
    result = asr("explain", sound, "--model", model, option, where)
    assert result.code == 1
    assert "file" in result.err
    assert len(result.err.splitlines()) <= 2


def test_a_recording_or_a_model_is_not_replaced_by_its_page(asr, model, sound):
    before = sound.read_bytes(), model.read_bytes()
    for command in (
        ("explain", sound, "--model", model, "-o", sound),
        ("inspect", model, "--audio", sound, "-o", sound),
        ("inspect", model, "-o", model),
    ):
        result = asr(*command)
        assert result.code == 2, command
        assert "both as a source and as the result" in result.err
    assert (sound.read_bytes(), model.read_bytes()) == before


def test_a_check_for_writing_leaves_nothing_behind(asr, model, sound, tmp_path):
    page, pictures = tmp_path / "page.html", tmp_path / "pictures"
    old = tmp_path / "old.html"
    old.write_text("as it was")
    options = ["--model", model, "--png", pictures, "--word", "zebra"]
    assert asr("explain", sound, "-o", page, *options).code == 2
    assert asr("explain", sound, "-o", old, *options).code == 2
    assert not page.exists()
    assert list(pictures.iterdir()) == []
    assert old.read_text() == "as it was"


def run_directory(folder, manifest):
    folder.mkdir()
    rows = [{"epoch": n, "train_loss": 3.0 / n, "wer": 1 / n} for n in (1, 2, 3)]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {"data": {"valid": [str(manifest)]}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_a_model_and_its_run_are_printed_and_put_on_a_page(asr, model, tmp_path):
    run = run_directory(tmp_path / "run", record(tmp_path / "speech"))
    page = tmp_path / "deep/page.html"
    result = asr("inspect", model, "--run", run, "-o", page)
    assert result.code == 0, result.err
    for part in ("33.3%", "layer 2", "forget gate", "everything"):
        assert part in result.out
    assert "without --audio" not in result.err
    assert page.read_text(encoding="utf-8").count("<svg") == 2 + 3


def test_without_recordings_gates_are_left_out_and_this_is_said(asr, model):
    result = asr("inspect", model)
    assert result.code == 0
    assert result.err == "note: without --audio, gates and memory are not measured\n"
    assert "at work" not in result.out


@pytest.mark.parametrize("case", ["manifest", "recordings", "nothing"])
def test_what_of_a_run_is_not_there_is_named(asr, model, tmp_path, case):
    manifest = tmp_path / "gone.jsonl"
    if case == "recordings":
        manifest = record(tmp_path / "speech")
        for sound in (tmp_path / "speech").rglob("*.wav"):
            sound.unlink()
    run = run_directory(tmp_path / "run", manifest)
    if case == "nothing":
        (run / "config.yaml").unlink()
    result = asr("inspect", model, "--run", run)
    assert result.code == 0
    assert result.err.startswith("note: gates and memory are not measured: ")
    assert "give recordings with --audio" in result.err
    assert str(run / "config.yaml" if case == "nothing" else manifest) in result.err
    assert len(result.err.splitlines()) == 1


def test_recordings_can_be_given(asr, model, sound):
    result = asr("inspect", model, "--audio", sound)
    assert (result.code, result.err) == (0, "")
    assert "gates and states at work" in result.out


def test_the_best_model_of_a_run_is_the_default(asr, model, tmp_path):
    run = run_directory(tmp_path / "run", "gone.jsonl")
    result = asr("inspect", "--run", run)
    assert (result.code, result.out) == (1, "")
    assert str(run / "best.safetensors") in result.err
    (run / "best.safetensors").write_bytes(model.read_bytes())
    assert asr("inspect", "--run", run).code == 0


def test_a_run_without_a_history_is_one_line(asr, model, tmp_path):
    result = asr("inspect", model, "--run", tmp_path)
    assert result.code == 1
    assert "history.jsonl: no such file" in result.err.splitlines()[0]
