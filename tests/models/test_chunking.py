"""Chunks with look-ahead: the whole recording at once, or piece by piece with carried states."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.models import BiLSTMConfig, build_model
from asr.models.bilstm import Chunking, cut_chunks
from asr.models.recurrent import BiRecurrent

CONFIG = BiLSTMConfig(layers=3, hidden=5, dropout=0.0, conv_channels=2, phone_layer=2)


def make(seed=0, **changes):
    torch.manual_seed(seed)
    return build_model(
        CONFIG.model_copy(update=changes), n_mels=8, vocab_size=4, num_phones=6
    ).eval()


def random_features(batch, frames, seed=0):
    return torch.randn(batch, frames, 8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module", params=["lstm", "gru", "rnn"])
def model(request):
    return make(cell=request.param)


def test_chunks_overlap_by_their_look_ahead():
    x = torch.arange(1.0, 6.0).reshape(1, 5, 1)
    chunks, counts = cut_chunks(x, torch.tensor([5]), Chunking(core=2, look_ahead=3))
    assert chunks[:, :, 0].tolist() == [[1, 2, 3, 4, 5], [3, 4, 5, 0, 0], [5, 0, 0, 0, 0]]
    assert counts.tolist() == [5, 3, 1]


def test_each_recording_of_a_batch_has_its_own_counts():
    _, counts = cut_chunks(torch.zeros(2, 5, 1), torch.tensor([5, 2]), Chunking(2, 1))
    assert counts.reshape(2, 3).tolist() == [[3, 3, 1], [2, 0, 0]]


@torch.inference_mode()
def test_one_chunk_over_the_whole_recording_is_the_offline_result_exactly(model):
    features, lengths = random_features(2, 77), torch.tensor([77, 50])
    offline = model(features, lengths)
    chunked = model(features, lengths, Chunking(core=20, look_ahead=0))
    for row, steps in enumerate(offline.steps.tolist()):
        assert torch.equal(offline.letters[row, :steps], chunked.letters[row, :steps])
        assert torch.equal(offline.phones[row, :steps], chunked.phones[row, :steps])


@torch.inference_mode()
def test_with_all_of_the_future_in_sight_chunks_change_nothing(model):
    features, lengths = random_features(1, 80), torch.tensor([80])
    offline = model(features, lengths)
    for core in (2, 6, 18):
        chunked = model(features, lengths, Chunking(core, look_ahead=20))
        torch.testing.assert_close(chunked.letters, offline.letters)
        torch.testing.assert_close(chunked.phones, offline.phones)


@settings(max_examples=25, deadline=None)
@given(
    frames=st.lists(st.integers(1, 90), min_size=2, max_size=3),
    core=st.integers(1, 8).map(lambda n: 2 * n),
    look_ahead=st.integers(0, 5).map(lambda n: 2 * n),
)
@torch.inference_mode()
def test_in_chunks_too_padding_changes_nothing(frames, core, look_ahead):
    net, chunking = make(), Chunking(core, look_ahead)
    features = random_features(len(frames), max(frames))
    together = net(features, torch.tensor(frames), chunking)
    for row, count in enumerate(frames):
        alone = net(features[row : row + 1, :count], torch.tensor([count]), chunking)
        steps = int(alone.steps[0])
        assert alone.letters.shape == (1, steps, 4)
        torch.testing.assert_close(together.letters[row, :steps], alone.letters[0])
        torch.testing.assert_close(together.phones[row, :steps], alone.phones[0])


@torch.inference_mode()
def test_chunk_after_chunk_with_carried_states_is_all_chunks_at_once(model):
    x, steps = model.embed(random_features(1, 78), torch.tensor([78]))
    at_once, _ = model.recur(*cut_chunks(x, steps, Chunking(6, 4)), 6, num_chunks=4)
    states, letters = None, []
    for start in range(0, 20, 6):
        chunk = x[:, start : start + 10]
        core = min(6, 20 - start)
        outputs, states = model.recur(chunk, torch.tensor([chunk.shape[1]]), core, states=states)
        letters.append(outputs.letters)
    torch.testing.assert_close(torch.cat(letters, 1), at_once.letters[:, :20])


def test_what_lies_beyond_the_look_ahead_cannot_be_seen():
    net = make()
    features = random_features(1, 160)
    features.requires_grad_()
    outputs = net(features, torch.tensor([160]), Chunking(core=4, look_ahead=2))
    outputs.letters[0, 4:8].sum().backward()  # the second chunk: steps 4 to 7, sight to step 9
    seen = features.grad[0].abs().sum(dim=1).nonzero().flatten().tolist()
    assert min(seen) < 4  # the state has come all the way
    assert 4 * 9 <= max(seen) <= 4 * 9 + 3  # the convolutions read up to three frames beyond


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_returned_state_is_where_the_last_core_ends(cell):
    torch.manual_seed(0)
    layer = BiRecurrent(3, 4, cell)
    x = torch.randn(1, 6, 3)
    chunks, counts = cut_chunks(x, torch.tensor([6]), Chunking(2, 2))
    _, state = layer.advance(chunks, counts, 2, num_chunks=3)
    expected = layer.forward_cell(x)[1]
    for found, wanted in zip(torch.atleast_3d(*state), torch.atleast_3d(*expected), strict=True):
        torch.testing.assert_close(found, wanted)
