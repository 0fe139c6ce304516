"""Every distinct text to a vector, once: `python -m jobs.encode`.

Texts are brought together by the shard of their hash; an actor encodes a shard and writes it, a part for every user
bucket. A shard is the unit of recovery: a killed run encodes again at most the shards it had in flight.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from ray.data import ActorPoolStrategy

from dynprof.embedded import covers
from dynprof.embeddings import EMBEDDINGS, write_shard
from dynprof.encoders import EncoderIdentity, encoder_identity
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.lineage import CorpusView, present_corpus
from dynprof.workspace import Workspace
from jobs.actors import actor_plan
from jobs.command import Stopwatch, parser, ray_session, run, start_logging
from jobs.encode_tasks import ShardEncoder, texts_of_bucket
from jobs.stages import collect, parts_of

__all__ = ["EncodeOptions", "encode"]

LOG = logging.getLogger("dynprof.encode")

_TEXTS_PER_SHARD = 8_192
_MOST_SHARDS = 2_048
_MOST_PARTITIONS = 512


@dataclass(frozen=True)
class EncodeOptions:
    """Which encoder, and how it runs. Only the first three change a vector.

    Attributes:
        encoder: Name, hub id or folder.
        revision: Of a hub model.
        precision: `auto` is the best the driver's machine has.
        trust_remote_code: Run the model's own code; needs a revision.
        device: `auto` is the GPU where there is one.
        actors: Encoding actors; 0 chooses by the cluster.
        batch_tokens: Tokens a batch; 0 chooses by device.
        shard_texts: About how many texts a shard has: what a killed run encodes again, for each actor.

    Raises:
        ConfigError: A number out of its range.
    """

    encoder: str = "minilm"
    revision: str | None = None
    precision: str = "auto"
    trust_remote_code: bool = False
    device: str = "auto"
    actors: int = 0
    batch_tokens: int = 0
    shard_texts: int = _TEXTS_PER_SHARD

    def __post_init__(self) -> None:
        for flag, least in (("actors", 0), ("batch_tokens", 0), ("shard_texts", 1)):
            if getattr(self, flag) < least:
                raise ConfigError(f"{flag}: expected a whole number >= {least}, found {getattr(self, flag)}.")


def encode(workspace: Workspace, options: EncodeOptions) -> dict[str, Any]:
    """Write `embeddings/<fingerprint>/` for the corpus; only what is not there yet is encoded.

    Returns:
        The embeddings manifest, with `done_before` and `n_encoded_now`.

    Raises:
        ModelNotFoundError: No weights.
        WorkspaceError: No finished corpus.
    """
    view = present_corpus(workspace)
    corpus = dict(view.manifest)
    identity = identify(options)
    folder = (EMBEDDINGS, identity.fingerprint)
    manifest = workspace.read_manifest(*folder)
    if manifest is not None and covers(workspace, identity.fingerprint, view):
        LOG.info("fingerprint=%s finished before, nothing to do", identity.fingerprint)
        return {**manifest, "done_before": True, "n_encoded_now": 0}
    workspace.remove(*folder, "manifest.json")
    workspace.sweep(*folder)
    written = {name: workspace.ipc_metadata(*folder, name) for name in workspace.files(*folder, suffix=".arrow")}
    n_shards = next((m["n_shards"] for m in written.values()), _choose_shards(corpus, options.shard_texts))
    done = {m["shard"] for m in written.values() if m["corpus_id"] == corpus["corpus_id"]}
    LOG.info("fingerprint=%s shards=%d done=%d", identity.fingerprint, n_shards, len(done))
    made = [] if len(done) == n_shards else _encode_shards(workspace, options, identity, view, n_shards, done)
    totals = _finish_shards(workspace, identity, corpus, n_shards, {row["shard"] for row in made})
    described: dict[str, Any] = {
        "fingerprint": identity.fingerprint,
        "encoder": options.encoder,
        "identity": identity.identity,
        "dim": identity.dim,
        "corpus_id": corpus["corpus_id"],
        "created_at": datetime.now(UTC).isoformat(),
        "n_shards": n_shards,
        "n_buckets": corpus["n_buckets"],
        "vector_type": "float16",
        **totals,
    }
    workspace.write_manifest(described, *folder)
    return {**described, "done_before": False, "n_encoded_now": sum(row["n_encoded"] for row in made)}


def identify(options: EncodeOptions) -> EncoderIdentity:
    """What the encoder is, without loading it: finds and hashes its files.

    Raises:
        ConfigError: A flag that means nothing.
        ModelNotFoundError: No weights.
    """
    return encoder_identity(
        options.encoder,
        revision=options.revision,
        precision=options.precision,
        device=options.device,
        trust_remote_code=options.trust_remote_code,
    )


def _choose_shards(corpus: dict[str, Any], shard_texts: int) -> int:
    wanted = (corpus["n_events_with_text"] + corpus["n_bios"]) / shard_texts
    return int(np.clip(2 ** np.ceil(np.log2(max(1.0, wanted))), 1, _MOST_SHARDS))


def _encode_shards(
    workspace: Workspace,
    options: EncodeOptions,
    identity: EncoderIdentity,
    view: CorpusView,
    n_shards: int,
    done: set[int],
) -> list[dict[str, Any]]:
    reading = {"workspace_uri": workspace.uri, "n_shards": n_shards, "done": sorted(done), "segments": view.segments}
    with ray_session():
        texts = parts_of(range(view.n_buckets)).map_batches(
            texts_of_bucket, batch_size=1, batch_format="numpy", fn_kwargs=reading
        )
        n_actors, resources, threads = actor_plan(options.device, options.actors, n_shards - len(done))
        return collect(
            texts.repartition(_partitions(n_shards), keys=["shard"]).map_batches(
                ShardEncoder,
                batch_size=None,
                batch_format="pyarrow",
                # All at once: a pool that grows by itself leaves cores idle while there is work.
                compute=ActorPoolStrategy(size=n_actors, max_tasks_in_flight_per_actor=2),
                fn_constructor_kwargs={
                    "workspace_uri": workspace.uri,
                    "fingerprint": identity.fingerprint,
                    "encoder": {
                        "name": options.encoder,
                        "revision": options.revision,
                        "precision": identity.identity.get("precision", "auto"),
                        "device": options.device,
                        "threads": threads,
                        "trust_remote_code": options.trust_remote_code,
                        "max_tokens_per_batch": options.batch_tokens or None,
                    },
                    "corpus_id": view.corpus_id,
                    "n_buckets": view.n_buckets,
                    "n_shards": n_shards,
                },
                **resources,
            )
        )


def _partitions(n_shards: int) -> int:
    """More than shards, where those are few: Ray places a shard by its hash, and what falls together is one task."""
    return max(n_shards, min(4 * n_shards, _MOST_PARTITIONS))


def _finish_shards(
    workspace: Workspace, identity: EncoderIdentity, corpus: dict[str, Any], n_shards: int, made: set[int]
) -> dict[str, Any]:
    """Empty shards for those without a text, and the totals of all: counts and the mean over events.

    Raises:
        WorkspaceError: An actor wrote a shard that this machine does not see.
    """
    folder = (EMBEDDINGS, identity.fingerprint)
    written = {name: workspace.ipc_metadata(*folder, name) for name in workspace.files(*folder, suffix=".arrow")}
    present = {m["shard"]: m for m in written.values() if m["corpus_id"] == corpus["corpus_id"]}
    if not made <= set(present):
        raise WorkspaceError(
            f"{workspace.path(*folder)}: expected the shards that the actors wrote, found some missing. "
            "A workspace must lie where every node of the cluster reaches it: object storage or a shared file system."
        )
    for shard in set(range(n_shards)) - set(present):
        _write_empty_shard(workspace, identity, corpus, shard, n_shards)
    vector_sum = sum((np.asarray(m["vector_sum"]) for m in present.values()), np.zeros(identity.dim))
    n_events = sum(m["n_events"] for m in present.values())
    return {
        "n_texts": sum(m["n_texts"] for m in present.values()),
        "mean_vector": (vector_sum / max(1, n_events)).tolist(),
    }


def _write_empty_shard(
    workspace: Workspace, identity: EncoderIdentity, corpus: dict[str, Any], shard: int, n_shards: int
) -> None:
    none, counts = np.empty(0, np.int64), {"n_texts": 0, "n_encoded": 0, "n_events": 0}
    write_shard(
        workspace,
        identity.fingerprint,
        shard,
        n_buckets=corpus["n_buckets"],
        needed_by=none,
        hashes=pa.array([], pa.binary(16)),
        rows=none,
        vectors=np.empty((0, identity.dim), np.float16),
        metadata={
            "shard": shard,
            "n_shards": n_shards,
            "corpus_id": corpus["corpus_id"],
            "vector_sum": [0.0] * identity.dim,
            **counts,
        },
    )


def add_flags(made: argparse.ArgumentParser) -> None:
    """The flags of the encoder; `jobs.pipeline` has them too."""
    made.add_argument(
        "--encoder", default="minilm", help="minilm, mpnet, distiluse, jina, static, hashing, a hub id or a folder"
    )
    made.add_argument("--revision", help="of a hub model")
    made.add_argument("--precision", default="auto", help="auto, float32, bfloat16 or float16")
    add_running_flags(made)
    made.add_argument("--shard-texts", type=int, default=_TEXTS_PER_SHARD, help="texts a shard, the unit of recovery")


def add_running_flags(made: argparse.ArgumentParser) -> None:
    """Those that change no vector; `jobs.update`, which cannot choose an encoder, has them too."""
    made.add_argument("--trust-remote-code", action="store_true", help="run the model's own code; needs its revision")
    made.add_argument("--device", default="auto", help="auto, cpu or cuda")
    made.add_argument("--encode-actors", type=int, default=0, help="0 chooses by the cluster")
    made.add_argument("--batch-tokens", type=int, default=0, help="tokens a batch; 0 chooses by device")


def options_from(args: argparse.Namespace) -> EncodeOptions:
    """The flags of `add_flags` as options."""
    return EncodeOptions(
        args.encoder,
        args.revision,
        args.precision,
        args.trust_remote_code,
        args.device,
        args.encode_actors,
        args.batch_tokens,
        args.shard_texts,
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, encode, summarise."""
    made = parser("encode", "Encode every distinct text of the corpus once.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    add_flags(made)
    args = made.parse_args(argv)
    start_logging(args.log_level)
    watch = Stopwatch()
    with watch.stage("encode"):
        manifest = encode(Workspace(args.workspace), options_from(args))
    return {"job": "encode", **summary_of(manifest), "workspace": args.workspace, "seconds": watch.seconds}


def summary_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The part of a summary that the embeddings answer."""
    return {
        "encoder": manifest["encoder"],
        "fingerprint": manifest["fingerprint"],
        "distinct_texts": manifest["n_texts"],
        "encoded_now": manifest["n_encoded_now"],
        "done_before": manifest["done_before"],
    }


if __name__ == "__main__":
    run(main)
