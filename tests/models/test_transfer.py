"""One network's weights as the first weights of another."""

import pytest
import torch

from asr.models.bilstm import spread
from asr.models.transfer import warm_start

from .test_reduction import PLAIN, REDUCED, make


def test_a_reduced_network_starts_from_the_outputs_of_one_that_is_not():
    plain, reduced = make(PLAIN), make(REDUCED, seed=1)
    warm_start(reduced, plain.state_dict())
    x = torch.randn(1, 3, 10)
    twice = spread(reduced.output(x), 2)
    torch.testing.assert_close(twice[:, 0::2], plain.output(x))
    torch.testing.assert_close(twice[:, 1::2], plain.output(x))
    for name, tensor in plain.layers.state_dict().items():
        assert torch.equal(reduced.layers.state_dict()[name], tensor)


def test_phones_are_taken_over_with_a_feedback_of_the_same_size():
    whole = make(REDUCED.model_copy(update={"reduce_after": None}))
    torch.nn.init.normal_(whole.phones.feedback.weight)
    reduced = make(REDUCED, seed=1)
    warm_start(reduced, whole.state_dict())
    x = torch.randn(1, 3, 10)
    before, after = whole.phones(x), reduced.phones(x)
    torch.testing.assert_close(spread(after[0], 2)[:, 1::2], before[0])
    torch.testing.assert_close(after[1], before[1])


def test_phones_that_the_new_network_lacks_are_left_out():
    plain = make(PLAIN, seed=1)
    warm_start(plain, make(REDUCED.model_copy(update={"reduce_after": None})).state_dict())


def test_other_layers_are_refused():
    wider = make(PLAIN.model_copy(update={"hidden": 6}))
    with pytest.raises(RuntimeError, match="size mismatch"):
        warm_start(wider, make(PLAIN).state_dict())


def test_layers_on_top_of_those_given_stay_random():
    lower = make(PLAIN)
    higher = make(PLAIN.model_copy(update={"layers": 4}), seed=1)
    random_top = {n: t.clone() for n, t in higher.state_dict().items()}
    warm_start(higher, lower.state_dict())
    for name, tensor in higher.state_dict().items():
        on_top = name.startswith(("layers.3.", "norms.4."))
        expected = random_top[name] if on_top else lower.state_dict()[name]
        assert torch.equal(tensor, expected), name


def test_a_network_of_fewer_layers_is_refused():
    fewer = make(PLAIN.model_copy(update={"layers": 2}))
    with pytest.raises(RuntimeError, match="Unexpected key"):
        warm_start(fewer, make(PLAIN).state_dict())
