"""Pictures hold the values they were made from."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from asr.insight.images import COLOUR_MAPS, Panel, colourise, grey_png, quantise, save_figure


def test_a_page_gets_back_the_values_of_a_picture():
    values = np.random.default_rng(0).integers(0, 256, (7, 13), dtype=np.uint8)
    kind, _, content = grey_png(values).partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), values)


def test_values_are_cut_off_at_both_ends():
    assert quantise([-9.0, -1.0, 0.0, 1.0, 9.0, np.nan], -1, 1).tolist() == [0, 0, 128, 255, 255, 0]
    assert quantise([5.0, 5.0], 5, 5).tolist() == [0, 0]


@given(st.floats(0, 1), st.integers(2, 256))
def test_a_value_is_off_by_half_a_level_at_the_most(value, levels):
    found = quantise([value], 0, 1, levels)[0] / 255
    assert abs(found - value) <= 0.5 / (levels - 1) + 0.5 / 255 + 1e-9


@pytest.mark.parametrize("theme", COLOUR_MAPS)
@pytest.mark.parametrize("kind", ["ink", "signed"])
def test_the_ends_of_a_map_are_its_first_and_last_colour(theme, kind):
    found = colourise(np.array([[0, 255]], np.uint8), kind, theme)[0]
    stops = COLOUR_MAPS[theme][kind]
    assert ["#" + bytes(colour).hex() for colour in found] == [stops[0], stops[-1]]


@pytest.mark.parametrize("theme", COLOUR_MAPS)
def test_ink_only_ever_goes_one_way_in_brightness(theme):
    colours = colourise(np.arange(256, dtype=np.uint8)[None], "ink", theme)[0]
    steps = np.diff(colours @ np.array([0.2126, 0.7152, 0.0722]))
    assert (steps <= 0.5).all() or (steps >= -0.5).all()


def test_a_figure_has_its_panels_over_each_other(tmp_path):
    panels = [
        Panel("one", np.zeros((5, 20), np.uint8), labels=[(0, "top")], height=100),
        Panel("two", np.full((400, 3000), 255, np.uint8), "signed", height=50),
    ]
    save_figure(tmp_path / "deep/figure.png", panels, 0.0, 2.0)
    with Image.open(tmp_path / "deep/figure.png") as picture:
        assert picture.width == 1600
        pixels = np.asarray(picture.convert("RGB"))
    for panel in panels:
        colour = colourise(panel.values[:1, :1], panel.kind)[0, 0]
        assert (pixels == colour).all(axis=2).sum(axis=1).max() > 1400


def test_a_figure_of_a_moment_and_of_a_long_time_has_an_axis(tmp_path):
    for duration in (0.01, 0.04, 30.0, 500.0):
        save_figure(tmp_path / "f.png", [Panel("x", np.zeros((2, 2), np.uint8))], 3.0, duration)
        assert (tmp_path / "f.png").stat().st_size > 0


def pixels_of(panel, path):
    save_figure(path, [panel], 0.0, 1.0)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_a_path_is_framed_where_it_is(tmp_path):
    panel = Panel("x", np.zeros((4, 10), np.uint8), height=400, path=[1] * 5 + [3] * 5)
    pixels = pixels_of(panel, tmp_path / "f.png")
    rows, columns = np.nonzero((pixels == (0xC2, 0x6A, 0x1B)).all(axis=2))
    left = columns < columns.mean()
    assert rows[left].max() < rows[~left].min()
    assert rows[left].max() - rows[left].min() == pytest.approx(100, abs=2)


def test_what_lies_over_a_picture_hides_it_only_where_it_says_something(tmp_path):
    below, over = np.zeros((2, 3), np.uint8), np.array([[0, 128, 255]] * 2, np.uint8)
    below[:, 1] = 255
    pixels = pixels_of(Panel("x", below, over=over), tmp_path / "f.png")[150]
    cold, pale, warm = (pixels[x] for x in (200, 830, 1500))
    ends = colourise(np.array([[0, 255]], np.uint8), "signed")[0]
    assert (cold.tolist(), warm.tolist()) == (ends[0].tolist(), ends[1].tolist())
    ink, paper = colourise(np.array([[255, 0]], np.uint8), "ink")[0].astype(int)
    assert (ink < pale).all()
    assert (pale < paper).all()
