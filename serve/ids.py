"""Ids as parts of a path: any text, slashes and line breaks too."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor

__all__ = ["ItemId", "UserId"]


class _IdConvertor(Convertor[str]):
    """Whatever stands before the last segment of a path, which is what is asked for: so the id `a/profile` at
    `/v1/users/a/profile/profile` is not the id `a`.
    """

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("any_id", _IdConvertor())

_SAID = "Percent-encoded as one path segment; `/` may also stand as it is."

UserId = Annotated[str, Path(description=_SAID)]
ItemId = Annotated[str, Path(description=_SAID)]
