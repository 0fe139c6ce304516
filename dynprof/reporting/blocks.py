"""What a page is made of. Texts are plain: whatever stands in them is shown, never interpreted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dynprof.errors import ConfigError
from dynprof.reporting.chart import Curves, Dots, Drawn, Matrix, Panels
from dynprof.reporting.table import Table

__all__ = ["Block", "Facts", "Notes", "Page", "Prose", "Section", "Warned"]


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Notes:
    """Sentences without which numbers would be misread."""

    items: Sequence[str]


@dataclass(frozen=True)
class Warned:
    """A sentence that must not be overlooked."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    pairs: Sequence[tuple[str, str]]


Block = Prose | Notes | Warned | Facts | Table | Drawn


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it.

    Attributes:
        name: Anchor: small letters, digits and hyphens, unique on a page.
    """

    name: str
    title: str
    blocks: Sequence[Block]

    @property
    def charts(self) -> list[Drawn]:
        """Its plots, in order."""
        return [b for b in self.blocks if isinstance(b, Curves | Dots | Matrix | Panels)]


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: Of the page.
        lead: A sentence or two with the answer.
        sections: In order.
        footer: What made it, of what.

    Raises:
        ConfigError: Two plots or sections share a name: their files would too.
    """

    title: str
    lead: str
    sections: Sequence[Section]
    footer: str = ""

    def __post_init__(self) -> None:
        names = [s.name for s in self.sections] + [c.name for c in self.charts]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ConfigError(
                f"page {self.title!r}: expected distinct names of sections and plots, found twice: {twice}."
            )

    @property
    def charts(self) -> list[Drawn]:
        """Every plot, in order."""
        return [c for s in self.sections for c in s.charts]
