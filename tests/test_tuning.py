import math

import pytest
import torch

from asr.audio.features import FeatureConfig, LogMel
from asr.checkpoint import load_checkpoint, save_checkpoint
from asr.decoding import GreedyDecoder
from asr.models import BiLSTMConfig, build_model
from asr.recognizer import Recognizer
from asr.tokenizer import Tokenizer
from asr.tuning import compute_emissions, tune
from asr.types import Emissions, Utterance

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
    tokenizer = Tokenizer(("<blank>", "|", "a", "b", "d", "e"))
    front_end = LogMel(FeatureConfig())
    model = build_model(BiLSTMConfig(layers=1, hidden=4), 80, len(tokenizer))
    save_checkpoint(tmp_path / "model.safetensors", model, front_end, tokenizer, {})
    return Recognizer(load_checkpoint(tmp_path / "model.safetensors"), GreedyDecoder())


def spelled(*steps):
    """Emissions from one {token: probability} a step; the rest goes to the blank."""
    rows = torch.full((len(steps), 6), 1e-6)
    for row, step in zip(rows, steps, strict=True):
        for token, probability in step.items():
            row[token] = probability
        row[0] = 1 - sum(step.values()) if sum(step.values()) < 1 else 1e-6
    return Emissions((rows / rows.sum(1, keepdim=True)).log(), 0.04)


def test_a_language_model_that_knows_better_is_given_weight(recognizer, tmp_path):
    lm = tmp_path / "tiny.arpa"
    lm.write_text(ARPA)
    # Acoustically bad beats bed by ln(0.65 / 0.35) = 0.62; bed is likelier by far as a word.
    heard = spelled({3: 0.99}, {2: 0.65, 5: 0.35}, {4: 0.99})
    trials = []
    best = tune(recognizer, lm, [heard], ["bed"], trials.append)
    assert best.wer == 0.0
    gain = best.config.lm_weight * (3.0 + 0.4 - 0.1 - 0.1) * math.log(10)
    assert gain > math.log(0.65 / 0.35)
    assert best.wer == min(trial.wer for trial in trials)
    settings = {(t.config.lm_weight, t.config.word_score) for t in trials}
    assert len(settings) == len(trials)


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
