"""Learning rates on paper, and the closed form of the weight average."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from asr.training.config import OptimConfig
from asr.training.schedule import WeightAverage, learning_rate


def rates(schedule, steps, total=30):
    config = OptimConfig(lr=1.0, warmup_steps=10, schedule=schedule)
    return [learning_rate(step, total, config) for step in steps]


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_the_rate_rises_in_equal_steps_to_the_peak(schedule):
    assert rates(schedule, range(10)) == pytest.approx([0.1 * (i + 1) for i in range(10)])


@pytest.mark.parametrize(
    ("schedule", "middle", "end"), [("cosine", 0.505, 0.01), ("linear", 0.505, 0.01)]
)
def test_then_it_falls_through_the_middle_to_a_hundredth(schedule, middle, end):
    assert rates(schedule, [10, 20, 30]) == pytest.approx([1.0, middle, end])


def test_a_quarter_of_the_way_cosine_is_above_linear():
    # (1 + cos(pi / 4)) / 2 = 0.853553 and 1 - 1 / 4
    assert rates("cosine", [15]) == pytest.approx([0.01 + 0.99 * 0.853553], abs=1e-6)
    assert rates("linear", [15]) == pytest.approx([0.01 + 0.99 * 0.75])


def test_a_constant_rate_stays_and_beyond_the_end_nothing_goes_below_the_floor():
    assert rates("constant", [10, 1000]) == [1.0, 1.0]
    assert rates("cosine", [31, 1000]) == pytest.approx([0.01, 0.01])


def test_a_warm_up_as_long_as_the_run_and_none_at_all_are_both_fine():
    assert rates("cosine", [9, 10], total=5) == pytest.approx([1.0, 1.0])
    config = OptimConfig(lr=1.0, warmup_steps=0)
    assert learning_rate(0, 10, config) == 1.0


class Weight(nn.Module):
    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))


def averaged(values, decay):
    module = Weight()
    average = WeightAverage(module, decay)
    for number, value in enumerate(values, start=1):
        with torch.no_grad():
            module.value.fill_(value)
        module.count.fill_(number)
        average.update(module)
    return average


def test_a_constant_is_its_own_average_up_to_what_is_left_of_the_start():
    # The start, 0, is left over with the product of the decays: 2/11, 3/12, then 0.3 bounds 4/13.
    average = averaged([1.0, 1.0, 1.0], decay=0.3)
    assert float(average.values["value"]) == pytest.approx(1 - 2 / 11 * 3 / 12 * 0.3)


def test_a_long_average_has_the_closed_form_of_an_exponential_one():
    decay, count = 0.5, 200
    values = [float(i % 7) for i in range(count)]
    expected = sum((1 - decay) * decay ** (count - 1 - i) * v for i, v in enumerate(values))
    assert float(averaged(values, decay).values["value"]) == pytest.approx(expected, abs=1e-5)


def test_whole_numbers_are_copied_and_the_module_is_left_alone():
    average = averaged([1.0, 2.0], decay=0.9)
    assert average.values["count"].item() == 2
    assert average.num_updates == 2


def test_a_loaded_average_goes_on_as_the_saved_one():
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    saved = averaged(values[:3], decay=0.9)
    module = Weight()
    loaded = WeightAverage(module, 0.9)
    loaded.load(saved.values, saved.num_updates)
    for value in values[3:]:
        with torch.no_grad():
            module.value.fill_(value)
        loaded.update(module)
    assert torch.equal(loaded.values["value"], averaged(values, decay=0.9).values["value"])
