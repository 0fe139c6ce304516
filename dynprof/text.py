"""Text preparation: what an encoder sees of a text. One function, one version, part of every fingerprint."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["TEXT_PREPARATION", "prepare_texts"]

TEXT_PREPARATION = "dynprof-text/1"
"""Changes whenever `prepare_texts` gives another result for any text."""

# A URL of any scheme that posts carry, a scheme-less short link of Twitter, or what a cut-off one leaves behind.
# RE2's \s is ASCII only and lacks the vertical tab; a URL ends at every white space, also an ideographic one.
_WHITE = r"\s\p{Z}\x{000B}\x{0085}"
_URL = rf"(?i)\b(?:https?://|www\.|pic\.twitter\.com/|t\.co/)[^{_WHITE}]*"
_INVISIBLE = r"[\x{0000}-\x{0008}\x{000E}-\x{001F}\x{007F}\x{200B}\x{2060}\x{FEFF}]"
_RETWEET_MARK = r"^(?:RT @\w{1,30}:\s*)+"


def prepare_texts(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Texts as the encoder sees them; two texts that come out the same are encoded once.

    In this order: control and zero-width characters other than joiners removed; Unicode NFC (after it: what stood on
    both sides of a removed character may compose); URLs removed (their text is an arbitrary short link); runs of white
    space become one space; ends trimmed; a leading retweet mark ("RT @name:") removed. Mentions (@name), hashtags,
    emoji, case and punctuation stay: encoders know them. Idempotent.

    Args:
        texts: (n,) strings, may hold nulls.

    Returns:
        (n,) strings; null stays null, a text of only URLs or white space becomes "".
    """
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    array = pc.replace_substring_regex(array.cast(pa.string()), _INVISIBLE, "")
    array = pc.utf8_normalize(array, form="NFC")
    array = pc.replace_substring_regex(array, _URL, " ")
    array = pc.replace_substring_regex(array, rf"[{_WHITE}]+", " ")
    array = pc.replace_substring_regex(pc.utf8_trim_whitespace(array), _RETWEET_MARK, "")
    return pc.utf8_trim_whitespace(array)
