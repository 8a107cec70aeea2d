"""Decoders by definition, in plain Python, to hold the fast ones against."""

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, field

BLANK = 0


def log_add(*values):
    top = max(values)
    if top == -math.inf:
        return top
    return top + math.log(sum(math.exp(value - top) for value in values))


def token_scores_by_enumeration(log_probs):
    """{tokens: log-probability}, from every path there is."""
    rows = log_probs.tolist()
    scores = defaultdict(lambda: -math.inf)
    for path in itertools.product(range(len(rows[0])), repeat=len(rows)):
        tokens = tuple(token for token, _ in itertools.groupby(path) if token != BLANK)
        path_score = sum(row[token] for row, token in zip(rows, path, strict=True))
        scores[tokens] = log_add(scores[tokens], path_score)
    return dict(scores)


def token_scores_by_prefix_search(log_probs, beam_size):
    """{tokens: log-probability}, from the prefix beam search of Hannun et al. (2014).

    Each prefix carries two scores: of its paths that end in a blank, and of those that do not.
    """
    beam = {(): (0.0, -math.inf)}
    for row in log_probs.tolist():
        grown = defaultdict(lambda: (-math.inf, -math.inf))
        for prefix, (blank, token_end) in beam.items():
            both = log_add(blank, token_end)
            _add(grown, prefix, blank=both + row[BLANK])
            for token in range(1, len(row)):
                if prefix and token == prefix[-1]:
                    _add(grown, prefix, token_end=token_end + row[token])
                    _add(grown, (*prefix, token), token_end=blank + row[token])
                else:
                    _add(grown, (*prefix, token), token_end=both + row[token])
        best = sorted(grown, key=lambda prefix: -log_add(*grown[prefix]))[:beam_size]
        beam = {prefix: grown[prefix] for prefix in best}
    return {prefix: log_add(*scores) for prefix, scores in beam.items()}


def _add(scores, prefix, blank=-math.inf, token_end=-math.inf):
    old_blank, old_token_end = scores[prefix]
    scores[prefix] = (log_add(old_blank, blank), log_add(old_token_end, token_end))


def word_scores(token_scores, tokenizer, lexicon, word_score=0.0, lm_weight=0.0, lm=None):
    """{text: score} of the texts whose every word is in the lexicon."""
    scores = defaultdict(lambda: -math.inf)
    for tokens, score in token_scores.items():
        text = tokenizer.decode(tokens)
        if set(text.split()) <= set(lexicon):
            scores[text] = log_add(scores[text], score)
    return {
        text: score
        + word_score * len(text.split())
        + (lm_weight * lm.log_prob(text.split()) if lm else 0.0)
        for text, score in scores.items()
    }


@dataclass(frozen=True)
class Bigrams:
    """A backing-off bigram model; all numbers are powers of ten, as in an ARPA file."""

    unigrams: dict
    bigrams: dict = field(default_factory=dict)
    backoffs: dict = field(default_factory=dict)

    def log_prob(self, words):
        """Natural log-probability of a sentence, its end included."""
        sentence = ["<s>", *words, "</s>"]
        return math.log(10) * sum(self._exponent(*pair) for pair in itertools.pairwise(sentence))

    def _exponent(self, left, right):
        if (left, right) in self.bigrams:
            return self.bigrams[left, right]
        return self.backoffs.get(left, 0.0) + self.unigrams.get(right, self.unigrams["<unk>"])

    def write(self, path):
        lines = ["\\data\\", f"ngram 1={len(self.unigrams)}", f"ngram 2={len(self.bigrams)}"]
        lines += ["", "\\1-grams:"]
        for word, exponent in self.unigrams.items():
            lines.append(f"{exponent}\t{word}\t{self.backoffs.get(word, 0.0)}")
        lines += ["", "\\2-grams:"]
        for (left, right), exponent in self.bigrams.items():
            lines.append(f"{exponent}\t{left} {right}")
        path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")
        return path
