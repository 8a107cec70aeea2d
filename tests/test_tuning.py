import math

import pytest
import torch

from asr.audio.features import FeatureConfig, LogMel
from asr.checkpoint import load_checkpoint, save_checkpoint
from asr.decoding import (
    BeamConfig,
    BeamDecoder,
    GreedyDecoder,
    PhoneBeamDecoder,
    WordPieceDecoder,
)
from asr.decoding.posteriors import word_posteriors
from asr.lexicon import Lexicon
from asr.models import BiLSTMConfig, build_model
from asr.recognizer import Recognizer
from asr.tokenizer import Tokenizer
from asr.tuning import compute_emissions, tune, tune_confidence, tune_greedy_confidence
from asr.types import BestPath, Emissions, Utterance

TOKENIZER = Tokenizer(("<blank>", "|", "a", "b", "d", "e"))
# "bad" sounds a little more like what was said than "bed"; only the language model knows better.
UNIGRAMS = (("<unk>", -9.0), ("<s>", -9.0), ("</s>", -0.4), ("bad", -3.0), ("bed", -0.3))
BIGRAMS = (("<s> bed", -0.1), ("bed </s>", -0.1))
ARPA = "\n".join(
    [
        "\\data\\",
        f"ngram 1={len(UNIGRAMS)}",
        f"ngram 2={len(BIGRAMS)}",
        "",
        "\\1-grams:",
        *(f"{log10}\t{word}\t0.0" for word, log10 in UNIGRAMS),
        "",
        "\\2-grams:",
        *(f"{log10}\t{words}" for words, log10 in BIGRAMS),
        "",
        "\\end\\",
        "",
    ]
)


@pytest.fixture
def recognizer(tmp_path):
    front_end = LogMel(FeatureConfig())
    model = build_model(BiLSTMConfig(layers=1, hidden=4), 80, len(TOKENIZER))
    save_checkpoint(tmp_path / "model.safetensors", model, front_end, TOKENIZER, {})
    return Recognizer(load_checkpoint(tmp_path / "model.safetensors"), GreedyDecoder(TOKENIZER))


def spelled(*steps):
    """Emissions from one {token: probability} a step; the rest goes to the blank."""
    rows = torch.full((len(steps), 6), 1e-6)
    for row, step in zip(rows, steps, strict=True):
        for token, probability in step.items():
            row[token] = probability
        row[0] = 1 - sum(step.values()) if sum(step.values()) < 1 else 1e-6
    return Emissions((rows / rows.sum(1, keepdim=True)).log(), 0.04)


def test_a_language_model_that_knows_better_is_given_weight(tmp_path):
    lm = tmp_path / "tiny.arpa"
    lm.write_text(ARPA)
    # Acoustically bad beats bed by ln(0.65 / 0.35) = 0.62; bed is likelier by far as a word.
    heard = spelled({3: 0.99}, {2: 0.65, 5: 0.35}, {4: 0.99})
    trials = []
    decoder = BeamDecoder(TOKENIZER, BeamConfig(lm_weight=0.1), lm, ["bad", "bed"])
    best = tune(decoder, [heard], ["bed"], trials.append)
    assert best.wer == 0.0
    gain = best.config.lm_weight * (3.0 + 0.4 - 0.1 - 0.1) * math.log(10)
    assert gain > math.log(0.65 / 0.35)
    assert best.wer == min(trial.wer for trial in trials)
    settings = {(t.config.lm_weight, t.config.word_score, t.config.letter_weight) for t in trials}
    assert len(settings) == len(trials)
    assert {t.config.letter_weight for t in trials} == {0.5}  # there are no phones to weigh


def test_where_phones_are_searched_the_weight_of_the_letters_is_tuned_too():
    phones = Tokenizer(("<blank>", "|", "B", "AE", "D"))
    lexicon = Lexicon({"bad": [("B", "AE", "D")], "bed": [("B", "AE", "D")]})
    rows = torch.full((3, 5), 0.0025)
    rows[range(3), [2, 3, 4]] = 0.99
    letters = spelled({3: 0.99}, {5: 0.65, 2: 0.35}, {4: 0.99})
    heard = Emissions(letters.log_probs, 0.04, rows.log())
    deaf = BeamConfig(letter_weight=0.0, lm_weight=0.0)
    decoder = PhoneBeamDecoder(TOKENIZER, phones, lexicon, deaf)
    trials = []
    best = tune(decoder, [heard], ["bed"], trials.append)
    assert best.wer == 0.0
    assert len({t.config.letter_weight for t in trials}) > 1


