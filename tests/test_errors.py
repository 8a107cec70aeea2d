from __future__ import annotations

import pytest

from asr import errors
from asr.errors import AsrError, AudioError


@pytest.mark.parametrize("name", sorted(errors.__all__))
def test_every_error_is_caught_as_the_one_of_this_package(name):
    assert issubclass(getattr(errors, name), AsrError)


def test_an_error_carries_its_message_and_a_hint():
    error = AudioError("a.wav: no samples", "record it again")
    assert (str(error), error.hint) == ("a.wav: no samples", "record it again")


def test_a_hint_may_be_absent():
    assert AsrError("found nothing").hint == ""
