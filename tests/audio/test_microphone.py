"""The microphone, against a sounddevice whose devices and answers the test decides."""

import builtins
import collections
import contextlib
import io
import sys
import types
from typing import ClassVar

import numpy as np
import pytest
import soundfile
import soxr

from asr.audio import microphone
from asr.audio.microphone import list_inputs, open_microphone, read_pcm, simulate
from asr.errors import AudioError, DeviceError


class PortAudioError(Exception):
    pass


class FakeStream:
    """Calls back once for every (block, overflow) as soon as it is started, then ends."""

    deliveries: ClassVar[list[tuple[np.ndarray, bool]]]
    opened: ClassVar[list["FakeStream"]]
    refusal = ""

    def __init__(self, **options):
        if self.refusal:
            raise PortAudioError(self.refusal)
        self.options = options
        self.active = False
        self.opened.append(self)

    def __enter__(self):
        for block, overflow in self.deliveries:
            status = types.SimpleNamespace(input_overflow=overflow)
            self.options["callback"](block, len(block), None, status)
        return self

    def __exit__(self, *_):
        self.options = {**self.options, "closed": True}


def device(name: str, inputs: int = 1, sample_rate: float = 16000.0) -> dict:
    return {
        "name": name,
        "hostapi": 0,
        "max_input_channels": inputs,
        "default_samplerate": sample_rate,
    }


@pytest.fixture
def sound(monkeypatch):
    """A module that stands for sounddevice; its devices support their default rate only."""
    module = types.ModuleType("sounddevice")
    module.devices = [device("Speakers", inputs=0), device("Built-in"), device("USB Headset")]
    module.default = types.SimpleNamespace(device=[2, 0])

    def check_input_settings(device, channels, dtype, samplerate):
        if samplerate != module.devices[device]["default_samplerate"]:
            raise PortAudioError("Invalid sample rate")
        if channels not in module.devices[device].get("supported", [1]):
            raise PortAudioError("Invalid number of channels")

    module.check_input_settings = check_input_settings
    module.query_devices = lambda: module.devices
    module.query_hostapis = lambda: [{"name": "ALSA"}]
    module.PortAudioError = PortAudioError
    module.InputStream = type("Stream", (FakeStream,), {"deliveries": [], "opened": []})
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def record(**options) -> tuple[list[np.ndarray], microphone.LiveBlocks, str]:
    """Every block until the fake device goes away, and the message it leaves."""
    blocks = []
    with open_microphone(**options) as live, pytest.raises(DeviceError) as caught:
        collections.deque(map(blocks.append, live))
    return blocks, live, str(caught.value)


def deliver(sound, samples: np.ndarray, size: int) -> None:
    starts = range(0, len(samples), size)
    sound.InputStream.deliveries = [(samples[start : start + size], False) for start in starts]


def test_only_devices_that_record_are_listed(sound):
    assert list_inputs() == [
        microphone.InputDevice(1, "Built-in", 1, 16000.0, "ALSA"),
        microphone.InputDevice(2, "USB Headset", 1, 16000.0, "ALSA"),
    ]


def test_blocks_come_as_they_were_recorded(sound):
    samples = np.linspace(-1, 1, 8000, dtype=np.float32)[:, None]
    deliver(sound, samples, 1600)
    blocks, live, _ = record()
    assert [len(block) for block in blocks] == [1600] * 5
    np.testing.assert_array_equal(np.concatenate(blocks), samples[:, 0])
    assert live.num_overruns == 0
    (stream,) = sound.InputStream.opened
    assert (stream.options["device"], stream.options["samplerate"]) == (2, 16000)
    assert stream.options["closed"]


def test_a_device_with_another_rate_is_resampled_without_seams(sound):
    sound.devices[2] = device("USB Headset", sample_rate=44100.0)
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 44100).astype(np.float32)
    deliver(sound, samples[:, None], 4410)
    blocks, _, _ = record()
    found = np.concatenate(blocks)
    expected = soxr.resample(samples, 44100, 16000, "HQ")
    assert len(found) > 15500  # the rest waits in the resampler for what follows
    np.testing.assert_array_equal(found, expected[: len(found)])


def test_a_device_that_only_records_stereo_is_averaged(sound):
    sound.devices[2] = {**device("USB Headset", inputs=2), "supported": [2]}
    deliver(sound, np.float32([[0.5, 0.25]] * 1600), 1600)
    blocks, _, _ = record()
    np.testing.assert_array_equal(blocks, np.full((1, 1600), 0.375, np.float32))


def test_lost_sound_is_counted(sound):
    block = np.zeros((1600, 1), np.float32)
    sound.InputStream.deliveries = [(block, True)] + [(block, False)] * 101
    blocks, live, _ = record()
    assert len(blocks) == 100  # ten seconds wait at most
    assert live.num_overruns == 1 + 2


