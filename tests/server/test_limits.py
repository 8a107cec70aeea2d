"""Counting, with a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.server.limits import Limits, Pace, RateLimiter, Slots, measure_cost, streams_for

from ..tones import listener


@pytest.mark.parametrize(
    ("cores", "cost", "streams"), [(2, 0.1, 10), (16, 0.1, 80), (1, 0.5, 1), (2, 3.0, 1)]
)
def test_streams_take_half_of_the_cores_and_there_is_at_least_one(cores, cost, streams):
    assert streams_for(cores, cost) == streams


def test_a_second_of_sound_costs_something():
    assert 0 < measure_cost(listener()) < 10


def test_as_many_places_are_taken_as_there_are():
    slots = Slots(2)
    assert [slots.take(), slots.take(), slots.take()] == [True, True, False]
    slots.give_back()
    assert slots.take()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_a_client_waits_until_its_next_token():
    clock = Clock()
    rates = RateLimiter(60, clock)
    assert [rates.wait_s("a") for _ in range(60)] == [0.0] * 60
    assert rates.wait_s("a") == pytest.approx(1.0)
    assert rates.wait_s("b") == 0.0
    clock.now += 0.25
    assert rates.wait_s("a") == pytest.approx(0.75)
    clock.now += 0.75
    assert rates.wait_s("a") == 0.0


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 10))
def test_no_window_of_time_holds_more_than_the_bucket_and_what_flowed_into_it(gaps, rate):
    clock, times = Clock(), []
    rates = RateLimiter(rate, clock)
    for gap in gaps:
        clock.now += gap
        if not rates.wait_s("a"):
            times.append(clock.now)
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= rate + (times[last] - start) * rate / 60 + 1e-6


def test_clients_of_long_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr("asr.server.limits._MAX_CLIENTS", 3)
    rates = RateLimiter(1, Clock())
    for client in "abcd":
        assert rates.wait_s(client) == 0.0
    assert list(rates._buckets) == ["b", "c", "d"]


def test_a_stream_may_run_ahead_of_the_clock_by_its_lead():
    clock = Clock()
    pace = Pace(5.0, clock)
    assert pace.wait_s(5.0) == 0.0
    assert pace.wait_s(7.0) == pytest.approx(2.0)
    clock.now += 2.0
    assert pace.wait_s(7.0) == 0.0


def test_the_defaults_bound_everything():
    assert all(value > 0 for value in vars(Limits()).values())
