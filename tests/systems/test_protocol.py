"""Optional packages."""

from __future__ import annotations

import json

import pytest

from asr.errors import ConfigError
from asr.systems.protocol import import_optional


def test_a_package_that_is_there_is_imported():
    assert import_optional("json", "json") is json


def test_a_package_that_is_missing_is_named_with_how_to_install_it():
    with pytest.raises(ConfigError, match="nothing-here is not installed") as caught:
        import_optional("nothing_here", "nothing-here")
    assert ".[compare]" in caught.value.hint


def test_the_extra_that_has_it_is_named():
    with pytest.raises(ConfigError) as caught:
        import_optional("nothing_here", "nothing-here", "teacher")
    assert ".[teacher]" in caught.value.hint
