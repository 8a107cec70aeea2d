"""Modified Kneser-Ney by definition, and back-off models as dictionaries, in plain Python."""

import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from asr.lm.corpus import read_corpus
from asr.lm.counts import count_ngrams
from asr.lm.kneser_ney import estimate

FIXTURES = Path(__file__).parent / "fixtures"


def windows(sentence, n):
    """The n-grams of a sentence given as words, its marks included."""
    words = ("<s>", *sentence, "</s>")
    return [words[i : i + n] for i in range(len(words) - n + 1)]


def discounts_by_definition(counts):
    """What Chen and Goodman take off counts of 0, 1, 2, and 3 or more."""
    n1, n2, n3, n4 = (sum(c == j for c in counts.values()) for j in (1, 2, 3, 4))
    if 0 in (n1, n2, n3):
        return 0, 0.5, 1, 1.5
    y = n1 / (n1 + 2 * n2)
    found = (0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    in_range = all(0 <= d <= j for j, d in enumerate(found))
    return found if in_range else (0, 0.5, 1, 1.5)


class KneserNey:
    """Probabilities straight from sums over the definition; slow.

    Words outside `vocabulary` become <unk>, which is never predicted and never in a context.
    """

    def __init__(self, sentences, order, cutoffs=None, vocabulary=None):
        if vocabulary is None:
            vocabulary = {word for sentence in sentences for word in sentence}
        sentences = [[w if w in vocabulary else "<unk>" for w in words] for words in sentences]
        self.order, self.vocabulary = order, vocabulary
        self.cutoffs = cutoffs or [0] * order
        self.raw = {
            n: Counter(gram for words in sentences for gram in windows(words, n))
            for n in range(1, order + 1)
        }
        self.adjusted = {n: self._adjust(n) for n in range(1, order + 1)}
        self.discounts = {n: discounts_by_definition(self.adjusted[n]) for n in range(1, order + 1)}

    def _adjust(self, n):
        adjusted = {}
        befores = defaultdict(set)
        for gram in self.raw.get(n + 1, ()):
            befores[gram[1:]].add(gram[0])
        for gram, count in self.raw[n].items():
            exact = n == self.order or gram[0] == "<s>"
            adjusted[gram] = count if exact else len(befores[gram])
        return {g: c for g, c in adjusted.items() if g[-1] != "<unk>" and g != ("<s>",)}

    def prob(self, context, word):
        """P(word | context), the context no longer than order - 1."""
        n = len(context) + 1
        # Known words, </s> and <unk> can come next.
        lower = self.prob(context[1:], word) if context else 1 / (len(self.vocabulary) + 2)
        after = {g: c for g, c in self.adjusted[n].items() if g[:-1] == tuple(context)}
        if not after or "<unk>" in context:
            return lower
        discount = {g: self.discounts[n][min(c, 3)] for g, c in after.items()}
        kept = {g for g in after if n == 1 or self.raw[n][g] > self.cutoffs[n - 1]}
        free = sum(discount[g] if g in kept else after[g] for g in after)
        gram = (*context, word)
        own = after[gram] - discount[gram] if gram in kept else 0
        return (own + free * lower) / sum(after.values())


def corpus_of(sentences, **options):
    """The corpus of sentences given as lists of words."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text("".join(" ".join(words) + "\n" for words in sentences))
        return read_corpus([path], **options)


def model_of(sentences, order, cutoffs=None, **options):
    """Our estimate."""
    corpus = corpus_of(sentences, **options)
    return estimate(count_ngrams(corpus, order), corpus.vocabulary, cutoffs or [0] * order)


def grams_of(model, n):
    """The n-grams of one order as words, in the model's order."""
    level = model.grams[n - 1]
    places, columns = np.arange(len(level)), []
    for lower in model.grams[n - 1 :: -1]:
        columns.append([model.vocabulary.words[i] for i in lower.word[places]])
        places = lower.prefix[places]
    return list(zip(*reversed(columns), strict=True))


def table_of(model):
    """{n-gram: (probability, back-off)}."""
    return {
        gram: pair
        for n, level in enumerate(model.grams, 1)
        for gram, pair in zip(
            grams_of(model, n),
            zip(level.prob.tolist(), level.backoff.tolist(), strict=True),
            strict=True,
        )
    }


def backed_off(table, context, word):
    """P(word | context) by the rule that defines a back-off model."""
    gram = (*context, word)
    if gram in table:
        return table[gram][0]
    factor = table[tuple(context)][1] if tuple(context) in table else 1.0
    return factor * backed_off(table, context[1:], word)


def contexts_of(table, order):
    """Every n-gram that can be a context of the order, and two that are not in the model."""
    known = [gram for gram in table if len(gram) < order and gram[-1] != "</s>"]
    return [(), *known, ("zz",), ("<unk>",)]


def predicted(table):
    """All that can come next."""
    return [gram[0] for gram in table if len(gram) == 1 and gram != ("<s>",)]
