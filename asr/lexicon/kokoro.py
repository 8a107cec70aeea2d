"""Words as the speech synthesis Kokoro wants them: phonemes of IPA, with stress."""

from __future__ import annotations

from collections.abc import Sequence

from asr.errors import ConfigError

__all__ = ["MOST_PHONEMES", "phonemes", "token_ids"]

MOST_PHONEMES = 508
"""Of one utterance: Kokoro has 510 places, and a mark stands at either end."""

_PHONES = (
    "AA:ɑ AE:æ AH:ʌ AO:ɔ AW:W AY:I B:b CH:ʧ D:d DH:ð EH:ɛ ER:ɜɹ EY:A F:f G:ɡ HH:h IH:ɪ IY:i JH:ʤ "
    "K:k L:l M:m N:n NG:ŋ OW:O OY:Y P:p R:ɹ S:s SH:ʃ T:t TH:θ UH:ʊ UW:u V:v W:w Y:j Z:z ZH:ʒ"
)
# Words without an accent of their own in running speech.
_WORDS = (
    "the:ðə a:ɐ an:ɐn and:ænd of:ʌv to:tə in:ɪn that:ðæt for:fɔɹ as:æz at:æt is:ɪz was:wʌz his:hɪz "
    "her:hɜɹ i:ˌI he:hi it:ɪt you:ju or:ɔɹ from:fɹʌm with:wɪð but:bˌʌt my:mI she:ʃi we:wi be:bi "
    "are:ɑɹ were:wɜɹ had:hæd has:hæz have:hæv him:hɪm them:ðɛm me:mi on:ˌɔn by:bI its:ɪts "
    "their:ðɛɹ your:jʊɹ can:kæn could:kʊd would:wʊd should:ʃʊd"
)
# The numbers of Kokoro-82M's config.json.
_NUMBERS = (
    ";1 :2 ,3 .4 !5 ?6 A24 I25 O31 Q33 T36 W39 Y41 a43 b44 d46 e47 f48 h50 i51 j52 k53 l54 m55 n56 "
    "o57 p58 s61 t62 u63 v64 w65 z68 ɑ69 ɐ70 ɒ71 æ72 ɔ76 ð81 ʤ82 ə83 ɛ86 ɜ87 ɡ92 ɪ102 ŋ112 θ119 "
    "ɹ123 ɾ125 ʃ131 ʧ133 ʊ135 ʌ138 ʒ147 ˈ156 ˌ157 ː158"
)


def _pairs(table: str) -> dict[str, str]:
    return dict(pair.split(":") for pair in table.split())


_IPA, _WEAK = _pairs(_PHONES), _pairs(_WORDS)
_IDS = {" ": 16} | {entry[0]: int(entry[1:]) for entry in _NUMBERS.split()}
_UNSTRESSED = {"AH": "ə", "ER": "əɹ"}
_STRESS = {"0": "", "1": "ˈ", "2": "ˌ"}
_FLAPPED = ("AH0", "ER0", "IH0", "IY0")


def phonemes(word: str, phones: Sequence[str]) -> str:
    """One word.

    Args:
        word: In lower case.
        phones: Its phones in CMUdict's alphabet, with numbers of stress.

    Raises:
        ConfigError: A phone that is not of this alphabet.
    """
    if word in _WEAK:
        return _WEAK[word]
    return "".join(_said(phones, place) for place in range(len(phones)))


def _said(phones: Sequence[str], place: int) -> str:
    phone, stress = phones[place].rstrip("012"), phones[place][-1]
    if phone not in _IPA:
        raise ConfigError(f"{phones[place]!r} is no phone of CMUdict", "as in AH0 B AW1 T")
    if phone == "T" and _between_vowels(phones, place):
        return "T"  # Kokoro's flap, as in water
    ipa = _UNSTRESSED.get(phone, _IPA[phone]) if stress == "0" else _IPA[phone]
    return _STRESS.get(stress, "") + ipa


def _between_vowels(phones: Sequence[str], place: int) -> bool:
    if not 0 < place < len(phones) - 1:
        return False
    return phones[place - 1][-1].isdigit() and phones[place + 1] in _FLAPPED


def token_ids(text: str) -> list[int]:
    """Kokoro's numbers of phonemes, spaces and marks.

    Raises:
        ConfigError: A character that it has no number for, or more of them than it takes.
    """
    if len(text) > MOST_PHONEMES:
        raise ConfigError(f"{len(text)} phonemes, more than the {MOST_PHONEMES} of an utterance")
    if unknown := set(text) - set(_IDS):
        raise ConfigError(f"{sorted(unknown)!r}: not among Kokoro's phonemes")
    return [_IDS[character] for character in text]
