"""Damage: what can be decoded is, the rest is told, and nothing else ever comes out."""

import contextlib
import io
import re

import av
import numpy as np
import pytest
import soundfile
from av.audio.plane import AudioPlane
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.audio.decoder import _channels
from asr.audio.files import probe_duration, read_audio
from asr.audio.report import Report
from asr.audio.samples import scaled
from asr.errors import AudioError

from .encoders import encode, encode_silent_video, tone

FORMATS = ["wav", "aiff", "flac", "mp3", "ogg", "m4a", "webm", "aac", "mkv"]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory) -> dict[str, bytes]:
    """Four seconds in every format."""
    folder = tmp_path_factory.mktemp("encoded")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 64000)  # a tone fits one page of Ogg
    for suffix in ("wav", "aiff", "flac", "mp3", "ogg"):
        soundfile.write(folder / f"a.{suffix}", noise, 16000)
    for suffix in ("m4a", "aac", "mkv"):
        encode(folder / f"a.{suffix}", "aac", tone(4.0), 16000)
    encode(folder / "a.webm", "libopus", tone(4.0, 48000), 48000)
    encode(folder / "front.m4a", "aac", tone(4.0), 16000, movflags="faststart")
    return {path.name.removeprefix("a."): path.read_bytes() for path in folder.iterdir()}


def read(data: bytes) -> tuple[np.ndarray, list[str]]:
    flaws: list[str] = []
    return read_audio(io.BytesIO(data), warn=flaws.append).samples, flaws


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_whole_file_has_no_flaws(encoded, suffix, capfd):
    samples, flaws = read(encoded[suffix])
    assert abs(len(samples) - 64000) < 0.15 * 16000
    assert flaws == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", ["wav", "aiff", "flac", "mp3", "mkv", "front.m4a"])
