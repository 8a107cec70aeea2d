from pathlib import Path

import pytest

from asr.decoding import DECODERS, BeamConfig, BeamDecoder, GreedyDecoder, make_decoder
from asr.errors import ConfigError

from .spelled import TOKENIZER, spelled, text


def test_decoders_are_made_by_name():
    assert isinstance(make_decoder("greedy", TOKENIZER), GreedyDecoder)
    config = BeamConfig(beam_size=7)
    beam = make_decoder("beam", TOKENIZER, lm=Path("a.lm"), words=["a"], config=config)
    assert isinstance(beam, BeamDecoder)
    assert (beam.config, beam.lm, beam.words) == (config, Path("a.lm"), ["a"])


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="no decoder 'bean'") as raised:
        make_decoder("bean", TOKENIZER)
    assert raised.value.hint == "there are: beam, greedy"


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_decoder_reads_clear_emissions_and_answers_silence_with_no_tokens(name):
    decoder = make_decoder(name, TOKENIZER)
    assert text(decoder.decode(spelled("-cca-tt-|-c-u-t-"))[0]) == "cat cut"
    assert decoder.decode(spelled("----"))[0].tokens == ()
