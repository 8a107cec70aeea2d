"""The losses of a batch against torch's CTC by hand and arithmetic."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

import asr.training.objective
from asr.data.dataset import Example, collate
from asr.models import BiLSTMConfig, build_model
from asr.training.crf import log_partition, log_probability, trigram
from asr.training.objective import Objective, disagreement
from asr.training.splicing import Spliced

VOCAB, PHONES, MELS = 5, 7, 8


def make(phone_layer=None, num_word_pieces=0, **options):
    torch.manual_seed(0)
    config = BiLSTMConfig(layers=2, hidden=6, dropout=0.0, conv_channels=2, phone_layer=phone_layer)
    return Objective(build_model(config, MELS, VOCAB, PHONES, num_word_pieces), **options)


@pytest.fixture
def objective():
    return make(teacher_size=3, teacher_weight=0.5)


def example(index, frames, tokens, teacher=None, phones=()):
    torch.manual_seed(10 + index)
    features, spoken = torch.randn(frames, MELS), torch.tensor(phones, dtype=torch.int64)
    return Example((index,), features, torch.tensor(tokens), spoken, teacher)


def by_hand(objective, one, output="letters"):
    """One utterance's loss, alone, from torch."""
    outputs = objective.model(one.features[None], torch.tensor([len(one.features)]))
    targets = one.tokens if output == "letters" else one.phones
    return torch.nn.functional.ctc_loss(
        getattr(outputs, output).transpose(0, 1),
        targets[None],
        outputs.steps,
        torch.tensor([len(targets)]),
        reduction="sum",
    )


FITTING = [example(0, 40, [1, 2, 3]), example(1, 33, [4, 4]), example(2, 21, [2])]
# 8 frames are 2 steps; two equal tokens need 3.
TOO_LONG = example(3, 8, [1, 1])


def test_ctc_is_torchs_of_each_utterance_alone_divided_by_all_tokens(objective):
    losses = objective(collate(FITTING))
    expected = torch.stack([by_hand(objective, one) for one in FITTING])
    torch.testing.assert_close(losses.ctc, expected.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(losses.total, expected.sum() / 6, rtol=1e-5, atol=1e-5)
    assert losses.teacher == losses.phones == 0
    assert losses.steps.tolist() == [10, 9, 6]
    assert losses.log_probs.exp().sum(-1).allclose(torch.ones(3, 10))
    assert not losses.log_probs.requires_grad


def gradients(objective, examples):
    objective.zero_grad()
    objective(collate(examples)).total.backward()
    return [None if p.grad is None else p.grad.clone() for p in objective.parameters()]


def test_a_text_that_cannot_fit_has_infinite_loss_and_no_part_in_the_gradient(objective):
    losses = objective(collate([*FITTING, TOO_LONG]))
    assert losses.ctc.isinf().tolist() == [False, False, False, True]
    assert torch.isfinite(losses.total)
    with_it = gradients(objective, [*FITTING, TOO_LONG])
    without = gradients(objective, FITTING)
    for left, right in zip(with_it, without, strict=True):
        assert (left is None) == (right is None)
        if left is not None:
            torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)


def test_a_batch_in_which_nothing_fits_has_a_zero_gradient(objective):
    for gradient in gradients(objective, [TOO_LONG]):
        assert gradient is None or gradient.abs().max() == 0


def test_the_teacher_loss_is_the_mean_square_over_known_valid_steps(objective):
    torch.nn.init.zeros_(objective.teacher_head.weight)
    objective.teacher_head.bias.data = torch.tensor([1.0, 0.0, 0.0])
    # Differences per step: (1, -2, 0), squares 5; and (1, 0, -1), squares 2.
    first = torch.tensor([[0.0, 2.0, 0.0]]).repeat(10, 1)
    second = torch.tensor([[0.0, 0.0, 1.0]]).repeat(9, 1)
    batch = collate(
        [
            example(0, 40, [1, 2, 3], first),
            example(1, 33, [4, 4], second),
            example(2, 21, [2], torch.full((6, 3), torch.nan)),
        ]
    )
    losses = objective(batch)
    expected = (10 * 5 + 9 * 2) / (19 * 3)
    assert float(losses.teacher) == pytest.approx(expected, rel=1e-5)
    ctc = float(losses.ctc.sum()) / 6
    assert float(losses.total.detach()) == pytest.approx(ctc + 0.5 * expected, rel=1e-5)


