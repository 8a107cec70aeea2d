"""The list of rooms, and that imports only go up it.

A room is a module or a package directly below `asr`. A module imports from the rooms above its
own in the list and, in a package, from its own room. Imports inside functions and for type
checking count as well.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "asr"
MODULES = sorted(PACKAGE.rglob("*.py"))

ROOMS = [
    "errors",
    "replacing",
    "allocation",
    "types",
    "config",
    "weights",
    "text",
    "tokenizer",
    "audio",
    "ctc",
    "models",
    "lm",
    "word_pieces",
    "lexicon",
    "decoding",
    "data",
    "checkpoint",
    "recognizer",
    "loading",
    "streaming",
    "scoring",
    "writers",
    "systems",
    "evaluation",
    "nist",
    "comparison",
    "tuning",
    "insight",
    "report",
    "training",
    "server",
    "live_files",
    "terminal",
    "commands",
    "commands_build",
    "commands_listen",
    "commands_evaluate",
    "commands_insight",
    "commands_serve",
    "cli_build",
    "cli",
    "__init__",
    "__main__",
]


def room_of(path):
    """The room that a file is in, such as audio for asr/audio/files.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_rooms(source, location):
    """Rooms that a module imports from; `location` is its dotted package, such as asr.audio."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (_room(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = location.split(".")[: len(location.split(".")) - node.level + 1]
                base = ".".join([*parents, *([node.module] if node.module else [])])
            # `from asr import text` names a room, `from asr import __version__` the package.
            yield from (
                _room(f"{base}.{alias.name}" if base == "asr" else base) for alias in node.names
            )


def _room(name):
    top, _, rest = name.partition(".")
    if top != "asr":
        return None
    first = rest.partition(".")[0]
    return first if first in ROOMS else "__init__"


def is_bare(path):
    """Whether a module has only a docstring, imports and a list of names."""
    return all(
        isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
    )


def mirrors_of(path):
    """Where a module's test may be: the same path below tests, a package's under its own name."""
    folder = TESTS / path.relative_to(PACKAGE).parent
    if path.name != "__init__.py":
        return [folder / f"test_{path.stem.strip('_')}.py"]
    return [folder / f"test_{path.parent.name}.py", folder / "test_registry.py"]


def test_every_room_is_on_the_list():
    rooms = {room_of(path) for path in MODULES}
    assert rooms <= set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_rooms_above_its_own(path):
    own = room_of(path)
    location = ".".join(path.relative_to(PACKAGE.parent).parent.parts)
    used = set(imported_rooms(path.read_text(encoding="utf-8"), location)) - {None, own}
    allowed = set(ROOMS[: ROOMS.index(own)])
    assert used <= allowed, f"{own} comes before {sorted(used - allowed)}"


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("import asr.audio.files as f, numpy", {"audio", None}),
        ("from asr.text import normalise_basic", {"text"}),
        ("from asr import text, __version__", {"text", "__init__"}),
        ("import asr", {"__init__"}),
        ("from . import features", {"audio"}),
        ("from .features import LogMel", {"audio"}),
        ("from ..text import normalise_basic", {"text"}),
        ("from .. import text", {"text"}),
        ("def f():\n    from asr.cli import main", {"cli"}),
        ("import asrfoo.text", {None}),
    ],
)
def test_every_form_of_import_is_seen(source, rooms):
    assert set(imported_rooms(source, "asr.audio")) == rooms


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if not (path.name == "__init__.py" and is_bare(path))],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_every_module_has_a_test_at_the_same_path(path):
    assert any(test.exists() for test in mirrors_of(path)), f"no {mirrors_of(path)[0]}"