def test_a_microphone_that_goes_away_is_told(sound):
    _, _, message = record()
    needed = "needed a microphone that stays connected"
    assert message == f"USB Headset: stopped delivering sound; {needed}"


def test_a_microphone_that_falls_silent_without_an_end_is_told(sound, monkeypatch):
    monkeypatch.setattr(microphone, "_LOST_S", 0.1)
    enter = sound.InputStream.__enter__

    def stay_active(stream):
        stream.active = True
        return enter(stream)

    monkeypatch.setattr(sound.InputStream, "__enter__", stay_active)
    assert "stopped delivering sound" in record()[2]


@pytest.mark.parametrize(("wanted", "index"), [(1, 1), ("Built-in", 1), ("usb", 2), (None, 2)])
def test_a_device_is_found_by_number_name_or_part_of_it(sound, wanted, index):
    record(device=wanted)
    assert sound.InputStream.opened[0].options["device"] == index


def test_the_first_device_serves_where_there_is_no_default(sound):
    sound.default.device = [-1, -1]
    record()
    assert sound.InputStream.opened[0].options["device"] == 1


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("Blue", "no such microphone"), (0, "no such microphone"), ("u", "several microphones fit")],
)
def test_a_device_that_is_not_there_or_not_clear_lists_those_there_are(sound, wanted, found):
    with pytest.raises(DeviceError, match=found) as caught, open_microphone(wanted):
        pass
    assert "1 'Built-in', 2 'USB Headset'" in str(caught.value)


def test_without_any_microphone_the_hint_is_to_simulate_one(sound):
    sound.devices = [device("Speakers", inputs=0)]
    with pytest.raises(DeviceError, match="no microphone found") as caught, open_microphone():
        pass
    assert "asr listen --simulate FILE" in caught.value.hint
    with pytest.raises(DeviceError, match="no microphone found"):
        list_inputs()


def test_portaudios_refusal_is_told_in_one_line(sound):
    sound.InputStream.refusal = "Error opening InputStream:\n  Device unavailable [-9985]"
    with pytest.raises(DeviceError) as caught, open_microphone():
        pass
    refusal = "USB Headset: Error opening InputStream: Device unavailable [-9985]; needed"
    assert str(caught.value).startswith(refusal)


def test_a_missing_portaudio_library_names_the_package_to_install(monkeypatch):
    import_module = builtins.__import__

    def without_portaudio(name, *rest):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return import_module(name, *rest)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_portaudio)
    with pytest.raises(DeviceError, match="PortAudio library not found") as caught:
        list_inputs()
    assert "apt-get install libportaudio2" in caught.value.hint


def test_the_real_sounddevice_lists_inputs_or_raises_a_device_error():
    with contextlib.suppress(DeviceError):
        assert all(each.channels > 0 for each in list_inputs())


class Trickle(io.BytesIO):
    """A pipe that gives three bytes at a time."""

    def read(self, size=-1):
        return super().read(min(size, 3))


@pytest.mark.parametrize("open_stream", [io.BytesIO, Trickle])
def test_raw_samples_are_read_in_blocks_and_half_a_sample_is_left(open_stream):
    data = np.array([0, 16384, -32768, 32767, 1], "<i2").tobytes() + b"\x7f"
    blocks = list(read_pcm(open_stream(data), sample_rate=20, block_s=0.1))
    assert [block.tolist() for block in blocks] == [
        [0.0, 0.5],
        [-1.0, 32767 / 32768],
        [1 / 32768],
    ]
    assert all(block.dtype == np.float32 for block in blocks)


@pytest.mark.parametrize("data", [b"", b"\x01"])
def test_no_raw_samples_give_no_blocks(data):
    assert list(read_pcm(io.BytesIO(data))) == []


def test_a_simulated_microphone_holds_every_block_until_it_is_spoken(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.zeros(4000), 16000)
    now = [100.0]
    monkeypatch.setattr(microphone.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(microphone.time, "sleep", lambda s: now.append(now.pop() + s))
    times = [(len(block), now[0]) for block in simulate(tmp_path / "a.wav")]
    sizes, ends_s = zip(*times, strict=True)
    assert sizes == (1600, 1600, 800)
    assert ends_s == pytest.approx([100.1, 100.2, 100.25])


def test_a_simulated_microphone_need_not_wait(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.zeros(160000), 16000)
    monkeypatch.setattr(microphone.time, "sleep", lambda _: pytest.fail("waited"))
    live = simulate(tmp_path / "a.wav", realtime=False)
    assert sum(map(len, live)) == 160000
    assert live.num_overruns == 0


def test_a_simulated_microphone_needs_a_recording(tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        next(simulate(tmp_path / "none.wav"))
