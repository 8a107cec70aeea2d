"""Checked against the enumeration of every path, which is the definition of CTC."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.ctc import align, collapse, ctc_loss, is_feasible, min_steps, required_steps
from asr.errors import DecoderError
from asr.tokenizer import BLANK

VOCAB = 3


def random_log_probs(steps, seed, vocab=VOCAB):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(steps, vocab, generator=generator)).log_softmax(-1)


def merge_and_drop(path):
    return [token for token, _ in itertools.groupby(path) if token != BLANK]


def paths_of(tokens, steps, vocab=VOCAB):
    every = itertools.product(range(vocab), repeat=steps)
    return [path for path in every if merge_and_drop(path) == list(tokens)]


def path_log_prob(log_probs, path):
    return sum(log_probs[step, token].item() for step, token in enumerate(path))


small_steps = st.integers(1, 5)
small_tokens = st.lists(st.integers(1, VOCAB - 1), max_size=4)
seeds = st.integers(0, 10_000)


def loss_of(log_probs, tokens):
    return ctc_loss(
        log_probs[None],
        torch.tensor([len(log_probs)]),
        torch.tensor([tokens], dtype=torch.long).reshape(1, -1),
        torch.tensor([len(tokens)]),
    )[0].item()


@settings(max_examples=60, deadline=None)
@given(small_steps, small_tokens, seeds)
def test_the_loss_is_the_sum_over_every_path(steps, tokens, seed):
    log_probs = random_log_probs(steps, seed)
    total = sum(math.exp(path_log_prob(log_probs, path)) for path in paths_of(tokens, steps))
    expected = -math.log(total) if total else math.inf
    assert loss_of(log_probs, tokens) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_loss_of_every_possible_text_sums_to_one_in_probability():
    log_probs = random_log_probs(4, seed=1)
    texts = {tuple(merge_and_drop(p)) for p in itertools.product(range(VOCAB), repeat=4)}
    total = sum(math.exp(-loss_of(log_probs, list(text))) for text in texts)
    assert total == pytest.approx(1.0, abs=1e-5)


def test_the_loss_equals_that_of_pytorch_on_concatenated_targets():
    log_probs = torch.stack([random_log_probs(12, seed, vocab=6) for seed in range(3)])
    texts = [[1, 1, 2], [5], [3, 4, 3, 4]]
    lengths, target_lengths = torch.tensor([12, 7, 10]), torch.tensor([3, 1, 4])
    expected = torch.nn.CTCLoss(reduction="none")(
        log_probs.transpose(0, 1).double(),
        torch.tensor([1, 1, 2, 5, 3, 4, 3, 4]),
        lengths,
        target_lengths,
    )
    padded = torch.tensor([text + [1] * (5 - len(text)) for text in texts])
    losses = ctc_loss(log_probs, lengths, padded, target_lengths)
    torch.testing.assert_close(losses, expected.float(), rtol=1e-5, atol=1e-5)


def test_padding_changes_neither_losses_nor_gradients():
    def losses_and_gradient(padding, pad_token):
        logits = random_log_probs(6, seed=3).clone()[None].requires_grad_()
        padded = torch.nn.functional.pad(logits, (0, 0, 0, padding), value=9.0)
        targets = torch.tensor([[1, 2] + [pad_token] * padding])
        loss = ctc_loss(padded.log_softmax(-1), torch.tensor([6]), targets, torch.tensor([2]))
        return loss.detach(), torch.autograd.grad(loss.sum(), logits)[0]

    for got, wanted in zip(losses_and_gradient(4, 2), losses_and_gradient(0, 0), strict=True):
        torch.testing.assert_close(got, wanted)


def test_bfloat16_emissions_give_a_float32_loss():
    log_probs = random_log_probs(8, seed=4)[None].bfloat16()
    arguments = (torch.tensor([8]), torch.tensor([[1, 2]]), torch.tensor([2]))
    loss = ctc_loss(log_probs, *arguments)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, ctc_loss(log_probs.float(), *arguments))


def test_the_loss_of_no_tokens_is_that_of_blanks_only():
    log_probs = torch.stack([random_log_probs(4, seed) for seed in (1, 2)])
    nothing = torch.zeros(2, 0, dtype=torch.long)
    losses = ctc_loss(log_probs, torch.tensor([4, 3]), nothing, torch.tensor([0, 0]))
    expected = torch.stack([-log_probs[0, :4, BLANK].sum(), -log_probs[1, :3, BLANK].sum()])
    torch.testing.assert_close(losses, expected)


def test_an_infeasible_utterance_has_an_infinite_loss_and_leaves_the_others_alone():
    log_probs = torch.stack([random_log_probs(3, seed) for seed in (5, 6)])
    targets = torch.tensor([[1, 1], [1, 1]])
    losses = ctc_loss(log_probs, torch.tensor([2, 3]), targets, torch.tensor([2, 2]))
    assert losses[0] == math.inf
    # Three steps carry "1 1" on one path only: 1, blank, 1.
    assert losses[1].item() == pytest.approx(-path_log_prob(log_probs[1], (1, 0, 1)), rel=1e-5)


def test_masking_an_infinite_loss_afterwards_does_not_save_its_gradient():
    # Why infeasible utterances have to leave the batch; if PyTorch changes this, ctc_loss may too.
    log_probs = torch.stack([random_log_probs(3, seed) for seed in (5, 6)]).requires_grad_()
    targets = torch.tensor([[1, 1], [1, 1]])
    losses = ctc_loss(log_probs, torch.tensor([2, 3]), targets, torch.tensor([2, 2]))
    (gradient,) = torch.autograd.grad(losses[losses.isfinite()].sum(), log_probs)
    assert gradient[0].isnan().any()
    assert gradient[1].isfinite().all()


@settings(max_examples=60, deadline=None)
@given(small_steps, small_tokens)
def test_feasible_means_that_some_path_exists(steps, tokens):
    assert is_feasible(tokens, steps) == bool(paths_of(tokens, steps))


def test_equal_neighbours_need_a_blank_between_them():
    assert [min_steps(t) for t in ([], [1], [1, 2, 1], [1, 1], [2, 2, 2, 1])] == [0, 1, 3, 3, 6]


@given(
    st.lists(st.lists(st.integers(1, 3), max_size=6), min_size=1, max_size=5),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_the_required_steps_of_a_batch_are_those_of_each_row_whatever_its_padding(
    texts, pad_token, extra
):
    size = max(map(len, texts)) + extra
    padded = torch.tensor([text + [pad_token] * (size - len(text)) for text in texts])
    lengths = torch.tensor([len(text) for text in texts])
    found = required_steps(padded.reshape(len(texts), size).long(), lengths)
    assert found.tolist() == [min_steps(text) for text in texts]
    assert found.dtype == torch.int64


@given(st.lists(st.integers(0, 3), max_size=12))
def test_collapsing_merges_repeats_and_then_drops_blanks(path):
    tokens, first_steps = collapse(path)
    assert list(tokens) == merge_and_drop(path)
    assert list(first_steps) == sorted(set(first_steps))
    for token, step in zip(tokens, first_steps, strict=True):
        assert path[step] == token
        assert step == 0 or path[step - 1] != token


@given(st.lists(st.integers(0, 3), max_size=12))
def test_tensors_and_lists_collapse_alike(path):
    assert collapse(torch.tensor(path, dtype=torch.int32)) == collapse(path)


@given(st.lists(st.integers(1, 3), max_size=8))
def test_tokens_with_blanks_between_collapse_to_themselves(tokens):
    spread = [id_ for token in tokens for id_ in (token, BLANK)]
    assert collapse(spread) == (tuple(tokens), tuple(range(0, 2 * len(tokens), 2)))


@settings(max_examples=60, deadline=None)
@given(small_steps, small_tokens, seeds)
def test_the_alignment_is_the_most_probable_path(steps, tokens, seed):
    log_probs = random_log_probs(steps, seed)
    paths = paths_of(tokens, steps)
    if not paths or not tokens:
        return
    best = max(paths, key=lambda path: path_log_prob(log_probs, path))
    spans = align(log_probs, tokens)
    path = [BLANK] * steps
    for span in spans:
        path[span.start_step : span.end_step] = [span.token] * (span.end_step - span.start_step)
        steps_of_span = range(span.start_step, span.end_step)
        mean = sum(log_probs[s, span.token].item() for s in steps_of_span) / len(steps_of_span)
        assert span.log_prob == pytest.approx(mean, rel=1e-5)
    assert [span.token for span in spans] == tokens
    assert tuple(path) == best


def test_no_tokens_align_to_nothing():
    assert align(random_log_probs(3, seed=7), []) == []
    assert align(torch.zeros(0, VOCAB), []) == []


def test_too_few_steps_for_the_tokens_is_an_error_with_both_numbers():
    with pytest.raises(DecoderError, match=r"2 tokens need at least 3 steps.* have 2"):
        align(random_log_probs(2, seed=8), [1, 1])


def test_the_alignment_spells_the_tokens_even_where_they_are_impossible():
    log_probs = torch.full((4, VOCAB), -math.inf)
    log_probs[:, BLANK] = 0.0
    spans = align(log_probs, [1, 2])
    assert [span.token for span in spans] == [1, 2]
    assert [span.log_prob for span in spans] == [-math.inf, -math.inf]
