"""The command line as a user meets it: streams, exit codes, and one line for every mistake."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import jiwer
import pytest
import soundfile

from asr.cli import main
from asr.errors import DeviceError

from .command_line import (
    assert_refused,
    command_line,
    random_model,
    sound_writer,
    write_manifest,
)
from .training.tones import tiny_config

FORMATS = ("txt", "json", "srt", "vtt", "tsv", "ctm")


asr = pytest.fixture(command_line)
sound = pytest.fixture(sound_writer)
model = pytest.fixture(random_model, scope="module")


def test_a_transcript_goes_to_standard_output_and_nothing_else(asr, model, sound):
    result = asr("transcribe", sound("a.wav"), "--model", model)
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith("\n")
    assert result.out.strip()


def test_several_recordings_are_told_apart_by_their_names(asr, model, sound):
    first, second = sound("a.wav"), sound("b.wav", "bb")
    result = asr("transcribe", first, second, "--model", model)
    lines = result.out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [str(first), str(second)]
    alone = asr("transcribe", second, "--model", model)
    assert lines[1].partition(": ")[2] == alone.out.strip()


def test_every_format_is_written_and_equal_stems_do_not_overwrite(asr, model, sound, tmp_path):
    result = asr(
        *("transcribe", sound("x/a.wav"), sound("y/a.wav", "bb"), "--model", model),
        *("-o", tmp_path / "out", "--format", ",".join(FORMATS)),
    )
    assert (result.code, result.out) == (0, "")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"{stem}.{name}" for stem in ("a", "a-2") for name in FORMATS}
    durations = [
        json.loads((tmp_path / f"out/{s}.json").read_text())["duration"] for s in ("a", "a-2")
    ]
    assert durations == pytest.approx([1.4, 0.4])


def test_json_of_one_recording_can_be_piped(asr, model, sound):
    result = asr("transcribe", sound("a.wav"), "--model", model, "--format", "json")
    assert json.loads(result.out)["duration"] == pytest.approx(1.4)


def test_alternatives_are_in_json(asr, model, sound):
    options = ("--format", "json", "--alternatives", 3, "--decoder", "beam")
    content = json.loads(asr("transcribe", sound("a.wav"), "--model", model, *options).out)
    (passage,) = content["passages"]
    texts = [one["text"] for one in passage["alternatives"]]
    assert texts[0] == content["text"]
    assert len(set(texts)) == 3


def test_a_folder_of_several_recordings_as_json_needs_a_folder_to_write_to(asr, model, sound):
    folder = sound("many/a.wav").parent
    sound("many/b.wav")
    result = asr("transcribe", folder, "--model", model, "--format", "json")
    assert_refused(result, 2, "several files", "-o FOLDER")


def test_a_bad_recording_does_not_stop_the_good_ones(asr, model, sound, tmp_path):
    good = sound("good.wav")
    (tmp_path / "text.wav").write_text("this is text")
    (tmp_path / "empty.wav").write_bytes(b"")
    bad = [tmp_path / name for name in ("missing.wav", "text.wav", "empty.wav")]
    result = asr("transcribe", *bad, good, "--model", model)
    assert result.code == 1
    assert [line.partition(": ")[0] for line in result.out.splitlines()] == [str(good)]
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3
    for path in bad:
        assert sum(path.name in line for line in errors) == 1
    assert "Traceback" not in result.err


def test_standard_input_is_a_recording(asr, model, sound, monkeypatch):
    path = sound("a.wav")
    expected = asr("transcribe", path, "--model", model).out
    buffer = io.BytesIO(path.read_bytes())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=buffer, fileno=lambda: -1))
    result = asr("transcribe", "-", "--model", model)
    assert (result.code, result.out) == (0, expected)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--format", "doc"], ["no format 'doc'", "txt, json"]),
        (["--format", "txt,srt"], ["several files", "-o FOLDER"]),
        (["--alternatives", "2"], ["only json has a place", "--format json"]),
        (["--decoder", "magic"], ["no decoder 'magic'", "beam, greedy"]),
        (["--device", "tpu"], ["no device 'tpu'", "auto, cpu"]),
    ],
)
def test_a_wrong_option_is_named_with_those_there_are(asr, model, sound, options, parts):
    result = asr("transcribe", sound("a.wav"), "--model", model, *options)
    assert_refused(result, 2, *parts)


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (["transcribe", "none.wav"], 1, ["none.wav: no such file"]),
        (["transcribe", ""], 1, ["an empty name"]),
        (["transcribe", "{sound}", "--format", "doc"], 2, ["no format 'doc'"]),
        (["transcribe", "{sound}", "-o", "{sound}"], 1, ["a.wav: no files can be written in it"]),
        (["transcribe", "{sound}", "--decoder", "greedy", "--lm", "x.lm"], 2, ["x.lm for greedy"]),
        (["evaluate", "{manifest}", "--json", "{sound}/r"], 1, ["a.wav/r: cannot be written"]),
        (["evaluate", "none.jsonl"], 1, ["none.jsonl: No such file"]),
        (["tune", "none.jsonl", "-o", "{out}"], 1, ["none.jsonl: No such file"]),
        (["explain", "none.wav"], 1, ["none.wav: no such file"]),
        (["explain", "{sound}", "--direction", "up"], 2, ["no direction 'up'"]),
        (["listen", "--simulate", "none.wav"], 1, ["none.wav: no such file"]),
        (["listen", "--simulate", "{sound}", "-o", "{out}"], 2, ["no format 'yaml'"]),
    ],
)
def test_what_is_wrong_is_told_before_the_model_is_opened(
    asr, sound, tmp_path, monkeypatch, arguments, code, parts
):
    path = sound("a.wav")
    manifest = write_manifest(tmp_path / "m", {"audio_filepath": "a.wav", "text": "a"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("asr.loading.load_checkpoint", lambda *_: 1 / 0)
    files = {"sound": path, "manifest": manifest, "out": tmp_path / "out.yaml"}
    assert_refused(asr(*[each.format(**files) for each in arguments]), code, *parts)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.wav", "m"]


def test_spaces_between_formats_are_fine_and_new_names_are_told(asr, model, sound, tmp_path):
    sounds = sound("x/a.wav"), sound("y/a.wav", "bb")
    out = tmp_path / "out"
    result = asr("transcribe", *sounds, "--model", model, "-o", out, "--format", "txt, json")
    assert result.code == 0
    assert {path.name for path in out.iterdir()} == {"a.txt", "a.json", "a-2.txt", "a-2.json"}
    assert result.err == f"{sounds[1]}: written as a-2.txt, a-2.json\n"


def test_one_good_recording_of_two_is_still_told_apart_by_its_name(asr, model, sound):
    path = sound("a.wav")
    result = asr("transcribe", "none.wav", path, "--model", model)
    assert result.code == 1
    assert result.out.startswith(f"{path}: ")


def test_the_version_is_that_of_the_package(asr):
    result = asr("--version")
    assert (result.code, result.out, result.err) == (0, f"asr {version('asr')}\n", "")


@pytest.mark.parametrize("damage", ["missing", "text", "cut", "flipped"])
def test_a_missing_or_damaged_model_is_named(asr, model, sound, tmp_path, damage):
    copy = tmp_path / "copy.safetensors"
    content = bytearray(model.read_bytes())
    if damage == "flipped":
        content[-1] ^= 1
    if damage != "missing":
        copy.write_bytes(
            {"text": b"hello"}.get(damage, content[:-9] if damage == "cut" else content)
        )
    assert_refused(asr("transcribe", sound("a.wav"), "--model", copy), 1, "copy.safetensors")
    assert_refused(asr("info", copy), 1, "copy.safetensors")


@pytest.mark.parametrize(
    "arguments",
    [["transcribe"], ["nonsense"], ["transcribe", "a.wav", "--nonsense"], ["train", "x"]],
)
def test_wrong_usage_ends_with_2_and_help_on_standard_error(asr, arguments):
    result = asr(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "Usage" in result.err


def test_help_is_asked_for_and_so_goes_to_standard_output(asr):
    result = asr("--help")
    assert (result.code, result.err) == (0, "")
    for verb in (
        "transcribe",
        "listen",
        "evaluate",
        "compare",
        "prepare",
        "train",
        "lm",
        "info",
        "export",
    ):
        assert verb in result.out


def test_a_file_that_cannot_be_written_is_one_line(asr, model, sound, tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    result = asr("transcribe", sound("a.wav"), "--model", model, "-o", tmp_path / "taken")
    assert_refused(result, 1, "taken")


def test_a_folder_that_cannot_be_made_is_found_out_before_any_work(
    asr, model, sound, tmp_path, monkeypatch
):
    (tmp_path / "taken").write_text("a file, not a folder")
    monkeypatch.setattr("asr.recognizer.Recognizer.transcribe_many", lambda *_, **__: 1 / 0)
    result = asr("transcribe", sound("a.wav"), "--model", model, "-o", tmp_path / "taken" / "out")
    assert_refused(result, 1, "taken")


def test_a_transcript_that_cannot_be_written_does_not_stop_the_others(asr, model, sound, tmp_path):
    out, long = tmp_path / "out", 250 * "n"
    (out / "b.txt").mkdir(parents=True)
    sounds = [sound(f"{name}.wav") for name in ("a", "b", long, "c")]
    result = asr("transcribe", *sounds, "--model", model, "-o", out)
    assert result.code == 1
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "b.txt: cannot be written" in errors[0]
    written = sorted(path.name for path in out.iterdir() if path.is_file())
    assert written == ["a.txt", "c.txt", f"{long}.txt"]


def test_listening_to_a_file_writes_final_text(asr, model, sound):
    path = sound("a.wav", "abc cab bb")
    result = asr("listen", "--simulate", path, "--fast", "--model", model)
    assert (result.code, result.err) == (0, "")
    assert result.out.strip()


def test_raw_samples_are_heard_as_the_same_file(asr, model, sound, monkeypatch):
    path = sound("a.wav", "abc cab bb")
    expected = asr("listen", "--simulate", path, "--fast", "--model", model).out
    pcm = soundfile.read(path, dtype="int16")[0].astype("<i2").tobytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(pcm)))
    result = asr("listen", "--raw", "--model", model)
    assert (result.code, result.out) == (0, expected)


@pytest.mark.parametrize(
    "options",
    [
        ["--fast"],
        ["--simulate", "a.wav", "--raw"],
        ["--raw", "--input", "3"],
        ["--simulate", "a.wav", "--look-ahead", "inf"],
    ],
)
def test_options_of_listen_that_do_not_go_together_are_refused(asr, options):
    result = asr("listen", *options)
    assert result.code == 2
    assert "Traceback" not in result.err


def test_listening_to_a_missing_file_is_one_line(asr, model):
    result = asr("listen", "--simulate", "none.wav", "--fast", "--model", model)
    assert result.code == 1
    assert "none.wav" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("options", [[], ["--list-inputs"]])
def test_without_portaudio_the_hint_says_what_to_do(asr, model, monkeypatch, options):
    def refuse():
        raise DeviceError("PortAudio library not found", "apt-get install libportaudio2")

    monkeypatch.setattr("asr.audio.microphone._sounddevice", refuse)
    result = asr("listen", "--model", model, *options)
    assert_refused(result, 1, "PortAudio library not found", "apt-get install")


def test_evaluation_agrees_with_jiwer_and_gives_fractions(asr, model, sound, tmp_path):
    references = {"a": "ab ab", "b": "hello", "c": "a b c d"}
    manifest = write_manifest(
        tmp_path / "m.jsonl",
        *(
            {"audio_filepath": str(sound(f"{n}.wav", "abc cab"[: 3 + i])), "text": t, "id": n}
            for i, (n, t) in enumerate(references.items())
        ),
    )
    result = asr("evaluate", manifest, "--model", model, "--json", tmp_path / "deep/r.json")
    assert result.code == 0
    found = json.loads((tmp_path / "deep/r.json").read_text())
    hypotheses = [
        asr("transcribe", tmp_path / f"{n}.wav", "--model", model).out.strip() for n in references
    ]
    assert [r["hypothesis"] for r in found["utterance_results"]] == hypotheses
    assert found["wer"] == pytest.approx(jiwer.wer(list(references.values()), hypotheses))
    assert found["cer"] == pytest.approx(jiwer.cer(list(references.values()), hypotheses))
    assert f"WER {found['wer']:.2%}" in result.out
    low, high = found["wer_interval_95"]
    assert low <= found["wer"] <= high
    assert found["reference_words"] == 7


@pytest.mark.parametrize("all_bad", [False, True])
def test_a_recording_that_cannot_be_evaluated_is_named_and_ends_with_1(
    asr, model, sound, tmp_path, all_bad
):
    entries = [{"audio_filepath": "gone.wav", "text": "a"}]
    if not all_bad:
        entries.append({"audio_filepath": str(sound("a.wav")), "text": "b"})
    result = asr("evaluate", write_manifest(tmp_path / "m.jsonl", *entries), "--model", model)
    assert result.code == 1
    assert "gone" in result.err
    assert "1 failed" in result.out
    assert ("WER not measured" in result.out) == all_bad
    assert "WER 0" not in result.out
    assert "Traceback" not in result.err


def test_everything_that_an_evaluation_can_write_is_written(asr, model, sound, tmp_path):
    entries = [
        {"audio_filepath": str(sound(f"{n}.wav")), "text": t, "speaker": n, "room": r, "id": n}
        for n, t, r in (("anna", "abc cab", "hall"), ("ben", "bb", "street"))
    ]
    manifest = write_manifest(tmp_path / "m.jsonl", *entries)
    options = ["--model", model, "--normaliser", "english", "--by", "room", "--workers", "1"]
    outputs = [
        "--json",
        tmp_path / "r.json",
        "--html",
        tmp_path / "r.html",
        "--nist",
        tmp_path / "n",
    ]
    result = asr("evaluate", manifest, *options, *outputs)
    assert (result.code, result.err) == (0, "")
    assert "reference: 0 of 3 words normalised" in result.out
    found = json.loads((tmp_path / "r.json").read_text())
    assert [part["label"] for part in found["breakdowns"]["room"]] == ["hall", "street"]
    assert found["system"]["decoder"] == "GreedyDecoder"
    assert (tmp_path / "n/ref.trn").read_text() == "abc cab (anna-anna)\nbb (ben-ben)\n"
    assert 'src="anna.wav"' not in (tmp_path / "r.html").read_text()
    assert '"anna.wav"' in (tmp_path / "r.html").read_text()
    journal = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [line["id"] for line in journal[1:-1]] == ["anna", "ben"]
    again = asr("evaluate", manifest, *options, *outputs, "--resume")
    assert again.code == 0
    assert json.loads((tmp_path / "r.json").read_text())["wer"] == found["wer"]


@pytest.mark.parametrize(
    ("options", "code", "parts"),
    [
        (["--resume"], 2, ["--resume", "--json FILE"]),
        (["--by", "room"], 2, ["no field 'room'", "none but the usual"]),
        (["--system", "kaldi"], 2, ["no system 'kaldi'", "pocketsphinx, whisper"]),
        (["--system", "whisper:nowhere"], 1, ["nowhere: no Whisper model"]),
        (["--html", "."], 1, ["Is a directory"]),
        (["--decoder", "greedy", "--lm", "no.lm"], 1, ["no.lm: No such file"]),
    ],
)
def test_what_an_evaluation_cannot_do_is_said_before_any_work(
    asr, model, sound, tmp_path, options, code, parts
):
    entry = {"audio_filepath": str(sound("a.wav")), "text": "a"}
    manifest, result = write_manifest(tmp_path / "m.jsonl", entry), tmp_path / "r.json"
    command = ("evaluate", manifest, "--model", model, *options)
    assert_refused(asr(*command), code, *parts)
    assert_refused(asr(*command, *([] if "--resume" in options else ["--json", result])), code)
    assert not result.with_suffix(".jsonl").exists()  # no recording was worked on


def test_a_breakdown_that_would_stand_nowhere_is_refused(asr, model, sound, tmp_path):
    # It used to be computed and thrown away.
    entry = {"audio_filepath": str(sound("a.wav")), "text": "a"}
    manifest = write_manifest(tmp_path / "m.jsonl", entry)
    result = asr("evaluate", manifest, "--model", model, "--by", "duration")
    assert_refused(result, 2, "--by needs a file", "--json FILE or --html FILE")


def test_two_results_are_compared(asr, model, sound, tmp_path):
    references = {"a": "ab ab", "b": "hello"}
    entries = [
        {"audio_filepath": str(sound(f"{n}.wav")), "text": t, "id": n}
        for n, t in references.items()
    ]
    manifest = write_manifest(tmp_path / "m.jsonl", *entries)
    asr("evaluate", manifest, "--model", model, "--json", tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text())
    for one in content["utterance_results"]:
        one["hypothesis"] = one["reference"]
    (tmp_path / "b.json").write_text(json.dumps(content))
    output = tmp_path / "c.json"
    result = asr("compare", tmp_path / "a.json", tmp_path / "b.json", "--json", output)
    assert (result.code, result.err) == (0, "")
    assert f"WER {content['wer']:.2%} -> 0.00%" in result.out
    assert "better: 2 utterances" in result.out
    assert json.loads(output.read_text())["difference"] == pytest.approx(-content["wer"])
    assert_refused(asr("compare", tmp_path / "a.json", tmp_path / "none.json"), 1, "none.json")


def test_a_broken_manifest_is_named_with_its_line(asr, model, tmp_path):
    (tmp_path / "m.jsonl").write_text('{"audio_filepath": "a.wav", "text": ""}\n{oops\n')
    assert_refused(asr("evaluate", tmp_path / "m.jsonl", "--model", model), 1, "m.jsonl", "line 2")
    assert_refused(asr("evaluate", tmp_path / "no.jsonl", "--model", model), 1, "no.jsonl")


def test_an_unknown_normaliser_is_refused(asr, model, sound, tmp_path):
    manifest = write_manifest(
        tmp_path / "m.jsonl", {"audio_filepath": str(sound("a.wav")), "text": "a"}
    )
    result = asr("evaluate", manifest, "--model", model, "--normaliser", "x")
    assert_refused(result, 2, "no normaliser 'x'", "basic, english, none")


def test_results_that_cannot_be_written_are_one_line(asr, model, sound, tmp_path):
    manifest = write_manifest(
        tmp_path / "m.jsonl", {"audio_filepath": str(sound("a.wav")), "text": "a"}
    )
    result = asr("evaluate", manifest, "--model", model, "--json", tmp_path)
    assert result.code == 1
    assert "Is a directory" in result.err
    assert "Traceback" not in result.err


def test_a_folder_with_texts_becomes_a_manifest(asr, sound, tmp_path):
    sound("talks/a.wav").with_suffix(".txt").write_text("abc cab")
    result = asr("prepare", "folder", tmp_path / "talks", "-o", tmp_path / "talks/m.jsonl")
    assert (result.code, result.out) == (0, "")
    entry = json.loads((tmp_path / "talks/m.jsonl").read_text())
    assert (entry["audio_filepath"], entry["text"]) == ("a.wav", "abc cab")
    assert_refused(asr("prepare", "x", tmp_path, "-o", tmp_path / "m"), 2, "no recipe 'x'")
    text = tmp_path / "talks/a.txt"
    assert_refused(asr("prepare", "folder", tmp_path / "talks", "-o", text), 2, "no manifest")
    assert text.read_text() == "abc cab"


def test_a_misspelt_key_of_a_training_configuration_is_put_right(asr, tmp_path):
    (tmp_path / "run.yaml").write_text("data: {train: [a.jsonl], valid: [a.jsonl]}")
    result = asr("train", tmp_path / "run.yaml", "--out", tmp_path / "r", "--set", "train.epoch=1")
    assert_refused(result, 2, "unknown key 'train.epoch'", "did you mean 'train.epochs'?")
    assert_refused(asr("train", tmp_path / "no.yaml", "--out", tmp_path / "r"), 2, "no.yaml")
    assert_refused(asr("train", tmp_path / "run.yaml", "--out", tmp_path / "r"), 1, "a.jsonl")


def test_a_trained_model_can_be_used_at_once(asr, tmp_path, sound):
    config = tiny_config(tmp_path, ["ab", "cab"], epochs=1)
    (tmp_path / "run.yaml").write_text(json.dumps(config.model_dump(mode="json")))
    result = asr("train", tmp_path / "run.yaml", "--out", tmp_path / "run", "--device", "cpu")
    assert result.code == 0, result.err
    assert result.out == ""
    assert "best model: " in result.err
    best = tmp_path / "run/best.safetensors"
    assert asr("transcribe", sound("a.wav"), "--model", best).code == 0
    again = asr("train", tmp_path / "run.yaml", "--out", tmp_path / "run", "--device", "cpu")
    assert again.code == 1
    assert "holds a run already" in again.err
    assert "--resume" in again.err


def test_control_c_ends_with_130(asr, model, sound, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("asr.recognizer.Recognizer.transcribe_many", interrupt)
    result = asr("transcribe", sound("a.wav"), "--model", model)
    assert (result.code, result.out) == (130, "")
    assert "Traceback" not in result.err


@pytest.mark.parametrize("how", [signal.SIG_BLOCK, signal.SIG_UNBLOCK])
def test_a_reader_that_goes_away_is_no_error(model, how):
    before = signal.pthread_sigmask(how, {signal.SIGPIPE})  # a program inherits what is blocked
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "asr", "info", str(model)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert (process.wait(120), errors) == (-signal.SIGPIPE, ""), errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_an_output_that_is_full_is_said_in_a_line(model):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "asr", "info", str(model)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "error: the output: No space left on device\n")


def test_a_full_disk_leaves_the_output_of_a_calling_program_alone(monkeypatch):
    def full(arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("asr.cli.app", full)
    before = os.fstat(1)
    with pytest.raises(SystemExit):
        main(["info"])
    assert os.path.samestat(os.fstat(1), before)


def test_calling_it_from_a_program_leaves_that_programs_signals_alone(asr, model):
    before = signal.getsignal(signal.SIGPIPE)
    asr("info", model)
    assert signal.getsignal(signal.SIGPIPE) == before
