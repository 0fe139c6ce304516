"""Models from folders: what they compute, what their fingerprints hold, what is said when they are damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from dynprof.encoders import encoder_identity, load_encoder
from dynprof.encoders.precision import resolve_precision
from dynprof.errors import ConfigError, InputFileError

from .tiny_model import COMMIT, TEXTS, build_tiny_model, change_json, change_weight


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    build_tiny_model(folder)
    return folder


@pytest.fixture
def tiny(built, tmp_path) -> Path:
    """A copy of the tiny model that a test may change."""
    return Path(shutil.copytree(built / "whole", tmp_path / "model"))


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-6), ("bfloat16", 0.03)])
def test_a_folder_with_a_projection_gives_what_sentence_transformers_gives(tiny, precision, error) -> None:
    from sentence_transformers import SentenceTransformer

    encoder = load_encoder(str(tiny), precision=precision, device="cpu")
    reference = SentenceTransformer(str(tiny), device="cpu").encode(TEXTS, normalize_embeddings=True)
    assert encoder.dim == 8
    assert encoder.identity["modules"] == ["Transformer", "Pooling", "Dense"]
    assert np.abs(encoder.encode(TEXTS) - reference).max() < error


def test_the_projection_stays_float32_beside_a_bfloat16_transformer(tiny) -> None:
    import torch
    from safetensors.torch import load_file

    model = load_encoder(str(tiny), precision="bfloat16", device="cpu")._body._model
    stored = load_file(next((tiny / "2_Dense").glob("*.safetensors")))
    assert {p.dtype for p in model[0].parameters()} == {torch.bfloat16}
    assert torch.equal(model[2].linear.weight, stored["linear.weight"])


def test_a_bare_transformer_is_pooled_over_all_tokens(built) -> None:
    from sentence_transformers import SentenceTransformer

    encoder = load_encoder(str(built / "bare"), precision="float32", device="cpu")
    reference = SentenceTransformer(str(built / "bare"), device="cpu").encode(TEXTS, normalize_embeddings=True)
    assert (encoder.dim, encoder.identity["pooling"], encoder.identity["max_length"]) == (16, ["mean"], 24)
    assert np.abs(encoder.encode(TEXTS) - reference).max() < 1e-6


def test_a_models_own_prompt_and_shortened_vectors_are_kept(tiny) -> None:
    from sentence_transformers import SentenceTransformer

    settings = {"prompts": {"topic": "we read "}, "default_prompt_name": "topic", "truncate_dim": 5}
    before = encoder_identity(str(tiny)).fingerprint
    change_json(tiny / "config_sentence_transformers.json", **settings)
    encoder = load_encoder(str(tiny), precision="float32", device="cpu")
    reference = SentenceTransformer(str(tiny), device="cpu").encode(TEXTS, normalize_embeddings=True)
    assert encoder.dim == 5
    assert encoder.fingerprint != before
    assert np.abs(encoder.encode(TEXTS) - reference).max() < 1e-6


def test_a_model_loads_without_a_word(tiny, capfd) -> None:
    load_encoder(str(tiny), device="cpu").encode(TEXTS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: change_weight(folder / "model.safetensors"),
        lambda folder: change_weight(folder / "2_Dense" / "model.safetensors"),
        lambda folder: change_json(folder / "1_Pooling" / "config.json", pooling_mode="cls"),
        lambda folder: change_json(folder / "sentence_bert_config.json", max_seq_length=10),
        lambda folder: change_json(folder / "tokenizer.json", normalizer=None),
    ],
    ids=["weights", "projection", "pooling", "max_length", "tokenizer"],
)
def test_a_changed_file_changes_the_fingerprint(tiny, change) -> None:
    before = encoder_identity(str(tiny), precision="float32")
    change(tiny)
    assert encoder_identity(str(tiny), precision="float32").fingerprint != before.fingerprint


def test_precision_and_revision_change_the_fingerprint_and_aliases_do_not(tiny) -> None:
    def fingerprint(**options: str) -> str:
        return encoder_identity(str(tiny), **options).fingerprint

    assert fingerprint(precision="fp32") == fingerprint(precision="float32")
    assert len({fingerprint(precision=p) for p in ("float32", "bfloat16", "float16")}) == 3
    assert fingerprint(revision="v1") != fingerprint(revision="v2") != fingerprint()


def test_an_identity_survives_json(tiny) -> None:
    identity = encoder_identity(str(tiny)).identity
    assert json.loads(json.dumps(identity)) == identity
    assert identity["precision"] in ("float32", "bfloat16", "float16")


def test_a_damaged_file_is_named(tiny) -> None:
    (tiny / "modules.json").write_text("{not json")
    with pytest.raises(InputFileError, match=r"modules\.json: expected JSON"):
        load_encoder(str(tiny))


def test_damaged_weights_are_named(tiny) -> None:
    (tiny / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(InputFileError, match="expected a model that sentence-transformers loads"):
        load_encoder(str(tiny), device="cpu")


@pytest.mark.parametrize("tensor", [None, np.zeros((3, 3), np.float32)], ids=["missing", "of another shape"])
def test_weights_that_would_be_drawn_at_random_are_refused(tiny, tensor) -> None:
    from safetensors.numpy import load_file, save_file

    path, name = tiny / "model.safetensors", "transformer.layer.1.ffn.lin1.weight"
    tensors = {**load_file(path), name: tensor}
    save_file({k: v for k, v in tensors.items() if v is not None}, path, metadata={"format": "pt"})
    with pytest.raises(InputFileError, match="lin1"):
        load_encoder(str(tiny), device="cpu")


def test_a_model_of_other_parts_is_refused_by_name(tiny) -> None:
    modules = json.loads((tiny / "modules.json").read_text())
    modules[2]["type"] = "custom_code.Projection"
    (tiny / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ConfigError, match=r"found custom_code\.Projection"):
        encoder_identity(str(tiny))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int8"}, "precision 'int8': expected auto, float32"),
        ({"device": "toaster"}, "device 'toaster': expected auto, cpu, cuda"),
        ({"threads": 0}, "threads: expected a whole number >= 1"),
        ({"max_tokens_per_batch": 0}, "max_tokens_per_batch: expected a whole number >= 1"),
        ({"trust_remote_code": True}, "full commit"),
        ({"trust_remote_code": True, "revision": "main"}, "full commit"),
        ({"trust_remote_code": True, "revision": f"{COMMIT}:main"}, "full commit"),
    ],
)
def test_an_option_that_means_nothing_is_refused(tiny, options, message) -> None:
    with pytest.raises(ConfigError, match=message):
        load_encoder(str(tiny), **options)


@pytest.mark.parametrize(
    ("features", "precision"),
    [({"avx2": True}, "float32"), ({"avx512_bf16": True}, "bfloat16"), ({"bf16": True}, "bfloat16"), ({}, "float32")],
)
def test_auto_is_bfloat16_only_where_the_cpu_computes_it(monkeypatch, features, precision) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: MappingProxyType(features))
    assert resolve_precision("auto", "cpu") == precision


def test_overflow_is_an_error_and_not_a_vector(tiny) -> None:
    from safetensors.numpy import load_file, save_file

    path = tiny / "model.safetensors"
    tensors = {name: tensor * 1e4 if "ffn" in name else tensor for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"found overflow with precision float16\. Use precision float32"):
        load_encoder(str(tiny), precision="float16", device="cpu").encode(TEXTS)


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = "import sys, dynprof.encoders; print([m for m in ('torch', 'transformers', 'sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
