"""Evaluations as one self-contained HTML page."""

from __future__ import annotations

from asr.report.page import render_page, write_page

__all__ = ["render_page", "write_page"]