def test_a_file_cut_short_gives_its_part_and_tells_how_much_is_missing(encoded, suffix, capfd):
    data = encoded[suffix]
    samples, flaws = read(data[: len(data) // 2])
    assert 0.8 * 16000 < len(samples) < 3.2 * 16000
    stopped = rf"decoding stopped at {len(samples) / 16000:.1f} s of 4\.[01] s"
    assert re.fullmatch(f"audio stream: {stopped}: the file is cut short or damaged", flaws[0])
    assert capfd.readouterr().err == ""


def test_an_ogg_file_cut_short_lacks_its_end_mark(encoded):
    data = encoded["ogg"]
    last_page = data.rindex(b"OggS")
    samples, flaws = read(data[: last_page + 100])
    assert 16000 < len(samples) < 64000
    assert flaws[0].endswith("the file has no end mark and may be cut short")


def test_an_mp4_without_its_index_says_so(encoded):
    data = encoded["m4a"]
    with pytest.raises(AudioError, match="an MP4 file without a readable index"):
        read(data[: len(data) // 2])


@pytest.mark.parametrize("suffix", ["flac", "aac", "m4a"])
def test_damage_in_the_middle_costs_only_the_damaged_packets(encoded, suffix, capfd):
    data = bytearray(encoded[suffix])
    for place in range(len(data) // 2, len(data) // 2 + 2000, 100):
        data[place] ^= 0xFF
    samples, flaws = read(bytes(data))
    assert len(samples) > 0.6 * 64000
    assert any("damaged packets skipped: " in line for line in flaws)
    assert np.abs(samples).max() < 4  # a damaged FLAC frame would be played as noise
    assert capfd.readouterr().err == ""


def test_all_channels_of_a_planar_frame_with_eight_or_more_are_averaged():
    for layout, num_channels in (("7.1", 8), ("hexadecagonal", 16)):
        frame = av.AudioFrame(format="s16p", layout=layout, samples=100)
        for channel in range(num_channels):
            plane = AudioPlane(frame, channel)
            plane.update(np.full(plane.buffer_size // 2, channel << 8, np.int16).tobytes())
        mean = (num_channels - 1) / 2 * 256 / 32768
        found = Report("a").mixed(scaled(_channels(frame)))
        np.testing.assert_allclose(found, np.full(100, mean), rtol=1e-6)


def test_a_lost_stretch_becomes_silence_so_that_times_stay_true(tmp_path):
    samples, flaws = read(matroska(tmp_path / "gap.mkv", [0, 3]))
    expected = np.repeat(np.float32([0.5, 0, 0, 0.5]), 16000)
    np.testing.assert_array_equal(samples, expected)
    assert flaws == ["audio stream: 2.0 s without sound data became silence"]


def matroska(path, starts_s):
    """Seconds of sound with time stamps that are theirs."""
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        second = np.full((1, 16000), 16384, np.int16)
        for start_s in starts_s:
            frame = av.AudioFrame.from_ndarray(second, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16000, start_s * 16000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_a_jump_that_is_not_believed_never_becomes_silence_later(tmp_path):
    # It used to, as soon as there was as much sound as it was long.
    starts_s = [*range(10), *range(110, 170)]
    samples, flaws = read(matroska(tmp_path / "jump.mkv", starts_s))
    np.testing.assert_array_equal(samples, np.full(70 * 16000, 0.5, np.float32))
    assert [flaw.split(":")[1] for flaw in flaws] == [" decoding stopped at 70.0 s of 170.0 s"]


def test_what_is_lost_after_time_stamps_begin_anew_becomes_silence(tmp_path):
    def transport_stream(name, starts_s):
        path = tmp_path / name
        with av.open(path, "w", format="mpegts") as container:
            stream = container.add_stream("mp2", rate=16000, layout="mono")
            for start_s in starts_s:
                for number in range(50):  # 3.6 s
                    sound = (16384 * tone(0.072)).astype(np.int16)[None]
                    frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
                    frame.sample_rate, frame.pts = 16000, round(start_s * 16000) + number * 1152
                    container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path.read_bytes()

    whole, holed = transport_stream("a.ts", [0, 3.6]), transport_stream("b.ts", [0, 5.6])
    samples, flaws = read(whole + holed)
    assert len(samples) == pytest.approx((4 * 3.6 + 2) * 16000, abs=3000)
    assert flaws == ["audio stream: 2.0 s without sound data became silence"]


@pytest.mark.parametrize(("format", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_joined_ogg_files_are_read_to_the_end(tmp_path, format, subtype):
    parts = []
    for hz in (300, 700):
        part = io.BytesIO()
        soundfile.write(part, tone(2.0, hz=hz), 16000, format=format, subtype=subtype)
        parts.append(part.getvalue())
    samples, flaws = read(b"".join(parts))
    assert len(samples) == pytest.approx(4 * 16000, abs=1000)  # to a block of the codec
    for start, hz in ((0.5, 300), (2.5, 700)):
        spectrum = np.abs(np.fft.rfft(samples[round(start * 16000) :][:16000]))
        assert spectrum.argmax() == hz
    assert flaws == []
    path = tmp_path / "joined.ogg"
    path.write_bytes(b"".join(parts))
    assert probe_duration(path) is None


def test_a_video_without_sound_names_the_streams_it_has(tmp_path):
    path = encode_silent_video(tmp_path / "clip.mp4")
    with pytest.raises(AudioError) as caught:
        read_audio(path)
    needed = "no audio stream (found: video/mpeg4); needed a file with sound"
    assert str(caught.value) == f"{path}: {needed}"


@pytest.mark.parametrize("data", [b"hello, these are words\n" * 40, bytes(5000), b"RIFF", b"ID3"])
def test_what_is_no_recording_says_so(data, capfd):
    with pytest.raises(AudioError, match="audio stream: not a recording"):
        read(data)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {}\n",
    ],
)
def test_a_playlist_opens_no_other_file(tmp_path, encoded, playlist):
    (tmp_path / "a.aac").write_bytes(encoded["aac"])
    for name in ("a.aac", tmp_path / "a.aac", (tmp_path / "a.aac").as_uri()):
        (tmp_path / "list.m3u8").write_text(playlist.format(name))
        with pytest.raises(AudioError):
            read_audio(tmp_path / "list.m3u8")


def test_tags_that_are_not_utf_8_do_no_harm(tmp_path):
    with soundfile.SoundFile(tmp_path / "a.flac", "w", 16000, 1) as file:
        file.title = "ABCDEFGH"
        file.write(tone(1.0))
    data = (tmp_path / "a.flac").read_bytes()
    assert b"ABCDEFGH" in data
    samples, flaws = read(data.replace(b"ABCDEFGH", b"\xff\xfe\xe9\xc3\x28\x80\x80\x80"))
    assert len(samples) == 16000
    assert flaws == []


def test_an_error_of_the_disk_is_told_as_one():
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 20000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    file = io.BytesIO()
    soundfile.write(file, tone(4.0), 16000, format="WAV")
    with pytest.raises(AudioError, match="audio stream: Input/output error"):
        read_audio(Failing(file.getvalue()))


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_random_damage_gives_finite_samples_or_an_audio_error(encoded, suffix, data, capfd):
    damaged = bytearray(encoded[suffix])
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=30)):
        damaged[place] = data.draw(st.integers(0, 255))
    for place in data.draw(st.lists(st.integers(0, 60), max_size=3)):  # headers get their share
        damaged[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    samples = np.zeros(0)
    with contextlib.suppress(AudioError):
        samples, _ = read(bytes(damaged[:cut] if cut % 2 else damaged))
    assert np.isfinite(samples).all()
    assert capfd.readouterr().err == ""
