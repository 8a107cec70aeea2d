"""Gates and states can be read from their pictures."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from asr.insight.cell_pictures import cell_panels, cell_values

from .tiny import explained


def picture(uri):
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image).astype(float) / 255


def test_gates_can_be_read_from_the_pictures():
    _, found = explained(seed=2)
    for cell, pointed in zip(found.cells, found.pointed, strict=True):
        shown = json.loads(json.dumps(cell_values(cell, pointed, found), allow_nan=False))
        assert (shown["layer"], shown["direction"]) == (cell.layer, cell.direction)
        assert sorted(shown["order"]) == list(range(6))
        assert set(shown["quantities"]) == {"i", "f", "g", "o", "c"}
        for name, quantity in shown["quantities"].items():
            low, high = quantity["low"], quantity["high"]
            values = low + picture(quantity["uri"]) * (high - low)
            expected = cell.activations[name].numpy().T[shown["order"]]
            if quantity["isSpread"]:
                values = np.sinh(values)
            assert values == pytest.approx(expected, abs=(high - low) / 62 + 0.01)


def test_every_quantity_has_a_panel_with_its_name():
    _, found = explained()
    panels = cell_panels(found.cells[0], found)
    assert [panel.title for panel in panels][:1] == ["layer 1 forward: input gate"]
    assert len(panels) == len(found.cells[0].activations)
    assert {panel.values.shape for panel in panels} == {(6, len(found.emissions))}