def test_a_batch_that_the_teacher_does_not_know_has_no_teacher_loss_and_a_finite_gradient(
    objective,
):
    batch = collate([example(0, 40, [1, 2, 3], torch.full((10, 3), torch.nan))])
    losses = objective(batch)
    assert losses.teacher == 0
    losses.total.backward()
    assert all(torch.isfinite(p.grad).all() for p in objective.parameters())
    assert objective.teacher_head.weight.grad.abs().max() == 0


def test_a_teacher_with_more_steps_than_the_network_is_cut(objective):
    losses = objective(collate([example(0, 40, [1, 2, 3], torch.ones(12, 3))]))
    assert torch.isfinite(losses.teacher)


SPOKEN = [
    example(0, 40, [1, 2, 3], phones=[1, 1, 6]),
    example(1, 33, [4, 4], phones=[2]),
    example(2, 21, [2], phones=[5, 3, 5]),
]
UNKNOWN = example(3, 30, [1, 2])
# 12 frames are 3 steps, enough for two tokens; three equal phones need 5.
TOO_MANY = example(4, 12, [1, 2], phones=[3, 3, 3])


def test_phone_ctc_is_torchs_of_each_utterance_alone_divided_by_all_phones():
    objective = make(1, phone_weight=0.25)
    losses = objective(collate(SPOKEN))
    letters = sum(by_hand(objective, one) for one in SPOKEN) / 6
    phones = sum(by_hand(objective, one, "phones") for one in SPOKEN) / 7
    torch.testing.assert_close(losses.phones, phones.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(losses.total, letters + 0.25 * phones, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(losses.ctc.sum() / 6, letters.detach(), rtol=1e-5, atol=1e-5)
    assert not losses.phones.requires_grad


@pytest.mark.parametrize("left_out", [UNKNOWN, TOO_MANY], ids=["unknown", "too many"])
def test_phones_that_are_unknown_or_do_not_fit_have_no_part_in_their_loss(left_out):
    objective = make(1)
    losses = objective(collate([SPOKEN[0], left_out, *SPOKEN[1:]]))
    alone = objective(collate(SPOKEN))
    torch.testing.assert_close(losses.phones, alone.phones, rtol=1e-5, atol=1e-5)
    assert losses.ctc.isfinite().all()  # their letters are learnt all the same
    torch.testing.assert_close(losses.ctc[[0, 2, 3]], alone.ctc, rtol=1e-5, atol=1e-5)

    def phone_gradient(*examples):
        objective.zero_grad()
        objective(collate(examples)).total.backward()
        return objective.model.phones.output.weight.grad.clone()

    # The phone output's gradient is that of the known phones: letters do not reach it while its
    # feedback is zero, as it is in a new network.
    torch.testing.assert_close(
        phone_gradient(*SPOKEN, left_out), phone_gradient(*SPOKEN), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("batch", [[UNKNOWN], [UNKNOWN, TOO_MANY], [UNKNOWN, UNKNOWN]])
def test_a_batch_without_usable_phones_has_no_phone_loss_and_every_gradient(batch):
    objective = make(1)
    losses = objective(collate(batch))
    assert losses.phones == 0
    losses.total.backward()
    for name, parameter in objective.named_parameters():
        assert parameter.grad is not None, name  # which several processes wait for
        assert parameter.grad.isfinite().all(), name
    assert objective.model.phones.output.weight.grad.abs().max() == 0


def test_letters_that_do_not_fit_leave_the_phones_alone():
    objective = make(1)
    tight = example(5, 8, [1, 1], phones=[4])  # 2 steps
    losses = objective(collate([tight]))
    assert losses.ctc.isinf().all()
    expected = by_hand(objective, tight, "phones").detach()
    torch.testing.assert_close(losses.phones, expected, rtol=1e-5, atol=1e-5)


def test_a_network_without_a_phone_output_does_not_mind_phones():
    objective = make()
    with_phones, without = (
        objective(collate(batch))
        for batch in (SPOKEN, [replace(one, phones=one.phones[:0]) for one in SPOKEN])
    )
    assert with_phones.phones == 0
    assert with_phones.total == without.total


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_the_phones_loss_lies_between_ctc_and_the_random_field(weight):
    phone_model = trigram([[2, 3, 1, 4], [5, 6]], PHONES)
    examples = [example(0, 40, [1, 2], phones=[2, 3, 3]), example(1, 33, [4], phones=[5])]
    batch = collate(examples)
    mixed = make(phone_layer=1, crf_weight=weight, phone_model=phone_model)
    outputs = mixed.model(batch.features, batch.lengths)
    ctc = sum(by_hand(mixed, one, "phones") for one in examples) / 4
    others = log_partition(outputs.phones, outputs.steps, phone_model)
    known = log_probability(batch.phones, batch.phone_lengths, phone_model)
    expected = (1 - weight) * ctc + weight * (ctc + (others - known).sum() / 4)
    torch.testing.assert_close(mixed(batch).phones, expected.detach(), rtol=1e-4, atol=1e-4)


def test_a_recording_of_unknown_phones_has_no_part_in_the_random_field():
    phone_model = trigram([[2, 3, 1, 4], [5, 6]], PHONES)
    objective = make(phone_layer=1, crf_weight=1.0, phone_model=phone_model)
    known = example(0, 40, [1, 2], phones=[2, 3, 3])
    alone = objective(collate([known])).phones
    both = objective(collate([known, example(1, 33, [4])])).phones
    torch.testing.assert_close(both, alone, rtol=1e-4, atol=1e-4)


def test_sentences_without_recordings_have_ctc_over_what_the_top_layers_make_of_them():
    objective = make(phone_layer=1, text_weight=0.25).eval()
    torch.manual_seed(5)
    log_probs = torch.randn(2, 9, PHONES).log_softmax(-1)
    spliced = Spliced(
        heard=torch.randn(2, 9, 12),
        phones=log_probs,
        lengths=torch.tensor([9, 6]),
        targets=torch.tensor([[1, 2, 3], [4, 0, 0]]),
        target_lengths=torch.tensor([3, 1]),
        word_pieces=torch.zeros(2, 0, dtype=torch.int64),
        word_piece_lengths=torch.tensor([0, 0]),
    )
    batch = collate([example(0, 40, [1, 2], phones=[2, 3, 3])])
    letters = objective.model.letters_of(
        objective.model.spell(spliced.heard, spliced.phones, spliced.lengths)
    )
    expected = (
        torch.nn.functional.ctc_loss(
            letters.transpose(0, 1),
            spliced.targets,
            spliced.lengths,
            spliced.target_lengths,
            reduction="sum",
        )
        / 4
    )
    with_text, without = objective(batch, None, spliced), objective(batch)
    torch.testing.assert_close(with_text.text, expected.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(with_text.total - without.total, 0.25 * expected)
    assert without.text == 0


NAMED = [
    replace(example(0, 40, [1, 2, 3]), word_pieces=torch.tensor([6, 1, 8])),
    replace(example(1, 33, [4, 4]), word_pieces=torch.tensor([7])),
    replace(example(2, 21, [2]), word_pieces=torch.tensor([8, 8])),
]
# 8 frames are 2 steps; two equal pieces need 3.
TOO_MANY_PIECES = replace(example(3, 8, [1]), word_pieces=torch.tensor([8, 8]))


@pytest.mark.parametrize("at_once", [1, 200, 2**21], ids=["one by one", "some", "all"])
def test_word_piece_ctc_is_torchs_divided_by_all_pieces_however_many_at_once(monkeypatch, at_once):
    monkeypatch.setattr(asr.training.objective, "_AT_ONCE", at_once)
    objective = make(1, num_word_pieces=9, word_piece_weight=0.5, phone_weight=0)
    losses = objective(collate([*NAMED, TOO_MANY_PIECES]))
    pieces = 0
    for one in NAMED:
        outputs = objective.model(one.features[None], torch.tensor([len(one.features)]))
        log_probs = objective.model.word_pieces_of(outputs.states)
        lengths = outputs.steps, torch.tensor([len(one.word_pieces)])
        pieces += torch.nn.functional.ctc_loss(
            log_probs.transpose(0, 1), one.word_pieces[None], *lengths, reduction="sum"
        )
        best = log_probs[0].argmax(dim=-1)
        assert losses.best_pieces[one.indices[0], : len(best)].tolist() == best.tolist()
    letters = sum(by_hand(objective, one) for one in [*NAMED, TOO_MANY_PIECES]) / 7
    torch.testing.assert_close(losses.word_pieces, pieces.detach() / 6, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(losses.total, letters + 0.5 * pieces / 6, rtol=1e-5, atol=1e-5)
    losses.total.backward()
    assert all(torch.isfinite(p.grad).all() for p in objective.parameters() if p.grad is not None)
    assert objective.model.word_pieces.weight.grad.any()


def test_sentences_without_recordings_cost_their_word_pieces_too():
    objective = make(1, num_word_pieces=9, word_piece_weight=0.5)
    outputs = objective.model(NAMED[0].features[None], torch.tensor([40]))
    said = torch.tensor([[1, 2, 3]]), torch.tensor([3])
    named = torch.tensor([[6, 1, 8]]), torch.tensor([3])
    spliced = Spliced(outputs.encoded, outputs.phones, outputs.steps, *said, *named)
    alone = objective(collate(NAMED[:1]))
    losses = objective(collate(NAMED[:1]), None, spliced)
    # What was heard and said of it is the recording's own.
    expected = alone.ctc[0] / 3 + 0.5 * alone.word_pieces
    torch.testing.assert_close(losses.text, expected, rtol=1e-5, atol=1e-5)


def seen_twice(one, index):
    torch.manual_seed(20 + index)
    return replace(one, other_views=(torch.randn_like(one.features),))


SEEN_TWICE = [seen_twice(one, index) for index, one in enumerate(SPOKEN)]


def divergence(of, other, steps):
    """Kullback and Leibler's, of the first steps, summed in plain Python."""
    return sum(
        math.exp(b) * (b - a)
        for own, others in zip(of[:steps].tolist(), other[:steps].tolist(), strict=True)
        for a, b in zip(own, others, strict=True)
    )


def test_two_views_disagree_by_their_divergence_both_ways_per_token():
    objective = make(phone_layer=1, phone_weight=0.7, consistency_weight=0.3)
    objective.eval()
    batch = collate(SEEN_TWICE)
    outputs = objective.model(batch.features, batch.lengths)
    count = len(SEEN_TWICE)
    expected = 0.0
    for log_probs, lengths, weight in (
        (outputs.letters, batch.target_lengths, 1.0),
        (outputs.phones, batch.phone_lengths, 0.7),
    ):
        apart = sum(
            divergence(log_probs[i], log_probs[j], int(outputs.steps[i]))
            for left in range(count)
            for i, j in ((left, left + count), (left + count, left))
        )
        expected += weight * apart / int(lengths.sum())
    losses = objective(batch)
    assert expected > 0
    assert float(losses.disagreement) == pytest.approx(expected, rel=1e-4)
    without = make(phone_layer=1, phone_weight=0.7)(batch).total
    torch.testing.assert_close(losses.total, without + 0.3 * losses.disagreement)


def test_equal_views_agree_and_one_view_has_nothing_to_disagree_with():
    objective = make(phone_layer=1, consistency_weight=1.0)
    alike = [replace(one, other_views=(one.features,)) for one in SPOKEN]
    assert float(objective(collate(alike)).disagreement) == pytest.approx(0, abs=1e-6)
    assert objective(collate(SPOKEN)).disagreement == 0


def test_each_view_is_drawn_to_the_other_as_it_is():
    logits = torch.randn(2, 3, VOCAB, requires_grad=True)
    steps = torch.tensor([3, 3])
    apart = disagreement(logits.log_softmax(-1), steps, torch.tensor([2, 2]), 2)
    apart.backward()
    own = logits.detach().softmax(-1)
    # The gradient of a softmax's cross entropy, per token.
    torch.testing.assert_close(logits.grad, (own - own.flip(0)) / 4)
