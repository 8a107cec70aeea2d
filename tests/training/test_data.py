"""From manifests to batches: what is left out is named, and every process gets its share."""

from __future__ import annotations

import json
import lzma

import numpy as np
import pytest
import soundfile
import torch

from asr.audio.augment import AugmentConfig
from asr.audio.features import LogMel
from asr.errors import AudioError, DecoderError, ManifestError, TrainingError
from asr.lexicon import PHONES
from asr.tokenizer import Tokenizer
from asr.training.config import ConsistencyConfig
from asr.training.data import (
    epoch_batches,
    load_corpus,
    load_noises,
    make_dataset,
    make_loader,
    measure_statistics,
)

from .tones import SAMPLE_RATE, TEXTS, VOCABULARY, duration_of, tiny_config

TOKENIZER = Tokenizer(VOCABULARY)


def corpus_of(config, **options):
    return load_corpus(config.data.train, config, TOKENIZER, **options)


def test_texts_are_normalised_and_lengths_are_those_of_the_recordings(tmp_path):
    corpus = corpus_of(tiny_config(tmp_path, ["A-b!", "Cc"]))
    assert corpus.texts == ["a b", "cc"]
    assert corpus.tokens == [[2, 1, 3], [4, 4]]
    assert corpus.durations == pytest.approx([duration_of("A-b!"), duration_of("Cc")])
    assert corpus.hours == pytest.approx(sum(corpus.durations) / 3600)
    assert corpus.skipped == {}


