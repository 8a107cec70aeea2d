"""Layers that run at half the rate: outputs keep their steps, and padding still changes nothing."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.models import BiLSTMConfig, build_model
from asr.models.bilstm import halve_steps, spread

REDUCED = BiLSTMConfig(
    layers=3, hidden=5, dropout=0.0, conv_channels=2, phone_layer=2, reduce_after=1
)
PLAIN = REDUCED.model_copy(update={"reduce_after": None, "phone_layer": None})


def make(config, seed=0, num_phones=6):
    torch.manual_seed(seed)
    phones = num_phones if config.phone_layer else 0
    return build_model(config, n_mels=8, vocab_size=4, num_phones=phones).eval()


def test_neighbours_are_averaged_and_an_odd_last_step_stays_alone():
    x = torch.tensor([[[1.0], [3.0], [5.0]], [[2.0], [4.0], [99.0]]])
    halved, lengths = halve_steps(x, torch.tensor([3, 2]))
    assert halved.tolist() == [[[2.0], [5.0]], [[3.0], [0.0]]]
    assert lengths.tolist() == [2, 1]


def test_what_stands_side_by_side_is_spread_over_the_steps():
    x = torch.arange(12.0).reshape(1, 3, 4)
    assert spread(x, 2)[:, :5].tolist() == [[[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]]
    assert torch.equal(spread(x, 1), x)


@settings(max_examples=25, deadline=None)
@given(frames=st.lists(st.integers(1, 40), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_every_output_has_a_row_for_each_step_whatever_else_is_in_the_batch(frames, seed):
    model = make(REDUCED)
    features = torch.randn(
        len(frames), max(frames), 8, generator=torch.Generator().manual_seed(seed)
    )
    with torch.inference_mode():
        together = model(features, torch.tensor(frames))
        for row, count in enumerate(frames):
            alone = model(features[row : row + 1, :count], torch.tensor([count]))
            steps = -(-count // 4)
            assert together.steps[row] == alone.steps[0] == steps
            assert alone.letters.shape == (1, steps, 4)
            assert alone.phones.shape == (1, steps, 6)
            for one, many in ((alone.letters, together.letters), (alone.phones, together.phones)):
                torch.testing.assert_close(many[row, :steps], one[0], rtol=1e-4, atol=1e-4)
                torch.testing.assert_close(one.exp().sum(-1), torch.ones(1, steps))


def test_phones_below_the_reduction_name_one_token_a_step():
    model = make(REDUCED.model_copy(update={"phone_layer": 1}))
    assert model.phones.output.out_features == 6
    assert model.output.out_features == 2 * 4
    assert model(torch.zeros(1, 20, 8), torch.tensor([20])).phones.shape == (1, 5, 6)