class Opinion:
    """A language model that knows one word."""

    def score_words(self, sentences):
        words = (word for sentence in sentences for word in (*sentence, ""))
        return torch.tensor([{"bed": -0.1, "": 0.0}.get(word, -20.0) for word in words])


def test_an_lstm_language_model_that_knows_better_is_given_a_larger_share(tmp_path):
    lm = tmp_path / "tiny.arpa"
    swapped = ARPA.replace("bad", "?").replace("bed", "bad").replace("?", "bed")
    lm.write_text(swapped.replace("-3.0", "-0.3"))
    # Acoustically bad beats bed by 0.16. Both models together prefer bed by 0.33 where they have
    # equal shares and by 1.06 where the LSTM has 0.7; a fifth of that counts.
    heard = spelled({3: 0.99}, {2: 0.54, 5: 0.46}, {4: 0.99})
    config = BeamConfig(lm_weight=0.2, lstm_share=0.5)
    trials = []
    decoder = BeamDecoder(TOKENIZER, config, lm, ["bad", "bed"], Opinion())
    best = tune(decoder, [heard], ["bed"], trials.append)
    assert trials[0].wer == 1.0
    assert best.wer == 0.0
    assert best.config.lstm_share > 0.5
    assert all(0 <= t.config.lstm_share <= 1 for t in trials)
    without = BeamDecoder(TOKENIZER, config, lm, ["bad", "bed"])
    trials.clear()
    tune(without, [heard], ["bed"], trials.append)
    assert {t.config.lstm_share for t in trials} == {0.5}


def test_no_weight_but_the_word_score_becomes_negative(tmp_path):
    lm = tmp_path / "tiny.arpa"
    lm.write_text(ARPA)
    decoder = BeamDecoder(TOKENIZER, BeamConfig(lm_weight=0.1), lm, ["bad", "bed"])
    trials = []
    tune(decoder, [spelled({3: 0.99}, {2: 0.99}, {4: 0.99})], ["bad"], trials.append)
    assert min(t.config.lm_weight for t in trials) == 0.0
    assert min(t.config.word_score for t in trials) < 0


def test_emissions_come_in_the_order_of_the_utterances(recognizer, tmp_path):
    import numpy as np
    import soundfile

    utterances = []
    for seconds in (1, 2):
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, np.zeros(16000 * seconds), 16000)
        utterances.append(Utterance(str(seconds), path, ""))
    done = []
    emissions = compute_emissions(recognizer, utterances, done.append)
    # 1 + (16000 - 400) // 160 = 98 frames make 25 steps; two seconds make 198 frames, 50 steps.
    assert [len(one.log_probs) for one in emissions] == [25, 50]
    assert done == [1, 2]


def test_the_scale_of_confidences_is_the_one_at_which_doubts_come_true():
    """Of ten clips in which two words are as likely as two to one, half are the less likely one."""
    decoder = BeamDecoder(TOKENIZER, BeamConfig(beam_size=100), words=["bad", "bed"])
    heard = spelled({3: 0.99}, {2: 2 / 3, 5: 1 / 3}, {4: 0.99})
    trusting, doubting = (
        tune_confidence(decoder, [heard] * 9, ["bad"] * right + ["bed"] * (9 - right))
        for right in (6, 5)
    )
    expected = {6: 6 / 9, 5: 5 / 9}
    for found, right in ((trusting, 6), (doubting, 5)):
        share = word_posteriors([["bad"], ["bed"]], [math.log(2), 0], found["confidence_scale"])[0]
        assert found["confidence_ceiling"] * share == pytest.approx(expected[right], abs=0.03)


@pytest.mark.parametrize("reference", ["bad", "dab"])
def test_where_all_words_are_right_or_wrong_confidences_stay_as_they_are(reference):
    present = {"confidence_scale": 0.7, "confidence_ceiling": 0.9}
    config = BeamConfig(beam_size=100, **present)
    decoder = BeamDecoder(TOKENIZER, config, words=["bad", "bed"])
    heard = spelled({3: 0.99}, {2: 2 / 3, 5: 1 / 3}, {4: 0.99})
    assert tune_confidence(decoder, [heard], [reference]) == present


