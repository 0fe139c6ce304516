"""An encoder without weights: hashed words and character n-grams. For tests, and the floor others must beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dynprof.encoders.encoder import Encoder, Vectors
from dynprof.encoders.identity import EncoderIdentity
from dynprof.errors import ConfigError
from dynprof.text import TEXT_PREPARATION

__all__ = ["HashingEncoder", "hashing_identity", "is_hashing"]

HASHING_VERSION = "dynprof-hashing/1"
"""Changes whenever the same text would get another vector."""

DEFAULT_DIM = 256
MIN_DIM, MAX_DIM = 16, 65_536
NGRAM_SIZES = (3, 4)
# Powers of two, so that sums are exact in any order and the vector is the same to the bit on every machine.
WORD_WEIGHT, NGRAM_WEIGHT = 1.0, 0.25
# Texts hashed at a time: the arrays of their characters stay within the cache of a core.
CHUNK_TEXTS = 2_048

NEWLINE, SPACE = 10, 32

Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
Features = tuple[Hashes, Rows, float]


def is_hashing(name: str) -> bool:
    """Whether a name means this encoder: `hashing` or `hashing:<dim>`."""
    return name.partition(":")[0] == "hashing"


def hashing_identity(name: str) -> EncoderIdentity:
    """Identity of `hashing` (256 dimensions) or `hashing:<dim>`.

    Raises:
        ConfigError: The dimension is not a whole number from 16 to 65,536.
    """
    _, colon, tail = name.partition(":")
    if colon and not (tail.isascii() and tail.isdigit() and MIN_DIM <= int(tail) <= MAX_DIM):
        raise ConfigError(
            f"encoder {name!r}: expected hashing:<dim> with a whole number from {MIN_DIM} to {MAX_DIM}, found "
            f"{tail!r}. Try hashing:{DEFAULT_DIM}."
        )
    dim = int(tail) if colon else DEFAULT_DIM
    identity = {
        "kind": "hashing",
        "version": HASHING_VERSION,
        "dim": dim,
        "precision": "float32",
        "text_preparation": TEXT_PREPARATION,
    }
    return EncoderIdentity(name, dim, identity)


class HashingEncoder(Encoder):
    """Signed feature hashing (Weinberger et al., 2009) of a text's lower-cased words and 3- and 4-grams.

    Two texts are close when they share words or parts of words, in any script. No meaning beyond that. The same
    vector on every machine, as long as Python's Unicode tables lower-case the text alike.
    """

    def encode_distinct(self, texts: list[str]) -> Vectors:
        """See `Encoder`; a chunk of texts at a time."""
        vectors = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), CHUNK_TEXTS):
            chunk = texts[start : start + CHUNK_TEXTS]
            vectors[start : start + len(chunk)] = _unit_rows(_signed_counts(chunk, self.dim))
        return vectors


def _signed_counts(texts: list[str], dim: int) -> npt.NDArray[np.float64]:
    """Sum of the features' signed weights: (n, dim), exact."""
    counts = np.zeros(len(texts) * dim)
    for hashes, rows, weight in _features(texts):
        cells = rows * dim + (hashes % np.uint64(dim)).astype(np.int64)
        signs = np.where(hashes >> np.uint64(63), -weight, weight)
        counts += np.bincount(cells, weights=signs, minlength=len(counts))
    return counts.reshape(len(texts), dim)


def _unit_rows(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rows at norm 1; one whose features cancel out to nothing becomes the first axis."""
    counts[~counts.any(axis=1), 0] = 1.0
    unit: npt.NDArray[np.float64] = counts / np.sqrt(np.square(counts).sum(axis=1, keepdims=True))
    return unit


def _features(texts: list[str]) -> Iterator[Features]:
    """Hashes, rows and weight of each kind of feature."""
    codes, rows = _characters(texts)
    yield *_words(codes, rows), WORD_WEIGHT
    for size in NGRAM_SIZES:
        yield *_ngrams(codes, rows, size), NGRAM_WEIGHT


def _characters(texts: list[str]) -> tuple[Hashes, Rows]:
    """Lower-cased code points of all texts, end to end, a space between and around them, and the text of each.

    Prepared texts hold no newline, so it can stand between them while they are one string.
    """
    joined = "\n".join(["", *texts, ""]).lower()
    codes = np.frombuffer(joined.encode("utf-32-le"), np.dtype("<u4")).astype(np.uint64)
    between = codes == NEWLINE
    codes[between] = SPACE
    return codes, np.cumsum(between) - 1


def _words(codes: Hashes, rows: Rows) -> tuple[Hashes, Rows]:
    """One hash a word: a sum over its characters, each mixed with its place in the word."""
    (inside,) = np.nonzero(codes != SPACE)
    first = np.diff(inside, prepend=-1) > 1  # the character before is a space: texts begin after one
    starts = np.flatnonzero(first)
    place = np.arange(len(inside)) - starts[np.cumsum(first) - 1]
    mixed = _mix(codes[inside] + (place.astype(np.uint64) << np.uint64(32)))
    return _mix(np.add.reduceat(mixed, starts)), rows[inside[starts]]


def _ngrams(codes: Hashes, rows: Rows, size: int) -> tuple[Hashes, Rows]:
    """One hash for each run of `size` characters that has a space at most at its ends."""
    count = len(codes) - size + 1
    within = np.ones(count, bool)
    for offset in range(1, size - 1):
        within &= codes[offset : offset + count] != SPACE
    (starts,) = np.nonzero(within)
    hashes = np.full(len(starts), size, np.uint64)
    for offset in range(size):
        hashes = _mix(hashes + codes[starts + offset])
    return hashes, rows[starts + 1]


def _mix(values: Hashes) -> Hashes:
    """A bijection of 64-bit integers that looks random; wraps around on purpose.

    Source: SplitMix64, Steele, Lea and Flood (2014), constants of Sebastiano Vigna's public domain version.
    """
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
