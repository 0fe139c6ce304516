"""Too little memory on a device: smaller batches, never a crash; a device that is not there says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from dynprof.encoders import Encoder, encoder_identity, load_encoder, transformer
from dynprof.errors import ConfigError

from .tiny_model import TEXTS, build_tiny_model, change_weight

MANY = [f"{text} {word}" for text in TEXTS for word in ("cat", "dog", "mat", "far", "and we ran")]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    build_tiny_model(folder)
    return folder / "whole"


@pytest.fixture
def encoder(built) -> Encoder:
    return load_encoder(str(built), precision="float32", device="cpu")


def limit_memory(encoder: Encoder, most_tokens: int) -> list[int]:
    """Make the first layer refuse more tokens, as a GPU's allocator does; batches that were tried."""
    stack, tried = encoder._body._stack, []
    embed = stack.embed

    def small(ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        tried.append(len(ids))
        if len(ids) > most_tokens:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {len(ids)} tokens.")
        return embed(ids, positions)

    object.__setattr__(stack, "embed", small)
    return tried


def test_out_of_memory_halves_the_batch_and_goes_on(encoder, caplog) -> None:
    expected = encoder.encode(MANY)
    tried = limit_memory(encoder, 30)
    assert np.abs(encoder.encode(MANY) - expected).max() < 1e-6
    assert max(tried) > 30
    assert "out_of_memory device=cpu batch_tokens=" in caplog.text
    tried.clear()
    assert np.abs(encoder.encode(MANY) - expected).max() < 1e-6
    assert max(tried) <= 30, "the smaller batch is remembered"


def test_one_text_that_does_not_fit_is_an_error_that_says_what_to_do(encoder) -> None:
    limit_memory(encoder, 3)
    with pytest.raises(ConfigError, match=r"expected room for a text of \d+ tokens, found cpu\. Use device='cpu'"):
        encoder.encode(MANY)


def test_weights_that_do_not_fit_are_an_error_that_says_what_to_do(built, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(transformer, "Body", full)
    with pytest.raises(ConfigError, match="expected room for its weights, found cpu"):
        load_encoder(str(built), device="cpu")


def test_other_errors_of_the_model_pass_through(encoder) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("expected scalar type Float but found Half")

    object.__setattr__(encoder._body._stack, "embed", broken)
    with pytest.raises(RuntimeError, match="expected scalar type"):
        encoder.encode(MANY)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:7"])
def test_a_gpu_that_is_not_there_says_what_was_found_and_what_to_do(built, device) -> None:
    with pytest.raises(ConfigError, match=rf"device '{device}': expected auto, cpu, cuda .* found: .+\. Use auto\."):
        load_encoder(str(built), device=device)


def test_a_batch_of_only_empty_texts_is_zero_vectors(encoder) -> None:
    vectors = encoder.encode(["", None, "  ", "https://t.co/x"])
    assert vectors.shape == (4, encoder.dim)
    assert not vectors.any()


def test_a_text_of_only_invisible_characters_is_finite(encoder) -> None:
    assert np.isfinite(encoder.encode(["\u200d\u200d", "\u0301"])).all()


def test_weights_are_in_memory_once(encoder) -> None:
    assert not list(encoder._body._model[0].model.transformer.layer)


def test_windows_come_back_in_order(encoder, monkeypatch) -> None:
    expected = encoder.encode(MANY)
    monkeypatch.setattr("dynprof.encoders.encoder.WINDOW_TEXTS", 3)
    assert np.abs(encoder.encode(MANY) - expected).max() < 1e-6


def test_weights_that_change_under_the_same_name_change_the_fingerprint(built, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DYNPROF_MODELS", str(tmp_path))
    shutil.copytree(built, tmp_path / "own")
    on_the_driver = encoder_identity("own", precision="float32")
    change_weight(tmp_path / "own" / "model.safetensors")
    in_the_actor = load_encoder("own", precision="float32", device="cpu")
    assert in_the_actor.name == on_the_driver.name
    assert in_the_actor.fingerprint != on_the_driver.fingerprint
