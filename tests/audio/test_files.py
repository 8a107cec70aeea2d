"""Reading: any rate, any channels, any pipe, one line for every failure."""

import io
import os
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.audio.files import (
    AUDIO_SUFFIXES,
    check_readable,
    find_audio,
    probe_duration,
    read_audio,
    read_blocks,
)
from asr.errors import AudioError

from .encoders import encode, tone

NOISE = np.random.default_rng(7)


def noise(num_samples: int, channels: int = 1) -> np.ndarray:
    return NOISE.uniform(-0.5, 0.5, (num_samples, channels)).astype(np.float32)


def wav(samples: np.ndarray, sample_rate: int = 16000, **options: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate, format=options.pop("format", "WAV"), **options)
    return file.getvalue()


class Pipe(io.RawIOBase):
    """Bytes that can only be read forward."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        taken = self.rest[: len(buffer)]
        self.rest = self.rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def pipe(data: bytes) -> io.BufferedReader:
    return io.BufferedReader(Pipe(data))


def reading_error(source) -> AudioError:
    with pytest.raises(AudioError) as caught:
        read_audio(source)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000])
def test_resampling_equals_librosas_soxr_hq(sample_rate):
    samples = noise(3 * sample_rate + 17)[:, 0]
    expected = librosa.resample(samples, orig_sr=sample_rate, target_sr=16000, res_type="soxr_hq")
    found = read_audio(io.BytesIO(wav(samples, sample_rate, subtype="FLOAT"))).samples
    assert len(found) == round(len(samples) * 16000 / sample_rate)
    np.testing.assert_array_equal(found, expected[: len(found)])  # librosa pads to the ceiling


def test_16_khz_samples_come_back_as_they_were_written(tmp_path):
    samples = noise(5000)[:, 0]
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    audio = read_audio(tmp_path / "a.wav")
    assert audio.sample_rate == 16000
    assert audio.samples.dtype == np.float32
    np.testing.assert_array_equal(audio.samples, samples)


@pytest.mark.parametrize("channels", [2, 3, 6])
def test_channels_are_averaged(channels):
    samples = noise(4000, channels)
    found = read_audio(io.BytesIO(wav(samples, subtype="FLOAT"))).samples
    np.testing.assert_allclose(found, samples.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        *[("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "PCM_24"), ("WAV", "DOUBLE")],
        *[("WAV", "ULAW"), ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16")],
        *[("W64", "PCM_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24")],
        *[("NIST", "PCM_16"), ("HTK", "PCM_16")],
    ],
)
@pytest.mark.parametrize("open_source", [io.BytesIO, pipe])
def test_lossless_formats_decode_as_libsndfile_decodes_them(format, subtype, open_source):
    data = wav(noise(6000, 1), format=format, subtype=subtype)
    expected = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    np.testing.assert_array_equal(read_audio(open_source(data)).samples, expected)


@pytest.mark.parametrize(("format", "subtype"), [("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")])
def test_lossy_formats_decode_as_libsndfile_decodes_them(format, subtype):
    data = wav(tone(2.0), format=format, subtype=subtype)
    expected = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    np.testing.assert_allclose(read_audio(io.BytesIO(data)).samples, expected, atol=1e-4)


def test_variable_bitrate_mp3_is_read_in_blocks_without_seams():
    samples = tone(3.0) * np.linspace(0, 1, 48000, dtype=np.float32)
    data = wav(samples, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    expected = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    found = np.concatenate(list(read_blocks(io.BytesIO(data), block_s=0.1)))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "codec", "sample_rate"),
    [
        *[("a.m4a", "aac", 16000), ("a.aac", "aac", 44100), ("a.mkv", "aac", 48000)],
        *[("a.webm", "libopus", 48000), ("a.opus", "libopus", 48000), ("a.wma", "wmav2", 44100)],
    ],
)
@pytest.mark.parametrize("as_pipe", [False, True])
def test_formats_of_ffmpeg_keep_the_tone_and_the_length(
    tmp_path, name, codec, sample_rate, as_pipe
):
    path = encode(tmp_path / name, codec, tone(2.0, sample_rate), sample_rate)
    samples = read_audio(pipe(path.read_bytes()) if as_pipe else path).samples
    assert abs(len(samples) - 32000) < 0.15 * 16000  # encoders pad to whole frames
    spectrum = np.abs(np.fft.rfft(samples[8000:24000]))
    assert np.argmax(spectrum) == 440  # bins of 1 Hz
    assert np.sqrt(np.mean(samples[8000:24000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    block_s=st.floats(0.001, 3.0),
    sample_rate=st.sampled_from([8000, 16000, 44100]),
    num_samples=st.integers(100, 40000),
)
def test_the_block_size_does_not_change_the_samples(block_s, sample_rate, num_samples):
    data = wav(noise(num_samples, 2), sample_rate)
    whole = read_audio(io.BytesIO(data)).samples
    blocks = list(read_blocks(io.BytesIO(data), block_s=block_s))
    size = max(1, round(block_s * 16000))
    assert all(len(block) == size for block in blocks[:-1])
    assert 0 < len(blocks[-1]) <= size
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_memory_does_not_grow_with_the_length(tmp_path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 48000, 1) as file:
        for _ in range(300):
            file.write(noise(48000))
    list(zip(read_blocks(path), range(2), strict=False))  # what is loaded once does not count
    tracemalloc.start()
    num_samples = sum(map(len, read_blocks(path, block_s=1.0)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert num_samples == 300 * 16000
    assert peak < 8e6  # the samples alone are 19e6 bytes


def test_the_suffix_decides_nothing(tmp_path):
    samples = noise(1000)[:, 0]
    for name in ("a.mp3", "a.raw", "a.gsm", "a.txt", "a"):
        (tmp_path / name).write_bytes(wav(samples, subtype="FLOAT"))
        np.testing.assert_array_equal(read_audio(tmp_path / name).samples, samples)
    (tmp_path / "words.gsm").write_text("not sound at all\n" * 50)
    assert "not a recording" in str(reading_error(tmp_path / "words.gsm"))


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("open_source", [io.BytesIO, pipe])
def test_a_wav_header_may_leave_the_length_open(size, open_source):
    data = bytearray(wav(noise(20000)))
    data[40:44] = size.to_bytes(4, "little")
    flaws = []
    audio = read_audio(open_source(bytes(data)), warn=flaws.append)
    assert len(audio.samples) == 20000
    assert flaws == []


def test_a_dash_reads_standard_input_from_a_pipe(monkeypatch):
    reader, writer = os.pipe()
    with open(writer, "wb") as sink:
        sink.write(wav(noise(12345)))  # fits into the pipe
    with open(reader) as standard_input:
        monkeypatch.setattr(sys, "stdin", standard_input)
        assert len(read_audio("-").samples) == 12345


def test_blocks_of_a_pipe_come_before_it_ends():
    source = Pipe(wav(noise(1_000_000)))
    blocks = read_blocks(io.BufferedReader(source), block_s=1.0)
    assert len(next(blocks)) == 16000
    assert len(source.rest) > 1_000_000  # of 2,000,044 bytes
    blocks.close()


def test_a_missing_file_is_named():
    error = reading_error("no/such talk.mp3")
    assert str(error) == "no/such talk.mp3: no such file; needed the path of a recording"
    assert os.getcwd() in error.hint


def test_names_stay_on_one_line():
    assert str(reading_error("two\nlines.wav")).startswith("two\N{REPLACEMENT CHARACTER}lines.wav:")


def test_a_folder_is_no_recording(tmp_path):
    assert str(reading_error(tmp_path)) == f"{tmp_path}: a folder; needed a file"


def test_a_file_without_permission_says_so(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    error = reading_error(tmp_path / "a.wav")
    assert "permission denied; needed the right to read it" in str(error)
    assert error.hint.startswith("chmod")


@pytest.mark.parametrize("source", [io.BytesIO(), pipe(b"")])
def test_an_empty_file_says_so(source):
    assert str(reading_error(source)).startswith("audio stream: empty (0 bytes); needed")


@pytest.mark.parametrize("format", ["WAV", "AU", "AIFF"])
def test_a_header_without_samples_says_so(format):
    data = wav(np.zeros(0, np.float32), format=format)
    assert "no samples; needed" in str(reading_error(io.BytesIO(data)))


def test_an_absurd_sample_rate_says_so():
    error = reading_error(io.BytesIO(wav(noise(100), 7)))
    assert str(error) == "audio stream: sample rate 7 Hz; needed 1000 to 1000000 Hz"


def test_values_that_are_no_numbers_become_zero_and_are_counted_once():
    samples = np.ones(1000, np.float32)
    samples[[3, 500, 999]] = np.nan, np.inf, 1e30
    flaws = []
    found = read_audio(io.BytesIO(wav(samples, subtype="FLOAT")), warn=flaws.append).samples
    samples[[3, 500, 999]] = 0
    np.testing.assert_array_equal(found, samples)
    assert flaws == ["audio stream: NaN, infinite or absurd samples set to 0: 3"]


def test_a_file_of_nan_alone_is_an_error():
    samples = np.full((1000, 2), np.nan, np.float32)
    error = reading_error(io.BytesIO(wav(samples, subtype="FLOAT")))
    assert "no usable samples (all 1000 are NaN, infinite or absurd)" in str(error)


@pytest.mark.parametrize("level", [0.0, 32767.0])
def test_floats_at_the_scale_of_integers_are_left_alone_and_told(level):
    samples, flaws = np.full(500, level, np.float32), []
    found = read_audio(io.BytesIO(wav(samples, subtype="FLOAT")), warn=flaws.append).samples
    np.testing.assert_array_equal(found, samples)
    told = ["100% of the samples are more than 10 times full scale" in flaw for flaw in flaws]
    assert told == ([True] if level else [])


def test_what_can_be_read_is_found_out_without_reading_it(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "empty.wav").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path / "a.wav", tmp_path / "pipe", "-"):
        check_readable(source)
    for source, reason in (
        (tmp_path / "empty.wav", "empty \\(0 bytes\\)"),
        (tmp_path / "gone.wav", "no such file"),
        (tmp_path, "a folder; needed a file"),
        ("", "an empty name"),
    ):
        with pytest.raises(AudioError, match=reason):
            check_readable(source)


def test_flaws_are_logged_where_nobody_asks_for_them(caplog):
    samples = np.array([0.5, np.nan], np.float32)
    read_audio(io.BytesIO(wav(samples, subtype="FLOAT")))
    assert "set to 0: 1" in caplog.text


def test_durations_come_from_the_header(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(44100), 44100)
    soundfile.write(tmp_path / "a.flac", noise(24000), 16000)
    encode(tmp_path / "a.m4a", "aac", tone(1.5), 16000)
    assert probe_duration(tmp_path / "a.wav") == 1.0
    assert probe_duration(tmp_path / "a.flac") == 1.5
    assert probe_duration(tmp_path / "a.m4a") == pytest.approx(1.5, abs=0.1)


def test_a_duration_that_no_header_states_is_unknown_or_an_estimate(tmp_path):
    sound = np.concatenate([np.zeros(5 * 16000, np.float32), tone(5.0)])
    path = encode(tmp_path / "a.aac", "aac", sound, 16000)
    assert probe_duration(path) is None
    assert probe_duration(path, estimate=True) > 0
    counted = encode(tmp_path / "a.mp3", "libmp3lame", sound, 16000)
    assert probe_duration(counted) == pytest.approx(10, abs=0.2)
    uncounted = encode(tmp_path / "b.mp3", "libmp3lame", sound, 16000, write_xing="0")
    assert probe_duration(uncounted) is None


def test_the_duration_of_what_cannot_be_read_is_unknown(tmp_path):
    (tmp_path / "words.wav").write_text("words")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "words.wav", tmp_path / "pipe", tmp_path, tmp_path / "none"):
        assert probe_duration(path) is None


def test_folders_are_searched_in_order_without_hidden_files(tmp_path):
    names = ["b.wav", "a/2.MP3", "a/10.flac", ".hidden.wav", ".git/x.wav", "notes.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = list(find_audio([tmp_path / "notes.txt", tmp_path]))
    expected = ["notes.txt", "b.wav", "a/10.flac", "a/2.MP3"]
    assert found == [tmp_path / name for name in expected]


def test_pipes_in_a_folder_are_left_alone_and_broken_links_are_told(tmp_path):
    (tmp_path / "a.wav").touch()
    os.mkfifo(tmp_path / "b.wav")
    (tmp_path / "c.wav").symlink_to("gone.wav")
    (tmp_path / "d.wav").symlink_to("a.wav")
    (tmp_path / "e.wav").symlink_to("b.wav")
    assert [path.name for path in find_audio([tmp_path])] == ["a.wav", "c.wav", "d.wav"]


def test_a_bad_folder_is_reported_and_does_not_stop_the_rest(tmp_path, monkeypatch):
    for name in ("bad", "empty", "good"):
        (tmp_path / name).mkdir()
    (tmp_path / "good" / "a.wav").touch()
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "bad":
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    bad, empty, good = find_audio(tmp_path / name for name in ("bad", "empty", "good"))
    assert isinstance(bad, AudioError)
    assert "bad: permission denied" in str(bad)
    assert isinstance(empty, AudioError)
    assert "empty: no recordings in this folder" in str(empty)
    assert good == tmp_path / "good" / "a.wav"


def test_suffixes_are_written_as_pathlib_gives_them():
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in AUDIO_SUFFIXES)


def test_a_stream_that_cannot_say_whether_it_seeks_is_asked_by_its_methods():
    """As tempfile.SpooledTemporaryFile was before Python 3.11."""
    file = io.BytesIO(wav(noise(1600)))
    old = SimpleNamespace(read=file.read, seek=file.seek, tell=file.tell)
    assert len(read_audio(old, 16000).samples) == 1600


def test_a_name_in_a_folder_where_one_may_not_look_is_passed_on(monkeypatch):
    def refused(path, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", refused)
    assert list(find_audio(["locked/a.wav"])) == [Path("locked/a.wav")]
