"""From a configuration's manifests to loaders of batches."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader

from asr.audio.augment import WaveformAugmenter
from asr.audio.features import LogMel, feature_statistics
from asr.audio.files import read_audio
from asr.ctc import is_feasible
from asr.data.batches import bucket_batches, join_neighbours
from asr.data.cache import WaveformCache
from asr.data.dataset import Batch, SpeechDataset, collate
from asr.data.manifest import read_manifest
from asr.data.teacher import TeacherCache
from asr.errors import TokenizerError, TrainingError
from asr.lexicon import PHONES, read_lexicon
from asr.models.subsampling import Subsampling
from asr.text import normalise_target
from asr.tokenizer import Tokenizer
from asr.training.config import RunConfig
from asr.types import Utterance
from asr.word_pieces import open_word_pieces

__all__ = [
    "Corpus",
    "epoch_batches",
    "load_corpus",
    "load_noises",
    "make_dataset",
    "make_loader",
    "measure_statistics",
]

Progress = Callable[[int, int], None]


_MOST_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Corpus:
    """Usable utterances with their tokens and waveforms.

    Attributes:
        utterances: Those that can be trained on.
        texts: Normalised references.
        tokens: Their ids.
        durations: Seconds, as decoded.
        waveforms: By the same positions.
        skipped: Utterance id to the reason why it is not used.
    """

    utterances: list[Utterance]
    texts: list[str]
    tokens: list[list[int]]
    durations: list[float]
    waveforms: WaveformCache
    skipped: dict[str, str]

    @property
    def hours(self) -> float:
        """Length of all usable recordings."""
        return sum(self.durations) / 3600

    def describe(self) -> Iterator[str]:
        """A line for the first few that are left out, and one for all."""
        for name, reason in itertools.islice(self.skipped.items(), _MOST_SHOWN):
            yield f"skipped {name}: {reason}"
        yield f"{len(self.utterances)} utterances, {self.hours:.2f} h, {len(self.skipped)} skipped"

    def digest(self) -> str:
        """Differs where the utterances, their texts or lengths do."""
        digest = hashlib.sha256()
        for position, (utterance, text) in enumerate(zip(self.utterances, self.texts, strict=True)):
            size = self.waveforms.num_samples(position)
            digest.update(f"{utterance.id}\t{size}\t{text}\n".encode())
        return digest.hexdigest()[:16]


def load_corpus(
    manifests: Sequence[Path],
    config: RunConfig,
    tokenizer: Tokenizer,
    most: int | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Read manifests, decode what they name, and set aside by name what cannot be used.

    Args:
        manifests: JSON-lines files.
        config: Limits on durations, and where to cache waveforms.
        tokenizer: Of the model to be trained.
        most: Take this many utterances at the most, evenly spread.
        progress: Called with (done, total) while decoding.

    Raises:
        ManifestError: A manifest is broken.
        TrainingError: Nothing usable is left.
    """
    utterances = [u for path in manifests for u in read_manifest(path, need_text=True)]
    if most is not None and len(utterances) > most:
        utterances = [utterances[i * len(utterances) // most] for i in range(most)]
    rate = config.features.sample_rate
    waveforms = WaveformCache.build(utterances, config.data.cache_dir, rate, progress)
    kept: list[int] = []
    tokens: list[list[int]] = []
    skipped: dict[str, str] = {}
    for index, utterance in enumerate(utterances):
        try:
            ids = tokenizer.encode(normalise_target(utterance.text))
        except TokenizerError as error:
            skipped[utterance.id] = str(error)
            continue
        problem = waveforms.problems[index]
        if reason := problem or _reason_to_skip(waveforms.num_samples(index), ids, config):
            skipped[utterance.id] = reason
            continue
        kept.append(index)
        tokens.append(ids)
    if not kept:
        first = next(iter(skipped.items()), ("", "the manifests are empty"))
        raise TrainingError(
            f"no usable utterance in {len(manifests)} manifests: {': '.join(first)}"
        )
    return Corpus(
        utterances=[utterances[i] for i in kept],
        texts=[tokenizer.decode(ids) for ids in tokens],
        tokens=tokens,
        durations=[waveforms.num_samples(i) / rate for i in kept],
        waveforms=waveforms.subset(kept),
        skipped=skipped,
    )


def _reason_to_skip(num_samples: int, tokens: list[int], config: RunConfig) -> str:
    """Why an utterance cannot be trained on, or an empty string."""
    duration = num_samples / config.features.sample_rate
    if not config.data.min_duration_s <= duration <= config.data.max_duration_s:
        return f"{duration:.2f} s long"
    if not tokens:
        return "no text"
    steps = -(-config.features.num_frames(num_samples) // Subsampling.factor)
    if not is_feasible(tokens, steps):
        return f"{len(tokens)} tokens do not fit into {steps} steps"
    return ""


def load_noises(manifest: Path | None, sample_rate: int) -> list[npt.NDArray[np.float32]]:
    """The recordings of a noise manifest, all in memory."""
    if manifest is None:
        return []
    noises = [read_audio(u.audio, sample_rate).samples for u in read_manifest(manifest)]
    return [noise for noise in noises if len(noise)]


def measure_statistics(corpus: Corpus, front_end: LogMel, most: int = 1000) -> None:
    """Set the front end's mean and deviation from up to `most` evenly spread utterances."""
    stride = max(1, len(corpus.utterances) // most)
    features = [
        front_end.log_mel(torch.from_numpy(corpus.waveforms[i]))
        for i in range(0, len(corpus.utterances), stride)
    ]
    mean, std = feature_statistics(features)
    front_end.mean.copy_(mean)
    front_end.std.copy_(std)


def make_dataset(
    corpus: Corpus, config: RunConfig, front_end: LogMel, *, training: bool
) -> SpeechDataset:
    """The corpus as examples; only training ones are augmented and have a teacher."""
    separator_id = Tokenizer(config.vocabulary).separator_id
    phones, word_pieces = _phones(corpus, config), _word_pieces(corpus, config)
    if training and phones is not None and not any(phones):
        raise TrainingError(
            f"{config.data.lexicon}: has the words of none of the {len(phones)} utterances",
            "make a lexicon of the corpus's words with asr lexicon build",
        )
    if not training:
        return SpeechDataset(
            corpus.waveforms,
            corpus.tokens,
            front_end,
            separator_id=separator_id,
            phones=phones,
            word_pieces=word_pieces,
        )
    augmenter = None
    if config.augment:
        noises = load_noises(config.data.noise, config.features.sample_rate)
        augmenter = WaveformAugmenter(
            config.augment, config.features.sample_rate, noises, corpus.waveforms
        )
    teacher = None
    if config.teacher.directory:
        teacher = TeacherCache(config.teacher.directory, [u.id for u in corpus.utterances])
    return SpeechDataset(
        corpus.waveforms,
        corpus.tokens,
        front_end,
        separator_id=separator_id,
        phones=phones,
        word_pieces=word_pieces,
        augment=config.augment,
        augmenter=augmenter,
        teacher=teacher,
        step_samples=config.features.hop_length * Subsampling.factor,
        seed=config.train.seed,
        views=config.consistency.views,
    )


def _phones(corpus: Corpus, config: RunConfig) -> list[list[int]] | None:
    if config.data.lexicon is None:
        return None
    lexicon, phones = read_lexicon(config.data.lexicon), Tokenizer(PHONES)
    return [lexicon.tokens(text, phones) for text in corpus.texts]


def _word_pieces(corpus: Corpus, config: RunConfig) -> list[list[int]] | None:
    tokenizer = open_word_pieces(config.word_pieces.file)
    return None if tokenizer is None else [tokenizer.encode(text) for text in corpus.texts]


def make_loader(
    dataset: SpeechDataset, batches: Sequence[Sequence[tuple[int, ...]]], epoch: int, workers: int
) -> Iterator[Batch]:
    """Batches in the given order."""
    keys = [[(epoch, indices) for indices in batch] for batch in batches]
    loader = DataLoader(
        dataset,
        batch_sampler=keys,
        collate_fn=collate,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_one_thread,
    )
    return iter(loader)


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)


def epoch_batches(
    corpus: Corpus, config: RunConfig, epoch: int, rank: int = 0, world_size: int = 1
) -> list[list[tuple[int, ...]]]:
    """This process's batches of one epoch, of utterances joined to recordings.

    Every process gets the same number.

    Together they have every utterance once; only where there are too few utterances to give each
    process as many do some come twice.
    """
    seed = (config.train.seed, epoch)
    recordings = join_neighbours(
        corpus.durations, config.data.join_probability, config.data.join_max_s, seed
    )
    durations = [sum(corpus.durations[i] for i in indices) for indices in recordings]
    batch_s = config.train.batch_s / config.consistency.views
    groups = bucket_batches(durations, batch_s, seed, group=world_size)
    batches = [[recordings[i] for i in group] for group in groups]
    shared = -(-len(batches) // world_size) * world_size
    return [batches[i % len(batches)] for i in range(rank, shared, world_size)]
