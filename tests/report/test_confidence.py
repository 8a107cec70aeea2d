"""The section on confidences."""

from __future__ import annotations

import re

from asr.report.confidence import confidence_section
from asr.scoring.calibration import calibrate

JUDGED = [(0.95, True)] * 1500 + [(0.95, False)] * 500 + [(0.25, False)]


def plain(html):
    """The text of some HTML."""
    return " ".join(re.sub("<[^>]*>", " ", html).replace("\u00a0", " ").split())


def test_every_number_of_the_diagram_stands_in_the_table():
    text = plain(confidence_section(calibrate(JUDGED)))
    assert "90 to 100 % 95.0 % 75.0 % 73.1 % to 76.8 % 2,000" in text
    assert "20 to 30 % 25.0 % 0.0 % 0.0 % to 79.3 % 1 " in text
    assert "30 to 40 %" not in text  # empty


def test_the_diagram_shows_how_many_words_stand_behind_a_point():
    html = confidence_section(calibrate(JUDGED))
    assert html.count("<circle") == 2
    assert html.count('class="whole"') == 1
    counts = re.findall('<text x="[^"]*" y="[^"]*" text-anchor="middle">([^<]*)</text>', html)
    assert counts[::2] == ["0", "0", "1", *["0"] * 6, "2000"]
    assert counts[1::2] == [str(10 * i) for i in range(1, 11)]


def test_the_measures_and_what_was_left_out_are_told():
    # |0.75 - 0.95| for 2000 words and |0 - 0.25| for one.
    text = plain(confidence_section(calibrate(JUDGED, left_out=1234)))
    assert "Expected calibration error 20.0 %" in text
    assert "Recognised words 2,001 1,234 left out" in text
    assert "none left out" in plain(confidence_section(calibrate(JUDGED)))


def test_a_cross_entropy_that_is_not_defined_is_a_dash():
    assert "Normalised cross entropy – " in plain(confidence_section(calibrate([(0.5, True)])))
