import pytest

from asr.lm.vocabulary import Vocabulary, murmur_hash


@pytest.mark.parametrize(
    ("word", "value"),
    [
        # Printed by util::MurmurHash64A of kenlm (commit 4cb443e), seed 0.
        ("", 0),
        ("a", 510903276987443985),
        ("<s>", 33080154819493488),
        ("</s>", 7773339941609106442),
        ("don't", 1002246506959828091),
        ("sentence", 17226953498163071588),
        ("followeth", 12867461121062243991),
        ("incomprehensibilities", 17432481534690035544),
    ],
)
def test_words_have_the_hashes_that_kenlm_gives_them(word, value):
    assert murmur_hash(word.encode()) == value


def test_words_are_numbered_by_their_hashes_after_the_unknown_word():
    vocabulary = Vocabulary.of(["sentence", "a", "followeth"])
    # By the values above.
    assert vocabulary.words == ("<unk>", "<s>", "a", "</s>", "followeth", "sentence")
    assert (vocabulary.bos, vocabulary.eos, len(vocabulary)) == (1, 3, 6)


def test_the_hashes_are_those_of_the_words_after_the_unknown_word():
    vocabulary = Vocabulary.of(["one", "two", "three"])
    assert vocabulary.hashes == tuple(murmur_hash(word.encode()) for word in vocabulary.words[1:])
