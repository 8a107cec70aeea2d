"""Live emissions against those of the whole recording."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.features import FeatureConfig, LogMel
from asr.checkpoint import Checkpoint
from asr.models import BiLSTMConfig, build_model
from asr.models.bilstm import Chunking
from asr.streaming import StreamingEncoder, chunking_of
from asr.tokenizer import Tokenizer
from asr.types import Emissions

VOCABULARY = ["<blank>", "|", "a", "b"]
RATE = 16000
STEP = 640


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    config = BiLSTMConfig(layers=2, hidden=6, conv_channels=2, phone_layer=2)
    return Checkpoint(
        model=build_model(config, 16, 4, num_phones=5, num_word_pieces=6).eval(),
        front_end=LogMel(FeatureConfig(n_mels=16)),
        tokenizer=Tokenizer(VOCABULARY),
        phones=Tokenizer(["<blank>", "|", "AA", "B", "K"]),
        provenance={},
        content_hash="",
        path=tmp_path_factory.mktemp("none"),
        word_pieces=Tokenizer([*VOCABULARY, "ab", "ba"]),
    )


def noise(num_samples, seed=0):
    return 0.3 * np.random.default_rng(seed).standard_normal(num_samples).astype(np.float32)


def stream(checkpoint, samples, chunking, blocks):
    encoder = StreamingEncoder(checkpoint, chunking)
    parts, start = [], 0
    for size in blocks:
        parts.extend(encoder.push(samples[start : start + size]))
        start += size
    parts.extend(encoder.push(samples[start:]))
    return Emissions.join([*parts, *encoder.finish()])


@torch.inference_mode()
def offline(checkpoint, samples, chunking=None):
    features = checkpoint.front_end(torch.from_numpy(samples))
    return checkpoint.model(features[None], torch.tensor([len(features)]), chunking)


@torch.inference_mode()
def best_word_pieces(checkpoint, outputs):
    return checkpoint.model.best_word_pieces(outputs.states[0])


@pytest.mark.parametrize("num_samples", [1, 399, 400, 1040, 5000, 16000, 50_001])
def test_one_chunk_over_the_whole_recording_is_the_offline_result_exactly(checkpoint, num_samples):
    samples = noise(num_samples)
    whole, live = offline(checkpoint, samples), stream(checkpoint, samples, Chunking(10_000, 0), [])
    assert torch.equal(live.log_probs, whole.letters[0])
    assert torch.equal(live.phones, whole.phones[0])
    named = best_word_pieces(checkpoint, whole)
    assert torch.equal(live.word_pieces.tokens, named.tokens)


@settings(max_examples=20, deadline=None)
@given(
    num_samples=st.integers(1, 40_000),
    core=st.integers(1, 8),
    look_ahead=st.integers(0, 6),
    blocks=st.lists(st.integers(0, 9000), max_size=6),
)
def test_chunk_by_chunk_gives_what_the_network_computes_for_these_chunks_at_once(
    checkpoint, num_samples, core, look_ahead, blocks
):
    samples, chunking = noise(num_samples), Chunking(2 * core, 2 * look_ahead)
    live = stream(checkpoint, samples, chunking, blocks)
    whole = offline(checkpoint, samples, chunking)
    torch.testing.assert_close(live.log_probs, whole.letters[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(live.phones, whole.phones[0], atol=1e-4, rtol=1e-4)
    named = best_word_pieces(checkpoint, whole)
    torch.testing.assert_close(live.word_pieces.log_probs, named.log_probs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("block", [160, 1000, 16_000, 160_000])
def test_the_size_of_the_blocks_changes_not_one_bit(checkpoint, block):
    samples, chunking = noise(70_000), Chunking(10, 6)
    sizes = [block] * (len(samples) // block)
    expected = stream(checkpoint, samples, chunking, [])
    found = stream(checkpoint, samples, chunking, sizes)
    assert torch.equal(found.log_probs, expected.log_probs)
    assert torch.equal(found.phones, expected.phones)
    assert torch.equal(found.word_pieces.tokens, expected.word_pieces.tokens)
    assert torch.equal(found.word_pieces.log_probs, expected.word_pieces.log_probs)


def test_a_chunk_comes_as_soon_as_its_look_ahead_is_there(checkpoint):
    encoder = StreamingEncoder(checkpoint, Chunking(10, 6))
    # Step 15's last frame is number 63, whose window ends with sample 63 * 160 + 400.
    assert list(encoder.push(noise(63 * 160 + 399))) == []
    (part,) = encoder.push(noise(1))
    assert len(part) == 10
    assert encoder.seconds_done == pytest.approx(0.4)


def test_what_is_held_does_not_grow(checkpoint):
    encoder = StreamingEncoder(checkpoint, Chunking(10, 6))
    held = []
    for seed in range(40):
        list(encoder.push(noise(STEP * 5, seed)))
        held.append(len(encoder._held))
    assert encoder.num_samples == 40 * 5 * STEP
    assert max(held) <= (1 + 10 + 6) * STEP + 5 * STEP


def test_of_a_block_as_long_as_a_recording_little_is_held(checkpoint):
    encoder = StreamingEncoder(checkpoint, Chunking(8, 6))
    held = [len(encoder._held) for _ in encoder.push(noise(60 * RATE))]
    assert len(held) > 180
    assert max(held) < 4 * RATE


def test_nothing_in_gives_nothing_out(checkpoint):
    encoder = StreamingEncoder(checkpoint, Chunking(10, 6))
    assert list(encoder.push(noise(0))) == []
    assert list(encoder.finish()) == []


def test_sizes_are_rounded_to_steps(checkpoint):
    assert chunking_of(checkpoint, 0.41, 1.0) == Chunking(10, 25)
    assert chunking_of(checkpoint, 0.001, 0) == Chunking(1, 0)
