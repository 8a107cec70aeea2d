"""What the conditions of the robustness demo do to sound, by measuring it."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from asr.systems import OwnSystem
from asr.types import Audio

from ..audio.encoders import tone
from ..tones import listener, play

RATE = 16_000
SCRIPT = Path(__file__).parents[2] / "demo" / "robustness.py"


@pytest.fixture(scope="module")
def robustness():
    spec = importlib.util.spec_from_file_location("robustness", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def level_db(samples, low, high):
    """The power between two frequencies (Hz)."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return 10 * np.log10(spectrum[(hz >= low) & (hz < high)].sum() + 1e-20)


def test_noise_has_its_level_and_falls_by_3_db_an_octave(robustness):
    samples = tone(2.0, RATE)
    noise = robustness.pink(len(samples), np.random.default_rng(0))
    added = robustness.add(samples, noise, 10.0) - samples
    assert 10 * np.log10(np.mean(samples**2) / np.mean(added**2)) == pytest.approx(10, abs=0.01)
    octaves = [level_db(noise, low, 2 * low) for low in (250, 500, 1000, 2000)]
    assert octaves == pytest.approx([octaves[0]] * 4, abs=1.0)  # equal power in every octave


def test_every_condition_keeps_the_length_and_draws_the_same_for_the_same_place(robustness):
    voices = [tone(0.3, RATE, hz) for hz in (200, 300, 500, 700, 900)]
    samples = tone(1.3, RATE)[: RATE + 1]
    for name, change in robustness.conditions(voices).items():
        found = change(samples, RATE, np.random.default_rng(3))
        assert (found.shape, found.dtype) == (samples.shape, np.float32), name
        assert np.isfinite(found).all(), name
        again = change(samples, RATE, np.random.default_rng(3))
        np.testing.assert_array_equal(found, again, err_msg=name)
        assert (found is samples) == (name == "as it is")


def test_a_telephone_has_neither_bass_nor_treble(robustness):
    noise = np.random.default_rng(0).normal(size=2 * RATE).astype(np.float32) / 10
    heard = robustness.conditions([])["telephone (300 to 3,400 Hz, mu-law)"](noise, RATE, None)
    middle = level_db(heard, 1000, 1200)
    for low in (20, 5000, 7000):
        assert level_db(heard, low, low + 200) < middle - 20


def test_a_room_comes_later_and_lasts_longer(robustness):
    click = np.zeros(RATE, np.float32)
    click[100] = 1.0
    name = "hall of 8 x 12 m, 3 m away"
    heard = robustness.conditions([])[name](click, RATE, np.random.default_rng(0))
    energy = np.cumsum(heard**2) / np.sum(heard**2)
    assert 100 < np.argmax(heard**2 > 0.01 * np.max(heard**2)) < 100 + RATE * 3.5 / 343 + 100
    assert energy[100 + RATE // 10] < 0.95  # what comes more than 0.1 s later still counts


def test_changed_recordings_are_recognised_in_order(robustness):
    def silenced(samples, rate, rng):
        return samples * 0

    recordings = [Audio(play("--aa--|"), RATE), Audio(play("--bb--|"), RATE)]
    system = OwnSystem(listener())
    heard = robustness.Changed(system, "as it is", lambda samples, rate, rng: samples)
    assert [one.text for one in heard.transcribe_many(recordings)] == ["a", "b"]
    silent = robustness.Changed(system, "silence", silenced)
    assert [one.text for one in silent.transcribe_many(recordings)] == ["", ""]
    assert silent.describe() != heard.describe()


def test_nobody_is_heard_behind_himself(robustness):
    mine, other = tone(1.0, RATE, 300), tone(1.0, RATE, 2000)
    heard = robustness.conditions([mine, other])["four voices, 10 dB"]
    added = heard(mine, RATE, np.random.default_rng(0)) - mine
    assert level_db(added, 1900, 2100) > level_db(added, 200, 400) + 30
