"""The configuration of a training run: every section with its defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from asr.audio.augment import AugmentConfig
from asr.audio.features import FeatureConfig
from asr.config import Config, Range
from asr.errors import ConfigError
from asr.models import BiLSTMConfig
from asr.tokenizer import ENGLISH, SEPARATOR
from asr.training.precision import Precision

__all__ = [
    "ChunkConfig",
    "ConsistencyConfig",
    "DataConfig",
    "OptimConfig",
    "PhoneConfig",
    "RunConfig",
    "TeacherConfig",
    "TextConfig",
    "UpdateConfig",
    "WordPieceConfig",
    "check_files",
]


class DataConfig(Config):
    """What is trained on and what is validated on."""

    train: tuple[Path, ...] = Field(min_length=1)
    """Manifests; paths are relative to the current folder."""
    valid: tuple[Path, ...] = Field(min_length=1)
    lexicon: Path | None = None
    """Pronunciations of the training words; needed by `model.phone_layer`."""
    noise: Path | None = None
    """A manifest of recordings without speech, for additive noise."""
    max_valid: int = Field(400, ge=1)
    """Utterances of the validation manifests used every epoch, evenly spread."""
    min_duration_s: float = Field(0.3, ge=0)
    max_duration_s: float = Field(25.0, gt=0)
    cache_dir: Path = Path("runs/cache")
    workers: int = Field(1, ge=0)
    join_probability: float = Field(0.2, ge=0, le=1)
    """Of an utterance to be heard together with another one, as one recording."""
    join_max_s: float = Field(16.0, ge=0)
    """Longest such pair."""

    @field_validator("train", "valid", mode="before")
    @classmethod
    def _one_is_several(cls, given: object) -> object:
        return [given] if isinstance(given, str | Path) else given


class TeacherConfig(Config):
    """Frame-level distillation; without a directory there is none."""

    directory: Path | None = None
    weight: float = Field(1.0, ge=0)


class PhoneConfig(Config):
    """The second CTC loss; it needs `model.phone_layer` and `data.lexicon`."""

    weight: float = Field(0.5, ge=0)
    crf: float = Field(0.9, ge=0, le=1)
    """How far the loss goes from CTC (0) to a random field over its paths (1)."""
    frozen: bool = False
    """Whether only the layers above the phone output are trained, those that spell."""


class ConsistencyConfig(Config):
    """Agreement of what is said of one recording in two views (CR-CTC, Yao et al. 2025)."""

    weight: float = Field(0.0, ge=0)
    """Of the disagreement, per token, beside the losses of letters and of phones; with 0 every
    recording is seen in one view. Above it a batch has half as many recordings, each twice."""

    @property
    def views(self) -> int:
        """Of each recording."""
        return 2 if self.weight else 1


class WordPieceConfig(Config):
    """The third CTC loss, of frequent words and pieces of the others; it needs phones too."""

    file: Path | None = None
    """A vocabulary, as `asr word-pieces build` makes it; None for no such output."""
    weight: float = Field(1.0, ge=0)


class TextConfig(Config):
    """Sentences without recordings for the layers above the phone output to spell.

    The pieces of speech in them are cut anew in every epoch, with the network as it is then.
    """

    file: Path | None = None
    """Plain or compressed text, a sentence a line; None for no such sentences."""
    letters: int = Field(3000, ge=1)
    """In every update, for each process, padding included."""
    recordings: int = Field(500, ge=1)
    """How many are cut to pieces, chosen anew in every epoch."""
    misheard: float = Field(0.0, ge=0, le=1)
    """Part of the sentences' phones that are spoken as others, so that spelling minds the rest."""
    weight: float = Field(1.0, ge=0)


class ChunkConfig(Config):
    """Updates in which the network sees what live recognition lets it see.

    Sizes are drawn anew for every update, so that one network serves every delay.
    """

    probability: float = Field(0.0, ge=0, le=1)
    """Of an update in chunks; the others see whole recordings."""
    core_s: Range = (0.24, 2.0)
    """New speech in a chunk."""
    look_ahead_s: Range = (0.16, 1.2)
    """Speech beyond it that the backward direction sees."""