def test_a_word_of_punctuation_alone_is_judged_too():
    words = Tokenizer([*TOKENIZER.vocabulary, "'", "bad"])
    path = BestPath(torch.tensor([7, 1, 6, 0]), torch.tensor([0.6, 0.9, 0.8, 0.9]).log())
    letters = Tokenizer([*TOKENIZER.vocabulary, "'"])
    rows = torch.randn(9, len(letters), generator=torch.Generator().manual_seed(1))
    heard = Emissions(rows.log_softmax(-1), 0.04, None, path)
    found = tune_greedy_confidence(WordPieceDecoder(letters, words), [heard], ["bad"])
    assert found["confidence_scale"] > 0


def test_greedy_confidences_are_scaled_until_they_come_true():
    """A word that the network gives 0.8 is right in half of ten clips, one of 0.99 always."""
    words = Tokenizer([*TOKENIZER.vocabulary, "bad", "bed"])
    heard = []
    for belief in (0.8, 0.99):
        path = BestPath(torch.tensor([0, 6, 0]), torch.tensor([0.99, belief, 0.99]).log())
        letters = spelled({3: 0.99}, {2: 0.99}, {4: 0.99})
        heard.append(Emissions(letters.log_probs, 0.04, None, path))
    references = ["bad"] * 5 + ["bed"] * 5 + ["bad"] * 10
    decoder = WordPieceDecoder(TOKENIZER, words)
    found = tune_greedy_confidence(decoder, [heard[0]] * 10 + [heard[1]] * 10, references)
    scale, ceiling = found["confidence_scale"], found["confidence_ceiling"]
    assert ceiling * 0.8**scale == pytest.approx(0.5, abs=0.05)
    assert ceiling * 0.99**scale > 0.95


def test_candidates_are_the_texts_that_decode_gives_in_its_order(tmp_path):
    lm = tmp_path / "tiny.arpa"
    lm.write_text(ARPA)
    heard = spelled({3: 0.99}, {2: 0.65, 5: 0.35}, {4: 0.99})
    phones = Tokenizer(("<blank>", "|", "B", "AE", "EH", "D"))
    lexicon = Lexicon({"bad": [("B", "AE", "D")], "bed": [("B", "EH", "D")]})
    config = BeamConfig(beam_size=50, lm_weight=0.2, letter_weight=0.5)
    for decoder, emissions in (
        (BeamDecoder(TOKENIZER, config, lm, ["bad", "bed"], Opinion()), heard),
        (
            PhoneBeamDecoder(TOKENIZER, phones, lexicon, config, lm, ["bad", "bed"], Opinion()),
            Emissions(
                heard.log_probs, 0.04, spelled({2: 0.9}, {3: 0.6, 4: 0.4}, {5: 0.9}).log_probs
            ),
        ),
    ):
        decoded = decoder.decode(emissions, num_best=config.candidates)
        expected = [(TOKENIZER.decode(one.tokens), one.score) for one in decoded]
        found = decoder.candidates(emissions)
        assert [" ".join(words) for words, _ in found] == [text for text, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected])
        assert len(found) > 1


def test_pieces_without_room_for_their_letters_are_left_out_of_the_fit():
    """They are spelled from the letters, without a belief in each word."""
    words = Tokenizer([*TOKENIZER.vocabulary, "badbed"])
    sure = torch.full((3,), 0.9).log()
    short = Emissions(
        spelled({3: 0.99}, {2: 0.99}, {4: 0.99}).log_probs,
        0.04,
        None,
        BestPath(torch.tensor([0, 6, 0]), sure),
    )
    plain = Emissions(short.log_probs, 0.04, None, BestPath(torch.tensor([3, 2, 4]), sure))
    decoder = WordPieceDecoder(TOKENIZER, words)
    assert decoder.decode(short)[0].confidences == ()
    references = ["bad", "dab"]
    found = tune_greedy_confidence(decoder, [short, plain, plain], ["x", *references])
    assert found == tune_greedy_confidence(decoder, [plain, plain], references)
