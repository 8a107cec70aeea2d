"""YAML files and overrides written out by hand against the values they must give."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from asr.config import Config, build, load, read_yaml
from asr.errors import ConfigError


class Layer(Config):
    size: int = 8


class Model(Config):
    hidden: int = 512
    dropout: float = Field(default=0.1, ge=0, lt=1)
    name: str = "bilstm"
    layers: tuple[Layer, ...] = ()


class Augment(Config):
    speed: float = 0.1
    noise_db: tuple[float, float] = (5, 20)


class Run(Config):
    seed: int
    model: Model = Model()
    augment: Augment | None = None

    @model_validator(mode="after")
    def _check(self):
        if self.seed == 13:
            raise ValueError("13 brings bad luck")
        return self


@pytest.fixture
def run(tmp_path):
    """Loads a YAML text with overrides."""

    def load_text(text, *overrides):
        path = tmp_path / "run.yaml"
        path.write_text(text)
        return load(Run, path, list(overrides))

    return load_text


def error_of(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return caught.value


def test_a_file_changes_only_what_it_names(run):
    config = run("seed: 1\nmodel:\n  hidden: 640\n")
    assert config == Run(seed=1, model=Model(hidden=640))
    assert config.model.dropout == 0.1


def test_overrides_win_over_the_file_and_make_missing_sections(run):
    config = run("seed: 1\nmodel: {hidden: 640}\n", "model.hidden=320", "augment.speed=0.2")
    assert (config.model.hidden, config.augment) == (320, Augment(speed=0.2))


def test_the_later_of_two_overrides_wins(run):
    assert run("seed: 1", "seed=2", "seed=3").seed == 3


@pytest.mark.parametrize(
    ("override", "section", "key", "value"),
    [
        ("model.dropout=3e-4", "model", "dropout", 3e-4),
        ("model.dropout=.25", "model", "dropout", 0.25),
        ("model.hidden=1e3", "model", "hidden", 1000),
        ("model.name=a=b", "model", "name", "a=b"),
        ("augment.noise_db=[0, 10]", "augment", "noise_db", (0.0, 10.0)),
    ],
)
def test_values_are_read_as_a_person_means_them(run, override, section, key, value):
    assert getattr(getattr(run("seed: 1", override), section), key) == value


def test_a_section_can_be_switched_off(run):
    assert run("seed: 1\naugment: {speed: 0.3}\n", "augment=null").augment is None


def test_a_section_whose_lines_are_all_commented_out_takes_overrides(run):
    config = run("seed: 1\nmodel:\n#  hidden: 640\n", "model.hidden=320")
    assert config.model == Model(hidden=320)


def test_a_configuration_cannot_be_changed(run):
    with pytest.raises(ValidationError, match="frozen"):
        run("seed: 1").seed = 2


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("model.hiden=1", "did you mean 'model.hidden'?"),
        ("modle.hidden=1", "did you mean 'model'?"),
        ("augment.sped=1", "did you mean 'augment.speed'?"),
        ("model.layers=[{sise: 1}]", "did you mean 'model.layers.size'?"),
        ("hidden=1", "did you mean 'model.hidden'?"),
        ("augment.zzz=1", "known keys: augment.speed, augment.noise_db"),
        ("zzz=1", "known keys: seed, model, augment"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_spelling(run, override, hint):
    error = error_of(run, "seed: 1", override)
    assert "unknown key" in str(error)
    assert error.hint == hint


@given(
    st.sampled_from(["hidden", "dropout", "layers"]),
    st.integers(0, 20),
    st.sampled_from("abcdefghijklmnopqrstuvwxyz_"),
)
@settings(deadline=None)
def test_one_wrong_letter_is_always_put_right(name, place, letter):
    place %= len(name)
    wrong = name[:place] + letter + name[place + 1 :]
    if wrong != name:
        error = error_of(build, Run, {"seed": 1, "model": {wrong: 1}}, "run.yaml")
        assert str(error) == f"run.yaml: unknown key 'model.{wrong}'"
        assert error.hint == f"did you mean 'model.{name}'?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: x", "run.yaml: seed: Input should be a valid integer"),
        ("seed: x", "(found 'x')"),
        ("seed: 1\nmodel: {dropout: 1}", "run.yaml: model.dropout: Input should be less than 1"),
        ("seed: 1\nmodel: 3", "run.yaml: model: Input should be a valid dictionary"),
        ("", "run.yaml: seed: Field required"),
        ("- 1", "run.yaml: a list; a configuration is a mapping"),
        ("a: [", "run.yaml: not YAML"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_file_and_key(run, text, message):
    assert message in str(error_of(run, text))


def test_a_contradiction_of_keys_is_told_without_the_whole_section(run):
    assert str(error_of(run, "seed: 13")).endswith("run.yaml: 13 brings bad luck")


@pytest.mark.parametrize("override", ["seed", "=3", ""])
def test_an_override_without_key_or_value_is_refused_with_the_form(run, override):
    error = error_of(run, "seed: 1", override)
    assert error.hint == "write it as --set section.key=value"


def test_a_key_below_a_value_is_refused(run):
    assert "'seed' is a value, not a section" in str(error_of(run, "seed: 1", "seed.x=1"))


def test_an_override_that_is_not_yaml_is_refused(run):
    assert "not a YAML value" in str(error_of(run, "seed: 1", "model.name=[1"))


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "1.0e+400"])
def test_a_number_that_is_not_finite_is_refused(run, value):
    error = error_of(run, "seed: 1", f"augment.speed={value}")
    assert "augment.speed" in str(error)
    assert "finite" in str(error)


def test_an_empty_file_is_an_empty_mapping(tmp_path):
    (tmp_path / "a.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "a.yaml") == {}


def test_a_file_that_is_missing_or_not_text_is_refused_by_name(tmp_path):
    error = error_of(read_yaml, tmp_path / "none.yaml")
    assert "none.yaml: No such file" in str(error)
    assert error.hint
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x80")
    assert "binary.yaml: not YAML" in str(error_of(read_yaml, tmp_path / "binary.yaml"))
