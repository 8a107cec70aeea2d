"""YAML files and `--set` overrides into validated, frozen configuration models.

Component defaults < the YAML file < `--set section.key=value`. This module knows no component:
each keeps its own `Config` model beside its code.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from asr.errors import ConfigError

__all__ = ["Config", "Range", "build", "load", "parse_overrides", "read_yaml"]


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"from {ends[0]:g} to {ends[1]:g}; the lower end comes first")
    return ends


Range = Annotated[tuple[float, float], AfterValidator(_ascending)]
"""Two ends, the lower one first."""


class Config(BaseModel):
    """Base of every configuration section: frozen, no key that it does not know, no infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


ConfigT = TypeVar("ConfigT", bound=Config)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: No such file, not YAML, or not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror or error}", "see configs/ for examples"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a {type(content).__name__}; a configuration is a mapping")
    return content


def load(model: type[ConfigT], path: Path, overrides: list[str] | None = None) -> ConfigT:
    """Read a YAML file, apply `key.path=value` overrides, validate.

    Raises:
        ConfigError: The file cannot be read, or a key or a value does not fit.
    """
    values = parse_overrides(overrides or [], read_yaml(path))
    return build(model, values, str(path))


def parse_overrides(overrides: list[str], onto: dict[str, Any] | None = None) -> dict[str, Any]:
    """`key.path=value` strings as nested values, put over those of `onto`.

    Raises:
        ConfigError: One is not of that form.
    """
    values = dict(onto or {})
    for override in overrides:
        _apply(values, override)
    return values


def build(model: type[ConfigT], values: dict[str, Any], where: str) -> ConfigT:
    """Validate plain values; `where` names their origin in error messages.

    Raises:
        ConfigError: An unknown key (with the nearest known one), or a value that does not fit.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ConfigError(
                f"{where}: unknown key {key!r}", _nearest(model, first["loc"])
            ) from None
        place = f"{where}: {key}" if key else where
        # A whole section, where keys contradict each other or one is missing, is not worth showing.
        found = "" if isinstance(first["input"], dict) else f" (found {first['input']!r})"
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{place}: {message}{found}") from None


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override!r}", "write it as --set section.key=value")
    *sections, last = key.split(".")
    for section in sections:
        if values.get(section) is None:  # absent, or all its lines are commented out
            values[section] = {}
        values = values[section]
        if not isinstance(values, dict):
            raise ConfigError(f"--set {override!r}: {section!r} is a value, not a section")
    try:
        values[last] = _parse_value(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r}: not a YAML value") from error


def _parse_value(text: str) -> Any:
    # YAML 1.1 reads 3e-4 as a string; a person means a number.
    value = yaml.safe_load(text)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _nearest(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """A hint that names the closest known spelling of the last part of `loc`."""
    parent, _, last = ".".join(part for part in loc if isinstance(part, str)).rpartition(".")
    known = _keys(model)
    siblings = {k.rpartition(".")[2]: k for k in known if k.rpartition(".")[0] == parent}
    if close := difflib.get_close_matches(last, siblings, n=1):
        return f"did you mean {siblings[close[0]]!r}?"
    if elsewhere := [k for k in known if k.rpartition(".")[2] == last]:
        return f"did you mean {elsewhere[0]!r}?"
    return "known keys: " + ", ".join(siblings.values())


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, info in model.model_fields.items():
        keys.append(prefix + name)
        # The arguments of `Section | None` and `list[Section]` are sections, too.
        for section in (info.annotation, *get_args(info.annotation)):
            if isinstance(section, type) and issubclass(section, BaseModel):
                keys += _keys(section, f"{prefix}{name}.")
    return keys
