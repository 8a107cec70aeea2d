"""Parts of a recogniser from text, on the command line."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from asr.data.manifest import read_manifest, write_manifest
from asr.tokenizer import ENGLISH
from asr.training import teacher
from asr.types import Utterance

from .command_line import assert_refused, command_line
from .training.kokoro import write_kokoro

asr = pytest.fixture(command_line)


def test_a_language_model_is_built_from_a_text(asr, tmp_path):
    (tmp_path / "t.txt").write_text("the cat sat\nthe dog sat\nthe cat ran\n" * 3)
    output = tmp_path / "t.arpa"
    result = asr("lm", "build", tmp_path / "t.txt", "-o", output, "--set", "order=2")
    assert (result.code, result.out) == (0, "")
    assert "27 words in 9 sentences" in result.err
    assert "\\2-grams:" in output.read_text()
    result = asr("lm", "build", tmp_path / "t.txt", "-o", output, "--set", "ordr=2")
    assert_refused(result, 2, "unknown key 'ordr'", "did you mean 'order'?")


@pytest.mark.parametrize(
    "command",
    [
        ("lm", "build", "TEXT", "-o", "TEXT", "--set", "order=2"),
        ("lm", "build", "OTHER", "-o", "TEXT", "--words", "TEXT"),
        ("word-pieces", "build", "TEXT", "-o", "TEXT", "--size", "40"),
        ("lexicon", "build", "TEXT", "-o", "TEXT"),
        ("lexicon", "build", "OTHER", "-o", "TEXT", "--dictionary", "TEXT"),
        ("lm", "train", "TEXT", "-o", "TEXT", "--pieces", "PIECES"),
        ("lm", "train", "OTHER", "-o", "PIECES", "--pieces", "PIECES"),
    ],
)
def test_what_is_read_is_not_overwritten(asr, tmp_path, command):
    files = {name: tmp_path / name for name in ("TEXT", "OTHER", "PIECES")}
    for file in files.values():
        file.write_text("a AH\nb B IY\n")
    files["PIECES"].write_text("\n".join(ENGLISH))
    before = {file: file.read_text() for file in files.values()}
    result = asr(*(files.get(part, part) for part in command))
    assert_refused(result, 2, "both as a source and as the result")
    assert {file: file.read_text() for file in files.values()} == before


@pytest.mark.parametrize("command", [("lm", "build"), ("word-pieces", "build")])
def test_where_nothing_can_be_written_nothing_is_read(asr, tmp_path, command):
    (tmp_path / "file").touch()
    result = asr(*command, tmp_path / "missing.txt", "-o", tmp_path / "file" / "out")
    assert_refused(result, 1, "out: cannot be written")


def test_text_with_carriage_returns_is_text(asr, tmp_path):
    (tmp_path / "t.txt").write_bytes(b"the cat sat\r\nthe dog sat\r\n")
    output = tmp_path / "t.arpa"
    result = asr("lm", "build", tmp_path / "t.txt", "-o", output, "--set", "order=2")
    assert "6 words in 2 sentences (skipped lines: 0)" in result.err


def test_lines_that_are_skipped_are_told_with_what_takes_them(asr, tmp_path):
    text, output = tmp_path / "t.txt", tmp_path / "t.arpa"
    text.write_text("the cat sat\nHello, Dog!\n")
    result = asr("lm", "build", text, "-o", output, "--set", "order=2")
    assert "1 line has more than letters" in " ".join(result.err.split())
    assert "normalise=true" in result.err
    options = ["--set", "order=2", "--set", "normalise=true"]
    assert "more than letters" not in asr("lm", "build", text, "-o", output, *options).err


def test_word_pieces_are_learnt_from_texts(asr, tmp_path):
    text, output = tmp_path / "text.txt", tmp_path / "pieces.txt"
    text.write_text("the cat and the dog\n" * 6)
    done = asr("word-pieces", "build", text, "-o", output, "--size", 40)
    assert done.code == 0
    assert set(output.read_text().split()[29:]) == {"the", "and", "cat", "dog"}
    assert "33 pieces" in done.err
    assert_refused(asr("word-pieces", "build", tmp_path / "none", "-o", output), 1, "none")


def test_a_lexicon_is_built_from_words_and_a_dictionary(asr, tmp_path):
    (tmp_path / "known.dict").write_text("a AH0\na(2) EY1\nb B IY1\nat AE1 T\n")
    (tmp_path / "words.txt").write_text("A cat's b; ab, 7\n")
    words, output = tmp_path / "words.txt", tmp_path / "out.lexicon"
    result = asr(
        *("lexicon", "build", words, "-o", output, "--dictionary", tmp_path / "known.dict")
    )
    assert (result.code, result.out) == (0, "")
    assert "2 words cannot be pronounced: 7, cat's" in result.err
    assert "3 words (2 from the dictionary, 0 derived from it, 1 predicted)" in result.err
    assert output.read_text().startswith("a AH\na EY\nab ")
    refused = asr("lexicon", "build", words, "-o", output, "--dictionary", tmp_path / "none")
    assert_refused(refused, 1, "not a lexicon that can be read")


def test_a_manifest_gives_a_lexicon_the_words_of_its_texts(asr, tmp_path):
    (tmp_path / "known.dict").write_text("a AH0\na(2) EY1\nb B IY1\nat AE1 T\n")
    (tmp_path / "words.txt").write_text("b\n")
    (tmp_path / "train.jsonl").write_text('{"audio_filepath": "x.wav", "text": "A, at"}\n')
    output, known = tmp_path / "out.lexicon", tmp_path / "known.dict"
    named = ("-o", output, "--dictionary", known)
    both = ("lexicon", "build", tmp_path / "words.txt", tmp_path / "train.jsonl")
    assert asr(*both, *named).code == 0
    assert output.read_text() == "a AH\na EY\nat AE T\nb B IY\n"
    assert asr("lexicon", "build", tmp_path / "train.jsonl", *named).code == 0
    assert output.read_text() == "a AH\na EY\nat AE T\n"
    (tmp_path / "silent.jsonl").write_text('{"audio_filepath": "x.wav"}\n')
    assert_refused(asr("lexicon", "build", tmp_path / "silent.jsonl", *named), 1, "silent.jsonl")


@pytest.fixture
def synthesis(tmp_path):
    """What `asr synthesize` takes, with a voice and a text."""
    (tmp_path / "text.txt").write_text("We see, and hear, birds!\nBirds see and hear us.\n")
    (tmp_path / "voices").mkdir()
    np.ones(256, np.float32).tofile(tmp_path / "voices" / "af_a.bin")
    kokoro = write_kokoro(tmp_path / "kokoro.onnx")
    options = ("--kokoro", kokoro, "--voices", tmp_path / "voices", "--hours", 1e-6)
    return ("synthesize", tmp_path / "text.txt", "-o", tmp_path / "corpus", *options)


def test_sentences_are_read_by_synthetic_voices(asr, synthesis, tmp_path):
    result = asr(*synthesis, "--seed", 4)
    assert (result.code, result.out) == (0, "")
    assert "manifest.jsonl: 0.00 h" in result.err
    utterances = list(read_manifest(tmp_path / "corpus" / "manifest.jsonl"))
    assert utterances[0].id == "kokoro-4-000000"
    said = set(" ".join(u.text for u in utterances).split())
    assert said <= {"we", "see", "and", "hear", "birds", "us"}
    assert all(u.audio.exists() for u in utterances)


def test_what_cannot_be_synthesised_is_refused_in_a_line(asr, synthesis, tmp_path):
    (tmp_path / "text.txt").write_text("dragons\n")
    assert_refused(asr(*synthesis), 1, "no sentence of 4 to 26 words")
    (tmp_path / "voices" / "af_a.bin").write_bytes(b"abc")
    assert_refused(asr(*synthesis), 1, "damaged voices", "3 bytes")
    (tmp_path / "kokoro.onnx").write_text("no model")
    assert_refused(asr(*synthesis), 1, "kokoro.onnx", "not an ONNX file")
    assert asr("synthesize").code == 2
    assert not (tmp_path / "corpus").exists()


def test_a_teachers_states_are_stored_and_what_cannot_be_read_is_told(asr, tmp_path, monkeypatch):
    class Deaf(teacher._Encoder):
        def __init__(self, folder, left_out):
            self.size, self._left_out = 2, left_out

        def _encode_window(self, samples):
            return np.zeros((len(samples) // 320, 2), np.float16)

    monkeypatch.setattr(teacher, "_Encoder", Deaf)
    soundfile.write(tmp_path / "one.wav", np.zeros(16000), 16000)
    utterances = [Utterance(n, tmp_path / f"{n}.wav", "a", 1.0) for n in ("one", "none")]
    write_manifest(utterances, tmp_path / "m.jsonl")
    named = ("-o", tmp_path / "store", "--whisper", tmp_path)
    result = asr("teacher", tmp_path / "m.jsonl", *named)
    assert (result.code, result.out) == (0, "")
    assert "left out:" in result.err
    assert "none.wav" in result.err
    assert list(json.loads((tmp_path / "store" / "index.json").read_text())["rows"]) == ["one"]
    assert_refused(asr("teacher", tmp_path / "other.jsonl", *named), 1, "other.jsonl")


def test_a_teacher_that_can_hear_nothing_is_refused(asr, tmp_path, monkeypatch):
    monkeypatch.setattr(
        teacher, "_Encoder", lambda *_: SimpleNamespace(size=2, encode=lambda _: {})
    )
    write_manifest([Utterance("one", tmp_path / "none.wav", "a", 1.0)], tmp_path / "m.jsonl")
    result = asr("teacher", tmp_path / "m.jsonl", "-o", tmp_path / "store", "--whisper", tmp_path)
    assert_refused(result, 1, "none of 1 recordings can be read")
