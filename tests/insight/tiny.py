"""A recogniser small enough to look into: random weights, and text in whatever it hears."""

from __future__ import annotations

from pathlib import Path

import torch

from asr.audio.features import FeatureConfig, LogMel
from asr.checkpoint import Checkpoint
from asr.decoding import BeamConfig, GreedyDecoder, PhoneBeamDecoder
from asr.insight.explain import Clip, explain
from asr.lexicon import Lexicon
from asr.models import BiLSTMConfig, build_model
from asr.recognizer import Recognizer
from asr.tokenizer import Tokenizer

from ..training.tones import SAMPLE_RATE, speak

VOCABULARY = ("<blank>", "|", "a", "b", "c")
PHONES = ("<blank>", "|", "AA", "B")
LEXICON = Lexicon({"abc": [("AA", "B")], "cab": [("B", "AA"), ("B", "AA", "B")]})
N_MELS = 16


def tiny_model(seed=0, phones=False, **config):
    """A network in evaluation mode that is seldom sure of a blank."""
    torch.manual_seed(seed)
    if phones:
        config.setdefault("phone_layer", 1)
    sizes = {"layers": 2, "hidden": 6, "conv_channels": 2, "dropout": 0.1}
    num_phones = len(PHONES) if phones else 0
    model = build_model(BiLSTMConfig(**(sizes | config)), N_MELS, len(VOCABULARY), num_phones)
    with torch.no_grad():
        model.output.weight.mul_(8)
        if model.phones:
            torch.nn.init.normal_(model.phones.feedback.weight)
    return model.eval()


def tiny_recognizer(seed=0, phones=False, decoder=None, **config):
    model = tiny_model(seed, phones, **config)
    checkpoint = Checkpoint(
        model=model,
        front_end=LogMel(FeatureConfig(n_mels=N_MELS)),
        tokenizer=Tokenizer(VOCABULARY),
        phones=Tokenizer(PHONES) if phones else None,
        provenance={},
        content_hash="0" * 64,
        path=Path("tiny.safetensors"),
    )
    return Recognizer(checkpoint, decoder or GreedyDecoder(checkpoint.tokenizer))


def phone_decoder(lexicon=LEXICON, **config):
    """A search over phones that would rather write words than not."""
    options = BeamConfig(**({"word_score": 3.0, "letter_weight": 0.0} | config))
    return PhoneBeamDecoder(Tokenizer(VOCABULARY), Tokenizer(PHONES), lexicon, options)


def clip_of(text="abc cab"):
    return Clip("tones.wav", speak(text), SAMPLE_RATE)


def explained(seed=0, phones=False, text="abc cab", config=(), decoder=None, **options):
    """A recogniser, and what it did with some tones."""
    recognizer = tiny_recognizer(seed, phones, decoder, **dict(config))
    return recognizer, explain(recognizer, clip_of(text), **options)