def test_what_cannot_be_used_is_left_out_by_name_with_the_reason(tmp_path):
    config = tiny_config(tmp_path, ["ab", "xyz", "", "a", "cab", "bb", "c"])
    speech = tmp_path / "speech"
    (speech / "u4.wav").write_text("no sound")
    soundfile.write(speech / "u5.wav", np.zeros(4800), SAMPLE_RATE)  # 0.3 s, 28 frames, 7 steps
    lines = [json.loads(line) for line in (speech / "manifest.jsonl").read_text().splitlines()]
    lines[5]["text"] = "bbbbb"  # five and four blanks between them
    lines[6]["audio_filepath"] = "gone.wav"
    (speech / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    corpus = corpus_of(config)
    assert [u.id for u in corpus.utterances] == ["u0"]
    np.testing.assert_allclose(
        corpus.waveforms[0],
        soundfile.read(speech / "u0.wav", dtype="float32")[0],
        atol=1 / 32768,
    )
    assert "'x' is not in the vocabulary" in corpus.skipped["u1"]
    assert corpus.skipped["u2"].endswith("u2.wav: no samples; needed a recording with sound")
    assert corpus.skipped["u3"] == "0.20 s long"
    assert f"{speech / 'u4.wav'}: not a recording" in corpus.skipped["u4"]
    assert corpus.skipped["u5"] == "5 tokens do not fit into 7 steps"
    assert f"{speech / 'gone.wav'}: no such file" in corpus.skipped["u6"]
    assert corpus_of(config).skipped == corpus.skipped  # from the cache, too
    lines = list(corpus.describe())
    assert lines[0] == f"skipped u1: {corpus.skipped['u1']}"
    assert len(lines) == 6
    assert lines[5].startswith("1 utterances, 0.00 h, 6 skipped")


def test_a_corpus_of_which_nothing_is_left_is_an_error_with_one_reason(tmp_path):
    with pytest.raises(TrainingError, match=r"no usable utterance in 1 manifests: u0: .* 'x'"):
        corpus_of(tiny_config(tmp_path, ["xyz"]))


def test_a_broken_manifest_is_an_error(tmp_path):
    config = tiny_config(tmp_path)
    config.data.train[0].write_text('{"audio_filepath": "u0.wav", "text": "a"}\n{broken\n')
    with pytest.raises(ManifestError, match="line 2"):
        corpus_of(config)


def test_a_few_of_many_are_spread_evenly(tmp_path):
    corpus = corpus_of(tiny_config(tmp_path, ["ab"] * 9), most=3)
    assert [u.id for u in corpus.utterances] == ["u0", "u3", "u6"]


def test_statistics_are_numpys_over_all_frames(tmp_path):
    config = tiny_config(tmp_path)
    corpus, front_end = corpus_of(config), LogMel(config.features)
    rows = np.concatenate(
        [front_end.log_mel(torch.from_numpy(corpus.waveforms[i])).numpy() for i in range(6)]
    ).astype(np.float64)
    measure_statistics(corpus, front_end)
    np.testing.assert_allclose(front_end.mean, rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(front_end.std, rows.std(0), rtol=1e-4)


def test_noise_is_read_whole_and_a_file_without_sound_is_an_error_by_name(tmp_path):
    soundfile.write(tmp_path / "n.wav", np.full(100, 0.5), SAMPLE_RATE)
    (tmp_path / "m.jsonl").write_text('{"audio_filepath": "n.wav"}')
    assert load_noises(None, SAMPLE_RATE) == []
    (noise,) = load_noises(tmp_path / "m.jsonl", SAMPLE_RATE)
    np.testing.assert_allclose(noise, np.full(100, 0.5), atol=1e-4)
    (tmp_path / "n.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"n\.wav"):
        load_noises(tmp_path / "m.jsonl", SAMPLE_RATE)


def test_only_training_examples_are_augmented(tmp_path):
    config = tiny_config(tmp_path).model_copy(update={"augment": AugmentConfig()})
    corpus, front_end = corpus_of(config), LogMel(config.features)
    training = make_dataset(corpus, config, front_end, training=True)
    plain = make_dataset(corpus, config, front_end, training=False)
    assert not torch.equal(training[0, (2,)].features, training[1, (2,)].features)
    expected = front_end(torch.from_numpy(corpus.waveforms[2]))
    assert torch.equal(plain[0, (2,)].features, expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("suffix", ["", ".xz"])
def test_phones_are_the_lexicons_and_utterances_with_an_unknown_word_have_none(
    tmp_path, training, suffix
):
    config = tiny_config(tmp_path, phones=True)
    lexicon = config.data.lexicon.read_bytes()
    path = tmp_path / f"packed{suffix}"
    path.write_bytes(lzma.compress(lexicon) if suffix else lexicon)
    data = config.data.model_copy(update={"lexicon": path})
    config = config.model_copy(update={"data": data})
    dataset = make_dataset(corpus_of(config), config, LogMel(config.features), training=training)
    assert TEXTS[2:4] == ("bca ab", "a cc b")
    spoken = [[PHONES[i] for i in dataset[0, (n,)].phones.tolist()] for n in range(6)]
    assert spoken == [
        ["AA", "B", "K"],
        ["K", "AA", "B"],
        ["B", "K", "AA", "|", "AA", "B"],
        [],
        ["B", "B"],
        ["K", "|", "AA", "|", "K"],
    ]


def test_without_a_lexicon_there_are_no_phones_and_a_broken_one_is_an_error(tmp_path):
    config = tiny_config(tmp_path)
    corpus, front_end = corpus_of(config), LogMel(config.features)
    assert len(make_dataset(corpus, config, front_end, training=True)[0, (0,)].phones) == 0
    config = tiny_config(tmp_path, phones=True)
    config.data.lexicon.write_text("abc AA B K\nab A B\n")
    with pytest.raises(DecoderError, match="line 2"):
        make_dataset(corpus, config, front_end, training=True)


def test_joined_texts_read_as_one_text(tmp_path):
    config = tiny_config(tmp_path, phones=True)
    dataset = make_dataset(corpus_of(config), config, LogMel(config.features), training=True)
    example = dataset[0, (4, 2)]
    assert TOKENIZER.decode(example.tokens.tolist()) == "bb bca ab"
    spoken = [PHONES[i] for i in example.phones.tolist()]
    assert spoken == ["B", "B", "|", "B", "K", "AA", "|", "AA", "B"]


@pytest.mark.parametrize("join_probability", [0.0, 0.5])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_share_an_epoch_and_every_utterance_comes_once(
    tmp_path, world_size, join_probability
):
    config = tiny_config(tmp_path, batch_s=2.5, join_probability=join_probability)
    corpus = corpus_of(config)
    for epoch in range(4):
        shares = [
            epoch_batches(corpus, config, epoch, rank, world_size) for rank in range(world_size)
        ]
        assert len({len(share) for share in shares}) == 1
        seen = sorted(i for share in shares for batch in share for key in batch for i in key)
        assert seen == list(range(len(TEXTS)))


def test_utterances_are_joined_up_to_the_limit_and_a_batch_counts_the_length_of_the_pair(tmp_path):
    config = tiny_config(tmp_path, join_probability=1.0, batch_s=3.0)
    data = config.data.model_copy(update={"join_max_s": 1.7})
    config = config.model_copy(update={"data": data})
    corpus, seen = corpus_of(config), set()
    for epoch in range(20):
        for batch in epoch_batches(corpus, config, epoch):
            lengths = [sum(corpus.durations[i] for i in key) for key in batch]
            assert len(batch) * max(lengths) <= 3.0
            assert all(
                len(key) == 1 or length <= 1.7 for key, length in zip(batch, lengths, strict=True)
            )
            seen.update(batch)
    assert {len(key) for key in seen} == {1, 2}
    # The two of 1.2 s never fit together; "bb", of 0.4 s, fits any other.
    assert not {(2, 3), (3, 2)} & seen
    assert {frozenset(key) for key in seen if 4 in key and len(key) == 2} == {
        frozenset({4, other}) for other in (0, 1, 2, 3, 5)
    }


def test_a_recording_in_two_views_takes_twice_its_length_of_a_batch(tmp_path):
    config = tiny_config(tmp_path, batch_s=2.6)
    twice = config.model_copy(update={"consistency": ConsistencyConfig(weight=0.2)})
    corpus = corpus_of(config)
    assert epoch_batches(corpus, twice, 0) == epoch_batches(
        corpus, tiny_config(tmp_path, batch_s=1.3), 0
    )
    batches = epoch_batches(corpus, twice, 0)
    shown = make_dataset(corpus, twice, LogMel(twice.features), training=True)
    (batch,) = make_loader(shown, batches[:1], 0, 0)
    assert batch.views == 2
    assert len(batch.features) == 2 * len(batches[0])
    validated = make_dataset(corpus, twice, LogMel(twice.features), training=False)
    (batch,) = make_loader(validated, batches[:1], 0, 0)
    assert (batch.views, len(batch.features)) == (1, len(batches[0]))


def test_every_epoch_joins_others(tmp_path):
    config = tiny_config(tmp_path, join_probability=1.0)
    corpus = corpus_of(config)
    epochs = [epoch_batches(corpus, config, epoch) for epoch in (0, 1, 2, 0)]
    pairs = [sorted(key for batch in epoch for key in batch) for epoch in epochs]
    assert pairs[0] == pairs[3]
    assert len({str(keys) for keys in pairs}) == 3


def test_a_process_too_many_for_a_batch_of_its_own_repeats_one(tmp_path):
    config = tiny_config(tmp_path, ["ab", "abc", "c a c"])
    corpus = corpus_of(config)
    shares = [epoch_batches(corpus, config, 0, rank, 4) for rank in range(4)]
    assert [len(share) for share in shares] == [1, 1, 1, 1]
    assert {key for share in shares for batch in share for key in batch} == {(0,), (1,), (2,)}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_keeps_the_order_it_is_given(tmp_path, workers):
    config = tiny_config(tmp_path)
    dataset = make_dataset(corpus_of(config), config, LogMel(config.features), training=True)
    order = [[(3,), (1, 2)], [(0,)], [(5,), (2, 0), (4,)]]
    loader = make_loader(dataset, order, 0, workers)
    assert [list(batch.indices) for batch in loader] == order


def test_a_lexicon_that_knows_the_words_of_no_utterance_is_an_error(tmp_path):
    config = tiny_config(tmp_path, phones=True)
    config.data.lexicon.write_text("hello HH AH L OW\n")
    corpus, front_end = corpus_of(config), LogMel(config.features)
    with pytest.raises(TrainingError, match="words of none of the 6 utterances") as caught:
        make_dataset(corpus, config, front_end, training=True)
    assert "asr lexicon build" in caught.value.hint
    validation = make_dataset(corpus, config, front_end, training=False)  # can do without
    assert len(validation[0, (0,)].phones) == 0
