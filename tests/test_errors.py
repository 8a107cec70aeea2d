from __future__ import annotations

import pytest

from asr import errors
from asr.errors import AsrError, AudioError, printable


@pytest.mark.parametrize(
    "name", sorted([name for name in errors.__all__ if name.endswith("Error")])
)
def test_every_error_is_caught_as_the_one_of_this_package(name):
    assert issubclass(getattr(errors, name), AsrError)


def test_an_error_carries_its_message_and_a_hint():
    error = AudioError("a.wav: no samples", "record it again")
    assert (str(error), error.hint) == ("a.wav: no samples", "record it again")


def test_a_hint_may_be_absent():
    assert AsrError("found nothing").hint == ""


def test_names_that_no_output_takes_are_printed_all_the_same():
    name = printable("caf\udce9\n.mp3")
    assert name.encode() == "caf\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}.mp3".encode()
