"""Writing a model as ARPA text, the format that every n-gram program reads."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from asr.lm.kneser_ney import Grams, Model

__all__ = ["write_arpa"]

_BLOCK = 1 << 16


def write_arpa(model: Model, path: Path, compress: bool = False) -> None:
    """Write base-10 logarithms, each with as many digits as tell float32 numbers apart."""
    with gzip.open(path, "wt") if compress else path.open("w") as file:
        file.write("\\data\\\n")
        for n, grams in enumerate(model.grams, 1):
            file.write(f"ngram {n}={len(grams)}\n")
        for n, grams in enumerate(model.grams, 1):
            _write_order(file, model, n, grams)
        file.write("\n\\end\\\n")


def _write_order(file: TextIO, model: Model, n: int, grams: Grams) -> None:
    file.write(f"\n\\{n}-grams:\n")
    longest = n == len(model.grams)
    for block, texts in _texts(model, n):
        probs = map(str, np.log10(grams.prob[block]).astype(np.float32))
        columns = [probs, texts]
        if not longest:
            columns.append(map(str, np.log10(grams.backoff[block]).astype(np.float32)))
        file.writelines("\t".join(row) + "\n" for row in zip(*columns, strict=True))


def _texts(model: Model, n: int) -> Iterator[tuple[slice, Iterator[str]]]:
    """The words of the n-grams, block by block."""
    words = np.array(model.vocabulary.words, object)
    for start in range(0, len(model.grams[n - 1]), _BLOCK):
        block = slice(start, start + _BLOCK)
        columns = []
        places = np.arange(len(model.grams[n - 1]), dtype=np.uint32)[block]
        for level in model.grams[n - 1 :: -1]:
            columns.append(words[level.word[places]])
            places = level.prefix[places]
        yield block, map(" ".join, zip(*reversed(columns), strict=True))
