"""Words that tell groups of texts apart: what a group says more often than everybody else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.text import prepare_texts

__all__ = ["Background", "label_groups"]

FloatArray = npt.NDArray[np.float64]

_NOT_WORDS = r"(?:^|\s)(?:@\S+|&\w+;)|['’]\w{1,2}\b"
_BETWEEN = r"[^\p{L}\p{M}\p{N}_#]+"
_LEAST_LETTERS = r"\p{L}.*\p{L}"
_MOST_PRIOR_WORDS = 500.0  # that the background is worth, beside those of the group; of a small one a tenth of it
_LEAST_PRIOR = 0.5  # of any word, so that one that nobody else says is no infinite surprise, and no doubtful one
_LEAST_SCORE = 0.8


class Background:
    """How often words are said in general.

    Args:
        texts: (n,) strings, may hold nulls: a sample of what everybody writes.
    """

    def __init__(self, texts: pa.Array | pa.ChunkedArray) -> None:
        words, _ = _words(texts)
        counted = pc.value_counts(words)
        self.words: pa.Array = counted.field("values")
        self.counts: FloatArray = np.asarray(counted.field("counts"), np.float64)

    def counts_of(self, words: pa.Array) -> FloatArray:
        """(n,) how often each word is said; 0 for one that is not."""
        where = pc.index_in(words, value_set=self.words)
        found = np.asarray(where.is_valid())
        counts = np.zeros(len(words))
        counts[found] = self.counts[np.asarray(where.drop_null(), np.int64)]
        return counts


def label_groups(
    texts: pa.Array | pa.ChunkedArray,
    groups: npt.NDArray[np.int64],
    n_groups: int,
    background: Background,
    *,
    n_words: int = 4,
) -> list[list[str]]:
    """The words that a group says more often than everybody in general, and than the other groups.

    The smaller of the two log-odds counts; short words, which in every language are mostly grammar, count for less. A
    group whose words nobody can tell from the rest has fewer or none.

    Args:
        texts: (n,) strings, may hold nulls.
        groups: (n,) group of each text, in [0, n_groups).
        n_groups: How many groups.
        background: What everybody says.
        n_words: At most so many a group.

    Source: Monroe, Colaresi and Quinn, *Fightin' Words*, 2008: log-odds with an informative Dirichlet prior, over their
    standard deviation.
    """
    words, parents = _words(texts)
    if not len(words):
        return [[] for _ in range(n_groups)]
    coded = words.dictionary_encode()
    said = np.zeros((n_groups, len(coded.dictionary)))
    np.add.at(said, (groups[parents], np.asarray(coded.indices, np.int64)), 1.0)
    general = background.counts_of(coded.dictionary)
    n_general = float(background.counts.sum())
    worth = min(_MOST_PRIOR_WORDS, max(1.0, n_general / 10))
    prior = _LEAST_PRIOR + worth * general / max(1.0, n_general)
    scores = _log_odds(said, np.broadcast_to(general, said.shape), n_general, prior)
    if n_groups > 1:
        others = said.sum(0) - said
        scores = np.minimum(scores, _log_odds(said, others, others.sum(1, keepdims=True), prior))
    scores *= _length_factors(coded.dictionary)
    least = np.minimum(2.0, said.max(1, keepdims=True))  # a word said once labels nothing, unless there is no other
    scores[said < least] = -np.inf
    return [_best(row, coded.dictionary, n_words) for row in scores]


def _log_odds(
    said: FloatArray, elsewhere: FloatArray, n_elsewhere: FloatArray | float, prior: FloatArray
) -> FloatArray:
    """(n_groups, n_words) z-scores of each word in each group against what is said elsewhere, of so many words."""
    total, n_said = prior.sum(), said.sum(1, keepdims=True)
    here = np.log((said + prior) / (n_said + total - said - prior + 1.0))
    there = np.log((elsewhere + prior) / (n_elsewhere + total - elsewhere - prior + 1.0))
    return np.asarray((here - there) / np.sqrt(1 / (said + prior) + 1 / (elsewhere + prior)))


def _length_factors(words: pa.Array) -> FloatArray:
    """(n_words,) 1/4 for a word of two characters, rising to 1 for five; 1 for a hashtag."""
    lengths = np.asarray(pc.utf8_length(words), np.float64)
    is_tag = np.asarray(pc.starts_with(words, "#"))
    return np.where(is_tag, 1.0, np.clip((lengths - 1) / 4, 0.25, 1.0))


def _best(scores: FloatArray, words: pa.Array, n_words: int) -> list[str]:
    order = np.argsort(-scores, kind="stable")[:n_words]
    return [str(words[i].as_py()) for i in order.tolist() if scores[i] >= _LEAST_SCORE]


def _words(texts: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """All words of at least two letters, lower case, and the text that each is of."""
    plain = pc.fill_null(prepare_texts(texts), "")
    plain = pc.replace_substring_regex(pc.utf8_lower(plain), _NOT_WORDS, " ")
    split = pc.split_pattern_regex(plain, _BETWEEN)
    words, parents = pc.list_flatten(split), np.asarray(pc.list_parent_indices(split), np.int64)
    good = pc.match_substring_regex(words, _LEAST_LETTERS)
    return words.filter(good), parents[np.asarray(good)]
