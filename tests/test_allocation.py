"""The collector is off inside, and afterwards as it was."""

from __future__ import annotations

import gc
import threading
import time

import pytest

from asr.allocation import BuiltOnce, without_collector


@pytest.fixture(autouse=True)
def _collector_as_before():
    was_enabled = gc.isenabled()
    yield
    (gc.enable if was_enabled else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
def test_it_is_off_inside_and_afterwards_as_it_was(enabled):
    (gc.enable if enabled else gc.disable)()
    with without_collector():
        assert not gc.isenabled()
        with without_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled() is enabled


def test_an_error_inside_leaves_it_as_it_was():
    gc.enable()
    with pytest.raises(ValueError, match="broken"), without_collector():
        raise ValueError("broken")
    assert gc.isenabled()


def test_what_is_built_is_built_once_for_all_threads():
    class House:
        num_built = 0

        @BuiltOnce
        def roof(self):
            self.num_built += 1
            time.sleep(0.05)  # time enough for all to come
            return object()

    house, found = House(), []
    threads = [threading.Thread(target=lambda: found.append(house.roof)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.num_built == 1
    assert len(set(map(id, found))) == 1
    assert House().roof is not house.roof
