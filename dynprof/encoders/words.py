"""Token ids by words: a word that was seen before is looked up, so only new ones pass the tokenizer."""

from __future__ import annotations

import json
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.encoders.batching import Integers, Tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["WordTokenizer"]

# Words remembered: tens of megabytes. Beyond it all are forgotten, and the frequent ones are back with the next window.
MOST_WORDS = 1 << 18
# New words go to the tokenizer in lines: an encoding costs microseconds however short it is.
WORDS_PER_LINE = 64


class WordTokenizer:
    """Tokens of texts, the same as the tokenizer's own, for tokenizers that never look across a space.

    Posts repeat their words. Splitting, counting and putting together are done by Arrow and numpy for all texts at
    once, without Python's lock for the most part.

    Args:
        tokenizer: For which `is_supported`.
        max_length: Tokens kept of a text, special ones included.
        special: Whether special tokens ([CLS], [SEP]) go around each text.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int, *, special: bool = True) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._lock = Lock()  # a server may encode from several threads
        self._separator, self._separator_id = _separator(tokenizer)
        around = tokenizer.encode(self._separator, add_special_tokens=special).ids
        at = around.index(self._separator_id)
        self._before, self._after = around[:at], around[at + 1 :]
        self._room = max(0, max_length - len(self._before) - len(self._after))
        self._numbers: dict[str, int] = {}
        self._memory = Tokens(np.empty(0, np.int32), np.empty(0, np.int64))

    @staticmethod
    def is_supported(tokenizer: Tokenizer) -> bool:
        """Whether a text's tokens are those of its space-separated words, one after another.

        So it is with the tokenizers of BERT, DistilBERT, MPNet and Jina: characters are mapped one by one, then cut at
        white space and punctuation, then looked up (WordPiece). Others (RoBERTa, T5) mark the space itself.
        """
        described = json.loads(tokenizer.to_str())
        steps = [(described.get(step) or {}).get("type") for step in ("normalizer", "pre_tokenizer", "model")]
        added = described.get("added_tokens") or []
        return (
            steps == ["BertNormalizer", "BertPreTokenizer", "WordPiece"]
            and any(token["special"] and token["id"] not in tokenizer.encode("").ids for token in added)
            and not any(" " in token["content"] for token in added)
        )

    def __call__(self, texts: list[str]) -> Tokens:
        """Tokens of n prepared texts."""
        words = pc.split_pattern(pa.array(texts, pa.large_string()), " ")
        coded = words.flatten().dictionary_encode()
        with self._lock:
            if len(self._numbers) > MOST_WORDS:
                self._forget()
            numbers, memory = self._numbers_of(coded.dictionary.to_pylist()), self._memory
        tokens = memory.take(numbers[coded.indices.to_numpy(zero_copy_only=False)])
        return self._join(tokens, pc.list_value_length(words).to_numpy(zero_copy_only=False))

    def _numbers_of(self, words: list[str]) -> Integers:
        """Places of (n,) distinct words in the memory; new ones are put there."""
        new = [word for word in words if word not in self._numbers]
        if new:
            first, learnt = len(self._memory.lengths), self._tokenise(new)
            self._memory = Tokens(
                np.concatenate([self._memory.ids, learnt.ids]), np.concatenate([self._memory.lengths, learnt.lengths])
            )
            self._numbers.update(zip(new, range(first, first + len(new)), strict=True))
        return np.fromiter(map(self._numbers.__getitem__, words), np.int64, len(words))

    def _tokenise(self, words: list[str]) -> Tokens:
        """Tokens of (n,) words, by the tokenizer: many words a line, a special token after each."""
        # A word that holds the special token itself would be cut there: it has a line of its own.
        alone = [self._separator in word for word in words]
        if any(alone):
            encodings = self._tokenizer.encode_batch_fast(words, add_special_tokens=False)
            return Tokens.from_lists([encoding.ids for encoding in encodings])
        between = f" {self._separator} "
        lines = [between.join(words[at : at + WORDS_PER_LINE]) + between for at in range(0, len(words), WORDS_PER_LINE)]
        encodings = self._tokenizer.encode_batch_fast(lines, add_special_tokens=False)
        ids = np.concatenate([np.array(encoding.ids, np.int32) for encoding in encodings])
        ends = np.flatnonzero(ids == self._separator_id)
        lengths = np.diff(ends, prepend=-1) - 1
        return Tokens(np.delete(ids, ends), lengths)

    def _forget(self) -> None:
        self._numbers, self._memory = {}, Tokens(np.empty(0, np.int32), np.empty(0, np.int64))

    def _join(self, words: Tokens, n_words: npt.NDArray[np.integer]) -> Tokens:
        """Tokens of texts from those of their words: cut at the limit, special ones around."""
        ends = np.concatenate([[0], np.cumsum(words.lengths)])[np.cumsum(n_words, dtype=np.int64)]
        starts = np.concatenate([[0], ends])[:-1]
        kept = np.minimum(ends - starts, self._room)
        before, after = np.array(self._before, np.int32), np.array(self._after, np.int32)
        lengths = kept + len(before) + len(after)
        first = np.cumsum(lengths) - lengths  # of each text in the result
        ids = np.empty(lengths.sum(), np.int32)
        ids[first[:, None] + np.arange(len(before))] = before
        ids[(first + len(before) + kept)[:, None] + np.arange(len(after))] = after
        within = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
        ids[np.repeat(first + len(before), kept) + within] = words.ids[np.repeat(starts, kept) + within]
        return Tokens(ids, lengths)


def _separator(tokenizer: Tokenizer) -> tuple[str, int]:
    """A special token that the tokenizer does not put around texts itself, and its id."""
    around = set(tokenizer.encode("").ids)
    added = tokenizer.get_added_tokens_decoder()
    number = min(number for number, token in added.items() if token.special and number not in around)
    return added[number].content, number
