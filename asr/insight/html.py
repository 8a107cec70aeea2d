"""Pages of one file: a template with its style, script and values put in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["embed_json", "fill", "read_template", "table"]

TEMPLATES = Path(__file__).parent / "templates"


def read_template(*names: str) -> str:
    """Files of the folder of templates, joined."""
    return "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values, which are HTML already, where the template has `{{name}}`.

    Raises:
        KeyError: A name has no value.
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match.group(1)], template)


def embed_json(values: Any) -> str:
    """JSON that may stand inside a script element: no text in it can end the element.

    Raises:
        ValueError: A number is infinite or not a number.
    """
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """An HTML table.

    Args:
        head: Plain texts.
        rows: Cells, which are HTML already.
        numbers: Columns to set to the right.
    """
    classes = [' class="n"' if column in numbers else "" for column in range(len(head))]
    titles = "".join(
        f"<th{kind}>{escape(text)}</th>" for kind, text in zip(classes, head, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(classes, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
