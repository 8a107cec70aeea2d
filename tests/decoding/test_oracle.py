"""The oracle's own proof: every path, counted."""

import math

import pytest
import torch

from .oracle import Bigrams, token_scores_by_enumeration, token_scores_by_prefix_search


@pytest.mark.parametrize("seed", range(4))
def test_the_prefix_search_finds_what_the_enumeration_of_all_paths_finds(seed):
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(5, 4, generator=generator).log_softmax(-1)
    expected = token_scores_by_enumeration(log_probs)
    found = token_scores_by_prefix_search(log_probs, beam_size=10_000)
    assert {t: s for t, s in found.items() if s > -math.inf} == pytest.approx(expected)
    assert sum(map(math.exp, found.values())) == pytest.approx(1.0, abs=1e-5)


def test_bigrams_back_off_as_written_in_the_arpa_format():
    model = Bigrams(
        unigrams={"<unk>": -2.0, "<s>": -99.0, "</s>": -1.0, "a": -0.5, "b": -0.25},
        bigrams={("<s>", "a"): -0.125},
        backoffs={"a": -0.75, "b": -0.0625},
    )
    # <s> a is a bigram, a b and b </s> back off: -0.125, -0.75 - 0.25, -0.0625 - 1.
    assert model.log_prob(["a", "b"]) == pytest.approx(math.log(10) * -2.1875)
    # <s> has no backoff and z is unknown: -2, then -1.
    assert model.log_prob(["z"]) == pytest.approx(math.log(10) * -3.0)
