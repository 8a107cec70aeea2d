"""The measurement of vanishing gradients, on so little training that it takes seconds."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "demo" / "vanishing_gradients.py"


@pytest.fixture(scope="module")
def demo():
    spec = importlib.util.spec_from_file_location("vanishing_gradients", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_prints_both_tables_and_draws_the_curves(tmp_path):
    command = [sys.executable, str(SCRIPT), "--updates", "2", "--delays", "0.1"]
    picture = tmp_path / "curves.svg"
    done = subprocess.run(
        [*command, "--svg", str(picture)], capture_output=True, text=True, check=True, timeout=300
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line] == [
        *("derivative", "cell", "rnn", "gru", "lstm"),
        *("word", "cell", "rnn", "gru", "lstm"),
    ]
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


def test_the_cells_have_about_as_many_parameters(demo):
    sizes = [demo.size(demo.sized_model(cell, 0)) for cell in demo.CELLS]
    assert max(sizes) < 1.03 * min(sizes)


@pytest.mark.parametrize("seed", range(6))
def test_the_key_decides_how_tones_are_spelled_and_the_delay_when_they_come(demo, seed):
    features, text = demo.utterance(np.random.default_rng(seed), 0.5)
    loudest = features.argmax(dim=1)
    bands = {hz: int(demo.FRONT_END.filters[round(hz / 40)].argmax()) for hz in demo.KEYS_HZ}
    key = {band: hz for hz, band in bands.items()}[int(loudest[3])]
    tones = {
        int(demo.FRONT_END.filters[round(hz / 40)].argmax()): letter
        for letter, hz in demo.TONES_HZ.items()
    }
    # A key of 0.12 s, the delay, words of four places of 0.12 s; each tone is heard in its middle.
    places = [0.62 + 0.48 * word + 0.12 * letter for word in range(3) for letter in range(3)]
    heard = "".join(tones[int(loudest[round((place + 0.03) / 0.01)])] for place in places)
    shifted = heard.translate(str.maketrans("abc", "bca"))
    assert text.replace(" ", "") == (heard if key == max(demo.KEYS_HZ) else shifted)


def test_a_longer_delay_makes_a_longer_utterance(demo):
    short, long = (demo.utterance(np.random.default_rng(0), delay_s)[0] for delay_s in (0.5, 1.0))
    assert len(long) == len(short) + 50
