"""The defaults of a run, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from asr.config import build, load
from asr.errors import ConfigError
from asr.tokenizer import ENGLISH
from asr.training.config import RunConfig

DATA = {"train": ["a.jsonl"], "valid": ["b.jsonl"]}
CONFIGS = Path(__file__).parents[2] / "configs"


def test_two_lists_of_manifests_are_enough():
    config = build(RunConfig, {"data": DATA}, "run.yaml")
    assert config.data.train == (Path("a.jsonl"),)
    assert config.vocabulary == ENGLISH
    assert config.teacher.directory is None
    assert config.data.lexicon is None
    assert config.model.phone_layer is None


def test_a_single_manifest_needs_no_list():
    config = build(RunConfig, {"data": {"train": "a.jsonl", "valid": "b.jsonl"}}, "run.yaml")
    assert config == build(RunConfig, {"data": DATA}, "run.yaml")


@pytest.mark.parametrize("missing", ["train", "valid"])
def test_a_run_without_data_is_refused_before_anything_is_decoded(missing):
    for data in ({**DATA, missing: []}, {k: v for k, v in DATA.items() if k != missing}):
        with pytest.raises(ConfigError, match=rf"data\.{missing}"):
            build(RunConfig, {"data": data}, "run.yaml")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("train", "epochs", 0),
        ("train", "lr", 0),
        ("train", "ema_decay", 1.0),
        ("train", "precision", "fp16"),
        ("train", "schedule", "step"),
        ("train", "seed", 2**31),
        ("teacher", "weight", -1),
        ("data", "workers", -1),
        ("data", "join_probability", 1.1),
        ("data", "join_max_s", -1),
        ("phones", "weight", -1),
        ("model", "phone_layer", 0),
        ("augment", "silence_probability", -0.1),
        ("augment", "silence_s", -1),
        ("augment", "speeds", []),
        ("augment", "speeds", [1.0, 0.0]),
        ("augment", "gain_db", [6, -15]),
        ("augment", "snr_db", [30, 5]),
        ("augment", "rt60_s", [0.0, 0.6]),
        ("augment", "vocal_tract", [0, 0]),
        ("chunks", "core_s", [2.0, 0.24]),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(section, key, value):
    values = {"data": DATA, section: {**(DATA if section == "data" else {}), key: value}}
    with pytest.raises(ConfigError, match=rf"{section}\.{key}"):
        build(RunConfig, values, "run.yaml")


def test_what_a_run_writes_down_reads_back_as_the_same_configuration():
    config = build(RunConfig, {"data": DATA, "train": {"lr": 3e-4}}, "run.yaml")
    written = yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))
    assert build(RunConfig, written, "config.yaml") == config


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_configuration_that_comes_along_is_valid(path):
    assert load(RunConfig, path).data.train


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"model": {"phone_layer": 2}}, r"model\.phone_layer needs data\.lexicon"),
        ({"model": {"vocal_tracts": [1, 0]}}, r"model\.vocal_tracts"),
        ({"phones": {"frozen": True}}, r"phones\.frozen needs model\.phone_layer"),
        (
            {
                "phones": {"frozen": True},
                "model": {"phone_layer": 1, "norm": "batch"},
                "data": DATA | {"lexicon": "l"},
            },
            r"phones\.frozen needs another model\.norm",
        ),
        ({"text": {"file": "books.txt"}}, r"text\.file needs model\.phone_layer"),
        ({"vocabulary": ["<blank>", "a", "|"]}, "separator '\\|' in the second place"),
        (
            {"model": {"phone_layer": 5}, "data": DATA | {"lexicon": "l"}},
            r"model\.phone_layer is above the highest",
        ),
    ],
)
def test_sections_that_do_not_fit_together_are_refused_at_once(sections, reason):
    with pytest.raises(ConfigError, match=reason):
        build(RunConfig, {"data": DATA, **sections}, "run.yaml")
