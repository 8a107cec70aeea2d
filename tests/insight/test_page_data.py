"""The values that the page draws are those of the explanation."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from asr.insight.page_data import entropy_bits, figures, labels_of, page_data
from asr.insight.reference_text import path_of
from asr.tokenizer import Tokenizer

from .tiny import N_MELS, VOCABULARY, explained, phone_decoder


def picture(uri):
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image).astype(float) / 255


def decoded(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.fixture(scope="module")
def made():
    recognizer, found = explained(seed=2, phones=True, words=["2"], reference="abc cab")
    return found, page_data(found, recognizer.checkpoint, 2, "backward", 1)


def test_it_can_be_written_as_json(made):
    assert json.loads(json.dumps(made[1], allow_nan=False))


def test_entropy_of_a_fair_choice_counts_its_bits():
    probabilities = torch.tensor([[0.25] * 4, [0.5, 0.5, 0, 0], [1, 0, 0, 0]])
    assert entropy_bits(probabilities.log()) == pytest.approx([2, 1, 0])


def test_blank_and_separator_have_signs():
    assert labels_of(Tokenizer(VOCABULARY)) == ["∅", "␣", "a", "b", "c"]


def test_probabilities_can_be_read_from_the_picture(made):
    found, data = made
    values = picture(data["posteriors"]["uri"])
    assert values.shape == (len(VOCABULARY), len(found.emissions))
    expected = found.emissions.log_probs.exp().clamp(min=1e-4).numpy().T
    assert 10 ** (-4 * (1 - values)) == pytest.approx(expected, rel=0.02)
    phones = picture(data["phones"]["uri"])
    assert phones.shape == (found.emissions.phones.shape[1], len(found.emissions))


def test_the_loudest_and_the_quietest_sample_of_every_column_are_kept(made):
    found, data = made
    peaks = decoded(data["waveform"]["peaks"], np.int8).reshape(-1, 2)
    per_s = data["waveform"]["per_s"]
    assert len(peaks) == pytest.approx(found.clip.duration_s * per_s, abs=1)
    assert np.abs(peaks).max() == 127
    loudest = np.abs(found.clip.samples).argmax() / found.clip.sample_rate
    assert np.abs(peaks[int(loudest * per_s)]).max() == 127


def test_words_and_letters_have_their_times(made):
    found, data = made
    assert [word["text"] for word in data["words"]] == [word.text for word in found.words]
    letters = [letter for word in data["words"] for letter in word["letters"]]
    spans = [s for s in found.spans if VOCABULARY[s.token] != "|"]
    assert [letter[0] for letter in letters] == [VOCABULARY[span.token] for span in spans]
    assert [letter[1] for letter in letters] == pytest.approx([0.04 * s.start_step for s in spans])


def test_where_the_texts_differ_is_marked_in_both(made):
    found, data = made
    wrong = [word["text"] for word in data["words"] if word["isWrong"]]
    assert wrong == [text for d in found.comparison.differences for text in d.chosen]
    missed = [word["text"] for word in data["right"]["words"] if word["isWrong"]]
    assert missed == [text for d in found.comparison.differences for text in d.right]
    gap = decoded(data["right"]["gap"]["values"], np.float32)
    assert gap == pytest.approx(found.comparison.gap, abs=1e-4)


def test_an_attribution_is_nearly_all_in_its_picture(made):
    found, data = made
    for attribution, shown in zip(found.gradients, data["gradients"], strict=True):
        values = picture(shown["uri"]) * 2 - 1
        assert shown["sum"] == pytest.approx(attribution.values.sum(), rel=1e-4)
        assert values.shape[0] == N_MELS / 4
        assert shown["duration"] == pytest.approx(values.shape[1] * 0.04)
        frames = np.abs(attribution.values).sum(axis=1)
        first = round(shown["start"] / 0.01)
        kept = frames[first : first + round(shown["duration"] / 0.01)].sum()
        assert kept >= 0.97 * frames.sum()


def test_bands_are_labelled_with_their_pitch(made):
    hz = made[1]["mel"]["hz"]
    assert len(hz) == N_MELS
    assert hz == sorted(hz, reverse=True)
    for row, label in made[1]["mel"]["ticks"]:
        assert 0 < row < 1
        assert label.endswith("Hz")


def test_what_is_shown_first_is_what_was_asked_for(made):
    assert made[1]["initial"] == {
        "layer": 2,
        "direction": "backward",
        "word": 1,
        "method": "integrated",
    }


def test_pictures_for_files_cover_the_same(made):
    recognizer, found = explained()
    made = figures(found, recognizer.checkpoint, 1, "forward", 0)
    assert set(made) == {"spectrogram", "posteriors", "layer1-forward", "saliency"}
    (mel,) = made["spectrogram"]
    assert "1 kHz" in [label for _, label in mel.labels]
    (letters,) = made["posteriors"]
    assert letters.path == path_of(found.spans, len(found.emissions)).tolist()
    (saliency,) = made["saliency"]
    assert saliency.over.shape == saliency.values.shape == mel.values.shape
    assert [panel.values.shape for panel in made["layer1-forward"]] == [
        (6, len(found.emissions))
    ] * 6
    assert "saliency" not in figures(found, recognizer.checkpoint, 1, "forward", None)


def test_pictures_of_a_search_over_phones_show_their_path():
    recognizer, found = explained(phones=True, decoder=phone_decoder())
    letters, phones = figures(found, recognizer.checkpoint, 1, "forward", 0)["posteriors"]
    assert letters.path == path_of(found.spans, len(found.emissions)).tolist()
    assert phones.path == path_of(found.spoken, len(found.emissions)).tolist()
    assert [label for _, label in phones.labels] == ["blank", "space", "AA", "B"]
