"""Small recordings in formats that libsndfile cannot write; FFmpeg's encoders, through PyAV."""

from pathlib import Path

import av
import numpy as np


def tone(seconds: float, sample_rate: int = 16000, hz: float = 440.0) -> np.ndarray:
    """A sine at half scale, float32."""
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def encode(path: Path, codec: str, samples: np.ndarray, sample_rate: int, **options: str) -> Path:
    """Write mono samples; the suffix chooses the container, `options` go to its muxer."""
    with av.open(path, "w", container_options=options) as container:
        stream = container.add_stream(codec, rate=sample_rate, layout="mono")
        stream.bit_rate = 64000
        kind = stream.codec_context.format.name
        resampler = av.AudioResampler(format=kind, layout="mono", rate=sample_rate)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = sample_rate
        for resampled in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))
    return path


def encode_silent_video(path: Path) -> Path:
    """Write three black pictures without any sound."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path
