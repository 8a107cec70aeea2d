from __future__ import annotations

import numpy as np
import pytest
import soundfile


@pytest.fixture
def record():
    """Writes a recording of that many seconds, 16 kHz, faint noise."""

    def write(path, seconds=0.5):
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        soundfile.write(path, 0.01 * rng.standard_normal(round(16000 * seconds)), 16000)
        return path

    return write
