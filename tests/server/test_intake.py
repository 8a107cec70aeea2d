"""What comes in pieces against the same sound in one piece."""

import struct

import av
import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import AudioError
from asr.server.intake import FORMATS, OpusIntake, PcmIntake, open_intake

from ..audio.encoders import encode, tone

RATE = 16_000


def pcm(samples):
    return np.round(samples * 32768).clip(-32768, 32767).astype("<i2").tobytes()


def drain(intake):
    blocks = []
    while (block := intake.take()) is not None:
        blocks.append(block)
    return blocks


def run(intake, pieces):
    blocks = []
    for piece in pieces:
        intake.feed(piece)
        blocks += drain(intake)
    intake.end()
    blocks += drain(intake)
    intake.close()
    return np.concatenate([*blocks, np.zeros(0, np.float32)])


def cut(data, sizes):
    start = 0
    for size in sizes:
        yield data[start : start + size]
        start += size
    yield data[start:]


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=3000), st.lists(st.integers(0, 500), max_size=20))
def test_samples_may_be_cut_anywhere_even_within(data, sizes):
    expected = np.frombuffer(data[: len(data) // 2 * 2], "<i2") / 32768
    np.testing.assert_array_equal(run(PcmIntake(RATE, RATE), cut(data, sizes)), expected)


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000])
def test_other_rates_are_resampled_without_seams(rate):
    sound = tone(1.0, rate)
    expected = librosa.resample(sound, orig_sr=rate, target_sr=RATE, res_type="soxr_hq")
    found = run(PcmIntake(rate, RATE), cut(pcm(sound), [2 * rate // 10] * 9))
    assert abs(len(found) - RATE) <= 1
    np.testing.assert_allclose(found[:RATE], expected[: len(found)], atol=2e-4)


def test_at_most_a_second_is_given_out_at_once():
    intake = PcmIntake(RATE, RATE)
    intake.feed(bytes(2 * 2 * RATE + 2))
    assert [len(block) for block in drain(intake)] == [RATE, RATE, 1]


@pytest.mark.parametrize("suffix", ["webm", "ogg"])
@pytest.mark.parametrize("size", [100, 1 << 20])
def test_opus_in_pieces_is_what_ffmpeg_decodes_of_the_whole(tmp_path, suffix, size):
    path = encode(tmp_path / f"a.{suffix}", "libopus", tone(2.0, 48_000), 48_000)
    with av.open(path) as container:
        frames = [frame.to_ndarray().mean(axis=0) for frame in container.decode(audio=0)]
    whole = np.concatenate(frames).astype(np.float32)
    expected = librosa.resample(whole, orig_sr=48_000, target_sr=RATE, res_type="soxr_hq")
    data = path.read_bytes()
    found = run(OpusIntake(RATE), cut(data, [size] * (len(data) // size)))
    assert abs(len(found) - len(expected)) <= 1
    num = min(len(found), len(expected))
    np.testing.assert_allclose(found[:num], expected[:num], atol=2e-4)


def test_opus_is_decoded_as_it_comes(tmp_path):
    options = {"cluster_time_limit": "100"}
    path = encode(tmp_path / "a.webm", "libopus", tone(4.0, 48_000), 48_000, **options)
    data = path.read_bytes()
    intake = OpusIntake(RATE)
    intake.feed(data[: len(data) // 2])
    num_samples = sum(map(len, drain(intake)))
    intake.close()
    assert 1.5 * RATE < num_samples < 2.5 * RATE


@pytest.mark.parametrize("data", [b"RIFF0000WAVE", b"OggS" + bytes(5000), b"\x1a\x45\xdf\xa3junk"])
def test_what_is_not_opus_is_an_error(data):
    with pytest.raises(AudioError):
        run(OpusIntake(RATE), [data])


def test_another_codec_is_named(tmp_path):
    path = encode(tmp_path / "a.mka", "aac", tone(0.5), RATE)
    with pytest.raises(AudioError, match="found aac; needed Opus"):
        run(OpusIntake(RATE), [path.read_bytes()])


def test_a_codec_that_ffmpeg_does_not_know_is_an_error_at_once(tmp_path):
    path = encode(tmp_path / "a.webm", "libopus", tone(0.5, 48_000), 48_000)
    data = path.read_bytes().replace(b"A_OPUS", b"A_XXXX")
    with pytest.raises(AudioError, match="no sound that FFmpeg knows; needed Opus"):
        run(OpusIntake(RATE), [data])


def ogg_page(flags, serial, number, payload):
    """A page of one packet's middle (RFC 3533, section 6); the packet does not end in it."""
    head = b"OggS" + struct.pack("<BBqIIIB", 0, flags, -1, serial, number, 0, 255) + 255 * b"\xff"
    return head[:22] + struct.pack("<I", ogg_checksum(head + payload)) + head[26:] + payload


def ogg_checksum(data):
    remainder = 0
    for byte in data:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1) ^ (0x104C11DB7 if remainder >> 31 else 0)
    return remainder


def test_a_packet_without_an_end_is_not_kept_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("asr.server.intake._MOST_UNHEARD_BYTES", 100_000)
    data = encode(tmp_path / "a.ogg", "libopus", tone(1.0, 48_000), 48_000).read_bytes()
    last = data.rfind(b"OggS")
    serial, number = struct.unpack("<II", data[last + 14 : last + 22])
    intake = OpusIntake(RATE)
    intake.feed(data[:last])
    drain(intake)
    pages = [ogg_page(min(i, 1), serial, number + i, bytes(255 * 255)) for i in range(4)]
    with pytest.raises(AudioError, match="no sound in the last"):
        run(intake, pages)
    intake.close()


def test_what_follows_the_end_of_the_sound_is_not_kept_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("asr.server.intake._MOST_UNHEARD_BYTES", 100_000)
    data = encode(tmp_path / "a.webm", "libopus", tone(1.0, 48_000), 48_000).read_bytes()
    intake = OpusIntake(RATE)
    intake.feed(data)
    assert drain(intake)
    with pytest.raises(AudioError, match="no sound in the last"):
        run(intake, [bytes(50_000)] * 4)
    intake.close()


def test_sound_may_go_on_for_longer_than_what_is_kept_without(tmp_path, monkeypatch):
    monkeypatch.setattr("asr.server.intake._MOST_UNHEARD_BYTES", 100_000)
    data = encode(tmp_path / "a.ogg", "libopus", tone(30.0, 48_000), 48_000).read_bytes()
    assert len(data) > 200_000
    assert len(run(OpusIntake(RATE), [data])) == pytest.approx(30 * RATE, abs=RATE // 10)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_decoder_that_failed(monkeypatch):
    def fail(intake):
        raise AttributeError("unforeseen")

    monkeypatch.setattr(OpusIntake, "_frames", fail)
    assert len(run(OpusIntake(RATE), [b"OggS" * 100])) == 0


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_in_nothing_out_and_it_can_be_closed_at_any_time(format):
    intake = open_intake(format, RATE, RATE)
    assert intake.take() is None
    intake.feed(b"")
    assert intake.take() is None
    intake.end()
    assert sum(map(len, drain(intake))) == 0
    intake.close()
    intake.close()


def test_a_stream_that_is_left_leaves_no_thread(tmp_path):
    path = encode(tmp_path / "a.webm", "libopus", tone(2.0, 48_000), 48_000)
    intake = OpusIntake(RATE)
    intake.feed(path.read_bytes())
    assert intake.take() is not None
    intake.close()
    assert not intake._thread.is_alive()