class UpdateConfig(Config):
    """How weights are updated, of whatever network."""

    lr: float = Field(1e-3, gt=0)
    optimizer: Literal["muon", "adamw"] = "muon"
    """Of the recurrent layers' matrices; all others are AdamW's."""
    weight_decay: float = Field(1e-2, ge=0)
    warmup_steps: int = Field(400, ge=0)
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    clip_norm: float = Field(5.0, gt=0)
    precision: Precision = "auto"
    """bf16 is automatic mixed precision; auto takes it where the hardware has bfloat16."""
    ema_decay: float = Field(0.998, ge=0, lt=1)
    """Exponential moving average of the weights, which is what is evaluated; 0 turns it off."""
    save_every_s: float = Field(120.0, gt=0)
    seed: int = Field(1, ge=0, lt=2**31)
    """Added to that of the run whose model this one begins with, if it begins with one."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of each process; torch's choice if not set."""


class OptimConfig(UpdateConfig):
    """The optimisation of a recogniser."""

    epochs: int = Field(20, ge=1)
    batch_s: float = Field(160.0, gt=0)
    """Padded seconds of speech in a batch, for each process."""
    accumulate: int = Field(1, ge=1)
    """Batches to one update."""
    patience: int | None = Field(None, ge=1)
    """Epochs without a better validation WER before the run ends."""
    max_non_finite: int = Field(20, ge=1)
    """Updates in a row with a non-finite loss or gradient before the run ends."""


class RunConfig(Config):
    """All of it."""

    data: DataConfig
    init: Path | None = None
    """A model to train further (fine-tuning). Its features, vocabulary, phone layer and layer sizes
    must be these; layers and outputs on top may be missing or new, and layers may have more units
    now."""
    features: FeatureConfig = FeatureConfig()
    augment: AugmentConfig | None = AugmentConfig()
    model: BiLSTMConfig = BiLSTMConfig()
    vocabulary: tuple[str, ...] = ENGLISH
    teacher: TeacherConfig = TeacherConfig()
    phones: PhoneConfig = PhoneConfig()
    consistency: ConsistencyConfig = ConsistencyConfig()
    word_pieces: WordPieceConfig = WordPieceConfig()
    text: TextConfig = TextConfig()
    chunks: ChunkConfig = ChunkConfig()
    train: OptimConfig = OptimConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> RunConfig:
        """What would otherwise be found only after the corpus was decoded."""
        if self.model.phone_layer is not None and self.data.lexicon is None:
            raise ValueError("model.phone_layer needs data.lexicon")
        if (self.model.phone_layer or 0) > self.model.layers:
            raise ValueError("model.phone_layer is above the highest of model.layers")
        if self.vocabulary[1:2] != (SEPARATOR,):
            # Phones and word pieces have theirs there, and texts are joined in all three.
            raise ValueError(f"vocabulary needs the separator {SEPARATOR!r} in the second place")
        if self.phones.frozen and self.model.phone_layer is None:
            raise ValueError("phones.frozen needs model.phone_layer")
        if self.phones.frozen and self.model.norm == "batch":
            raise ValueError("phones.frozen needs another model.norm: batch's statistics move")
        if self.text.file is not None and self.model.phone_layer is None:
            raise ValueError("text.file needs model.phone_layer")
        if self.word_pieces.file is not None and self.model.phone_layer is None:
            raise ValueError("word_pieces.file needs model.phone_layer")
        return self


def check_files(config: RunConfig) -> None:
    """See that the files beside the manifests are there, before the corpus is decoded.

    Raises:
        ConfigError: One is not.
    """
    named = {
        "data.lexicon": config.data.lexicon,
        "data.noise": config.data.noise,
        "teacher.directory": config.teacher.directory,
        "text.file": config.text.file,
        "word_pieces.file": config.word_pieces.file,
    }
    for name, path in named.items():
        if path is not None and not path.exists():
            raise ConfigError(
                f"{name}: {path}: no such file or folder",
                "check the spelling; paths are relative to where asr train is started",
            )
