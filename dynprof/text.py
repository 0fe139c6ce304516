"""Text preparation: what an encoder sees of a text. One function, one version, part of every fingerprint."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["TEXT_PREPARATION", "prepare_texts"]

TEXT_PREPARATION = "dynprof-text/1"
"""Changes whenever `prepare_texts` gives another result for any text."""

# A URL of any scheme that posts carry, a scheme-less short link of Twitter, or what a cut-off one leaves behind.
_URL = r"(?i)\b(?:https?://|www\.|pic\.twitter\.com/|t\.co/)[^\s]*"
_INVISIBLE = r"[\x{0000}-\x{0008}\x{000E}-\x{001F}\x{007F}\x{200B}\x{2060}\x{FEFF}]"
_RETWEET_MARK = r"^(?:RT @\w{1,30}:\s*)+"


def prepare_texts(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Texts as the encoder sees them; two texts that come out the same are encoded once.

    In this order: Unicode NFC; control and zero-width characters other than joiners removed; URLs removed (their text
    is an arbitrary short link); a leading retweet mark ("RT @name:") removed; runs of white space become one space;
    ends trimmed. Mentions (@name), hashtags, emoji, case and punctuation stay: encoders know them. Idempotent.

    Args:
        texts: (n,) strings, may hold nulls.

    Returns:
        (n,) strings; null stays null, a text of only URLs or white space becomes "".
    """
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    array = pc.utf8_normalize(array.cast(pa.string()), form="NFC")
    array = pc.replace_substring_regex(array, _INVISIBLE, "")
    array = pc.replace_substring_regex(array, _URL, " ")
    array = pc.replace_substring_regex(array, r"[\s\p{Z}\x{0085}]+", " ")
    array = pc.replace_substring_regex(pc.utf8_trim_whitespace(array), _RETWEET_MARK, "")
    return pc.utf8_trim_whitespace(array)
