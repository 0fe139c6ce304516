"""Static encoders: from folders of two libraries, and distilled from a transformer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from dynprof.encoders import distill, encoder_identity, load_encoder
from dynprof.encoders.distill import sif_weights
from dynprof.errors import ConfigError, InputFileError

from .tiny_model import TEXTS, build_tiny_model, change_weight


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    build_tiny_model(folder)
    return folder / "whole"


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DYNPROF_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def sentence_transformers_static(folder: Path, built: Path) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
    from tokenizers import Tokenizer

    torch.manual_seed(2)
    table = StaticEmbedding(Tokenizer.from_file(str(built / "tokenizer.json")), embedding_dim=6)
    SentenceTransformer(modules=[table, Normalize()], device="cpu").save(str(folder))
    return folder


def model2vec_static(folder: Path, built: Path) -> Path:
    """As model2vec 0.10 writes a model whose vocabulary is quantised: a table, a row and a weight for each token."""
    from safetensors.numpy import save_file

    folder.mkdir()
    random = np.random.default_rng(4)
    n_tokens = len(json.loads((built / "tokenizer.json").read_text())["model"]["vocab"])
    tensors = {"embeddings": random.normal(size=(5, 6)).astype(np.float32)}
    tensors |= {"mapping": random.integers(0, 5, n_tokens), "weights": random.random(n_tokens)}
    save_file(tensors, folder / "model.safetensors")
    shutil.copy(built / "tokenizer.json", folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True, "hidden_dim": 6}))
    return folder


@pytest.mark.parametrize("build", [sentence_transformers_static, model2vec_static])
def test_a_folder_gives_what_sentence_transformers_gives(build, built, tmp_path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    folder = build(tmp_path / "static", built)
    place = "0_StaticEmbedding" if (folder / "0_StaticEmbedding").is_dir() else ""
    module = StaticEmbedding.load(str(folder), subfolder=place, local_files_only=True)
    reference = SentenceTransformer(modules=[module], device="cpu").encode(TEXTS, normalize_embeddings=True)
    encoder = load_encoder(str(folder), device="cpu")
    assert (encoder.dim, encoder.identity["kind"]) == (6, "static")
    assert encoder_identity(str(folder)).fingerprint == encoder.fingerprint
    assert np.abs(encoder.encode(TEXTS) - reference).max() < 1e-6


def test_a_table_in_a_folder_of_its_own_is_found(built, tmp_path) -> None:
    """As sentence-transformers 3 to 5 wrote them."""
    folder = sentence_transformers_static(tmp_path / "static", built)
    expected = load_encoder(str(folder), device="cpu").encode(TEXTS)
    place = folder / "0_StaticEmbedding"
    place.mkdir(exist_ok=True)
    for name in ("model.safetensors", "tokenizer.json"):
        if (folder / name).is_file():
            (folder / name).rename(place / name)
    entries = json.loads((folder / "modules.json").read_text())
    entries[0]["path"] = place.name
    (folder / "modules.json").write_text(json.dumps(entries))
    assert np.array_equal(load_encoder(str(folder), device="cpu").encode(TEXTS), expected)


def test_a_changed_table_changes_the_fingerprint(built, tmp_path) -> None:
    folder = sentence_transformers_static(tmp_path / "static", built)
    before = encoder_identity(str(folder)).fingerprint
    change_weight(next(folder.rglob("model.safetensors")))
    assert encoder_identity(str(folder)).fingerprint != before


def test_a_static_model_with_more_than_a_norm_is_refused(built, tmp_path) -> None:
    folder = sentence_transformers_static(tmp_path / "static", built)
    entries = json.loads((folder / "modules.json").read_text())
    entries[1]["type"] = "sentence_transformers.models.Dense"
    (folder / "modules.json").write_text(json.dumps(entries))
    with pytest.raises(ConfigError, match="expected a StaticEmbedding and at most a Normalize"):
        load_encoder(str(folder))


def test_a_distilled_encoder_is_known_before_and_read_again_after(built, models) -> None:
    name = f"static:{built}"
    before = encoder_identity(name)
    assert not models.exists()
    first = load_encoder(name, device="cpu")
    (folder,) = models.iterdir()
    stamp = (folder / "model.safetensors").stat().st_mtime_ns
    again = load_encoder(name, device="cpu")
    assert before.fingerprint == first.fingerprint == again.fingerprint
    assert (folder / "model.safetensors").stat().st_mtime_ns == stamp
    assert np.array_equal(first.encode(TEXTS), again.encode(TEXTS))


def test_distilling_twice_gives_the_same_whatever_the_batch(built, models, monkeypatch) -> None:
    first = load_encoder(f"static:{built}", device="cpu").encode(TEXTS)
    shutil.rmtree(models)
    monkeypatch.setattr(distill, "BATCH_TOKENS", 7)
    second = load_encoder(f"static:{built}", device="cpu").encode(TEXTS)
    assert np.abs(first - second).max() < 1e-5


def test_sentence_transformers_reads_what_was_distilled(built, models) -> None:
    from sentence_transformers import SentenceTransformer

    encoder = load_encoder(f"static:{built}", device="cpu")
    reference = SentenceTransformer(str(next(models.iterdir())), device="cpu").encode(TEXTS)
    assert np.abs(encoder.encode(TEXTS) - reference).max() < 1e-6


def test_the_teacher_and_the_parameters_are_in_the_fingerprint(built, tmp_path, monkeypatch) -> None:
    before = encoder_identity(f"static:{built}").fingerprint
    monkeypatch.setattr(distill, "SIF", 1e-3)
    assert encoder_identity(f"static:{built}").fingerprint != before
    monkeypatch.undo()
    changed = Path(shutil.copytree(built, tmp_path / "changed"))
    change_weight(changed / "model.safetensors")
    assert encoder_identity(f"static:{changed}").fingerprint != before


def test_a_table_that_was_changed_on_disk_is_refused(built, models) -> None:
    load_encoder(f"static:{built}", device="cpu")
    change_weight(next(models.iterdir()) / "model.safetensors")
    with pytest.raises(InputFileError, match=r"expected what was distilled .* Delete the folder"):
        load_encoder(f"static:{built}", device="cpu")


def test_a_distillation_that_fails_leaves_nothing_behind(built, models, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise ConfigError("stopped half way")

    monkeypatch.setattr(distill, "_principal", broken)
    with pytest.raises(ConfigError, match="stopped half way"):
        load_encoder(f"static:{built}", device="cpu")
    assert list(models.iterdir()) == []


def test_frequent_tokens_weigh_less() -> None:
    weights = sif_weights(1_000)
    assert (np.diff(weights) > 0).all()
    assert 0 < weights[0] < weights[-1] < 1


def test_a_precision_that_a_table_does_not_have_is_refused(built) -> None:
    with pytest.raises(ConfigError, match="expected precision float32, found 'bfloat16'"):
        encoder_identity(f"static:{built}", precision="bfloat16")


def test_a_static_model_is_not_distilled_again(built, tmp_path) -> None:
    folder = sentence_transformers_static(tmp_path / "static", built)
    with pytest.raises(ConfigError, match="expected a transformer to distil, found a static model"):
        encoder_identity(f"static:{folder}")
