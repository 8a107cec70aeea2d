"""Letters and their phones: in languages with a rule, and by sums over all ways to cut."""

import math
from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.lexicon.alignment import align

from .languages import magic_e, soft_c

ENTRIES = st.lists(
    st.tuples(st.text("abc", min_size=1, max_size=4), st.lists(st.sampled_from("XYZ"), max_size=5)),
    min_size=1,
    max_size=8,
)


def cuts(word, spoken):
    """All sequences of graphones that an entry can be."""
    for sizes in product(range(3), repeat=len(word)):
        if sum(sizes) == len(spoken):
            starts = [sum(sizes[:i]) for i in range(len(sizes))]
            yield [
                (letter, tuple(spoken[start : start + size]))
                for letter, start, size in zip(word, starts, sizes, strict=True)
            ]


def learn(entries, num_rounds):
    """Expectation-maximisation by definition: probabilities of graphones."""
    table = None
    for _ in range(num_rounds):
        counts = Counter()
        for entry in entries:
            ways = list(cuts(*entry))
            weights = [math.prod(table[x] for x in way) if table else 1.0 for way in ways]
            for way, weight in zip(ways, weights, strict=True):
                for graphone in way:
                    counts[graphone] += weight / sum(weights)
        table = {x: count / sum(counts.values()) for x, count in counts.items()}
    return table


def as_text(sequence):
    return " ".join(f"{letter}:{'+'.join(phones)}" for letter, phones in sequence)


def pairs(dictionary):
    return [(word, spoken) for word, ways in dictionary.items() for spoken in ways]


def test_letters_get_the_phones_that_a_rule_gives_them():
    entries = pairs(soft_c())
    found = dict(zip((word for word, _ in entries), align(entries), strict=True))
    assert as_text(found["ceca"]) == "c:S e:EH c:K a:AA"
    assert as_text(found["hate"]) == "h: a:AA t:T e:EH"
    assert as_text(found["xaxi"]) == "x:K+S a:AA x:K+S i:IH"


def test_letters_without_a_sound_stand_for_nothing():
    entries = pairs(magic_e())
    found = dict(zip((word for word, _ in entries), align(entries), strict=True))
    assert as_text(found["tape"]) == "t:T a:EY p:P e:"
    assert as_text(found["tap"]) == "t:T a:AE p:P"


@settings(deadline=None, max_examples=40)
@given(ENTRIES, st.integers(1, 4))
def test_the_cut_is_the_likeliest_after_so_many_rounds(entries, num_rounds):
    possible = [entry for entry in entries if 0 < len(entry[1]) <= 2 * len(entry[0])]
    table = learn(possible, num_rounds)
    for entry, found in zip(entries, align(entries, num_rounds), strict=True):
        if entry not in possible:
            assert found is None
            continue
        best = max(math.prod(table[x] for x in way) for way in cuts(*entry))
        assert found in list(cuts(*entry))
        assert math.prod(table[x] for x in found) == pytest.approx(best)


def test_the_order_of_a_dictionary_does_not_matter():
    entries = pairs(soft_c())
    assert align(entries[::-1]) == align(entries)[::-1]


@pytest.mark.parametrize("entry", [("a", "XYZ"), ("", "X"), ("", ""), ("ab", "")])
def test_what_no_graphones_make_up_has_none(entry):
    assert align([entry, ("b", "X")]) == [None, [("b", ("X",))]]


def test_nothing_is_aligned_to_nothing():
    assert align([]) == []
