"""Which words face each other where a minimum edit distance alignment is ambiguous.

Many alignments have the fewest errors. Of these the one with the most words right is taken, as
NIST's sclite does by weighing a substitution 4 and the others 3; and of these the one whose
substituted words differ least in their letters, so that "doging" faces "dodging" and not what
stands beside it. (sclite's weights would also accept one error more for five fewer substitutions;
here the errors stay fewest.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rapidfuzz.distance import Levenshtein

__all__ = ["DELETION", "HIT", "INSERTION", "SUBSTITUTION", "realign"]

HIT, SUBSTITUTION, DELETION, INSERTION = "=SDI"

MAX_CELLS = 1_000_000
"""A stretch of, say, a thousand words on both sides without three right in a row stays as it is."""

_CERTAIN = re.compile("(={3,})")  # three words right in a row are taken for settled


def realign(references: Sequence[str], hypotheses: Sequence[str], operations: str) -> str:
    """The preferred one of the alignments with as few errors as this one.

    Args:
        references: Words.
        hypotheses: Words.
        operations: A minimum edit distance alignment of them, a letter a column: "=" hit, "S"
            substitution, "D" deletion, "I" insertion.
    """
    return "".join(_settled(references, hypotheses, operations))


def _settled(
    references: Sequence[str], hypotheses: Sequence[str], operations: str
) -> Iterator[str]:
    i = j = 0
    for run in _CERTAIN.split(operations):
        start_i, start_j = i, j
        i += len(run) - run.count(INSERTION)
        j += len(run) - run.count(DELETION)
        size = (i - start_i) * (j - start_j)
        is_single = run.strip(HIT) in ("", SUBSTITUTION)
        if SUBSTITUTION in run and not is_single and size <= MAX_CELLS:
            yield _best(references[start_i:i], hypotheses[start_j:j])
        else:
            yield run


def _best(references: Sequence[str], hypotheses: Sequence[str]) -> str:
    """Fewest errors, then fewest substitutions, then least different letters."""
    # Each weight outweighs all that can come of the lesser ones; a distance is at most 1.
    substitution = len(references) + len(hypotheses) + 1.0
    error = substitution * substitution
    row = [error * j for j in range(len(hypotheses) + 1)]
    choices = [INSERTION * len(row)]
    for word in references:
        above, row, chosen = row, [row[0] + error], [DELETION]
        for j, other in enumerate(hypotheses):
            cost, choice = above[j], HIT
            if word != other:
                cost += error + substitution + Levenshtein.normalized_distance(word, other)
                cost, choice = min(
                    (cost, SUBSTITUTION),
                    (above[j + 1] + error, DELETION),
                    (row[j] + error, INSERTION),
                )
            row.append(cost)
            chosen.append(choice)
        choices.append("".join(chosen))
    return _trace(choices)


def _trace(choices: Sequence[str]) -> str:
    """The way back from the last cell of a table of choices."""
    i, j = len(choices) - 1, len(choices[0]) - 1
    operations = []
    while i or j:
        operations.append(choices[i][j])
        i -= operations[-1] != INSERTION
        j -= operations[-1] != DELETION
    return "".join(reversed(operations))
