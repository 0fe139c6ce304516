"""What a model's folder says about itself, read from its JSON files without loading the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynprof.errors import ConfigError, InputFileError

__all__ = ["Architecture", "read_architecture", "read_json"]

SUPPORTED_MODULES = ("Transformer", "Pooling", "Dense", "Normalize", "LayerNorm", "Dropout")
DEFAULT_MAX_LENGTH = 512
"""Tokens, for a model that states no limit: attention grows with the square."""

# Source: the files and key names that sentence-transformers 6.2 and its older versions wrote.
TRANSFORMER_SETTINGS = [
    f"sentence_{kind}_config.json" for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta")
]
HIDDEN_SIZE_KEYS = ("hidden_size", "dim", "d_model", "n_embd")
OLD_POOLING_KEYS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True)
class Architecture:
    """Shape of a sentence-transformers model.

    Attributes:
        modules: Class names in order, the first "Transformer".
        folders: Folder of each, relative to the model's; "" is the model's own.
        dim: Length of a vector.
        max_length: Tokens read of a text, special ones included.
        pooling: How token vectors become one; several are put side by side.
        prompt: Put before every text; "" for most models.
        code_repositories: Other repositories of the hub that hold Python code of the model.
    """

    modules: tuple[str, ...]
    folders: tuple[str, ...]
    dim: int
    max_length: int
    pooling: tuple[str, ...]
    prompt: str
    code_repositories: tuple[str, ...] = ()


def read_architecture(folder: Path) -> Architecture:
    """Read `modules.json` and what it names; a folder without it is a bare transformer with mean pooling.

    Raises:
        ConfigError: The model has a part that this package does not run.
        InputFileError: A file is missing, is not JSON, or lacks a needed key.
    """
    general = read_json(folder / "config_sentence_transformers.json")
    transformer = read_json(folder / "config.json")
    modules = _modules(folder, general)
    dim, pooling = _hidden_size(folder, transformer), _default_pooling(transformer)
    prompt = (general.get("prompts") or {}).get(general.get("default_prompt_name")) or ""
    for kind, place in modules:
        settings = read_json(folder / place / "config.json")
        if kind == "Pooling" and settings:
            pooling = _pooling_modes(folder / place, settings, prompt)
            dim *= len(pooling)
        elif kind == "Dense":
            dim = int(settings["out_features"])
    return Architecture(
        modules=tuple(kind for kind, _ in modules),
        folders=tuple(place for _, place in modules),
        dim=min(dim, general.get("truncate_dim") or dim),
        max_length=_max_length(folder, transformer),
        pooling=pooling,
        prompt=prompt,
        code_repositories=_code_repositories(transformer, read_json(folder / "tokenizer_config.json")),
    )


def _modules(folder: Path, general: dict[str, Any]) -> list[tuple[str, str]]:
    """Class name and folder of each module, in order."""
    path = folder / "modules.json"
    if general.get("model_type", "SentenceTransformer") != "SentenceTransformer":
        raise ConfigError(
            f"{folder}: expected a SentenceTransformer (one vector a text), found a {general['model_type']}. "
            "Use another model."
        )
    if not path.is_file():
        return [("Transformer", ""), ("Pooling", "")]
    entries = [(str(entry["type"]), str(entry["path"])) for entry in read_json(path)]
    modules = [(kind.rpartition(".")[2], place) for kind, place in entries]
    unknown = [k for k, _ in entries if not k.startswith("sentence_transformers.")] or [
        kind for kind, _ in modules if kind not in SUPPORTED_MODULES
    ]
    kinds = [kind for kind, _ in modules]
    if unknown or kinds[:1] != ["Transformer"] or kinds.count("Transformer") != 1 or "Pooling" not in kinds:
        raise ConfigError(
            f"{path}: expected one Transformer first, a Pooling, and of the rest only "
            f"{', '.join(SUPPORTED_MODULES[2:])}; found {', '.join(unknown or kinds) or 'nothing'}. "
            "Use a model built of these."
        )
    return modules


def _hidden_size(folder: Path, transformer: dict[str, Any]) -> int:
    """Length of a token's vector."""
    for key in HIDDEN_SIZE_KEYS:
        if isinstance(transformer.get(key), int):
            return int(transformer[key])
    raise InputFileError(
        f"{folder / 'config.json'}: expected one of {', '.join(HIDDEN_SIZE_KEYS)}, found "
        f"{', '.join(sorted(transformer)) or 'no such file'}. Use the folder of a text encoder, with all its files."
    )


def _default_pooling(transformer: dict[str, Any]) -> tuple[str, ...]:
    """What sentence-transformers does with a model that does not say."""
    causal = any(a.endswith("ForCausalLM") for a in (transformer.get("architectures") or [])[:1])
    return ("lasttoken",) if causal and transformer.get("is_causal", True) else ("mean",)


def _pooling_modes(place: Path, settings: dict[str, Any], prompt: str) -> tuple[str, ...]:
    if prompt and settings.get("include_prompt") is False:
        raise ConfigError(
            f"{place / 'config.json'}: expected pooling over all tokens, found include_prompt=false with the default "
            f"prompt {prompt!r}. Use another model."
        )
    if modes := settings.get("pooling_mode"):
        return (modes,) if isinstance(modes, str) else tuple(modes)
    return tuple(mode for key, mode in OLD_POOLING_KEYS.items() if settings.get(key)) or ("mean",)


def _max_length(folder: Path, transformer: dict[str, Any]) -> int:
    """The model's own limit, else the lower one of its tokenizer and of its positions."""
    settings: dict[str, Any] = next(filter(None, (read_json(folder / name) for name in TRANSFORMER_SETTINGS)), {})
    if stated := settings.get("max_seq_length"):
        return int(stated)
    tokenizer = read_json(folder / "tokenizer_config.json")
    limits = (tokenizer.get("model_max_length"), transformer.get("max_position_embeddings"))
    # A tokenizer without a limit states 10^30, a model with relative positions -1.
    return min((int(limit) for limit in limits if limit and 0 < limit < 1e6), default=DEFAULT_MAX_LENGTH)


def read_json(path: Path) -> Any:
    """A JSON file, {} where there is none.

    Raises:
        InputFileError: The file is not JSON.
    """
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputFileError(f"{path}: expected JSON, found: {error}. Copy the model's files again.") from error


def _code_repositories(*settings: dict[str, Any]) -> tuple[str, ...]:
    """Repositories in references like "owner/name--file.Class"; those without "--" lie in the model's folder."""
    references: list[Any] = [r for s in settings for r in (s.get("auto_map") or {}).values()]
    flat = [one for r in references for one in (r if isinstance(r, list) else [r])]
    return tuple(sorted({one.partition("--")[0] for one in flat if one and "--" in one}))
