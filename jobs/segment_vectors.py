"""Which segments have no vectors yet, and the encoder that made those of the corpus."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynprof.corpus import CORPUS
from dynprof.embedded import covers, open_vectors
from dynprof.embeddings import EMBEDDINGS
from dynprof.errors import FingerprintError
from dynprof.lineage import CorpusView, corpus_of
from dynprof.live.log import EventLog
from dynprof.workspace import Workspace
from jobs import encode
from jobs.command import ray_session
from jobs.update_encode import encode_segment

__all__ = ["Encoding", "encode_segments", "encoder_arguments", "encoding_from"]


@dataclass(frozen=True)
class Encoding:
    """How new texts are encoded.

    Attributes:
        device: Of the encoder.
        actors: How many shards of texts are encoded at a time; 0 chooses by the cluster.
        batch_tokens: Padded tokens a batch; 0 chooses by device.
        trust_remote_code: As for `jobs.encode`, where the encoder needs it.
    """

    device: str = "auto"
    actors: int = 0
    batch_tokens: int = 0
    trust_remote_code: bool = False


def encoding_from(args: argparse.Namespace) -> Encoding:
    """The flags of `encode.add_running_flags`."""
    return Encoding(args.device, args.encode_actors, args.batch_tokens, args.trust_remote_code)


def encoder_arguments(workspace: Workspace, fingerprint: str, encoding: Encoding) -> dict[str, Any]:
    """What `load_encoder` takes, from the manifest of the vectors.

    Raises:
        FingerprintError: The encoder of that name is another one on this machine.
    """
    manifest = workspace.require_manifest(EMBEDDINGS, fingerprint, made_by="encode")
    known = manifest["identity"]
    revisions = [known[name] for name in ("revision", "code_revision") if known.get(name)]
    arguments = {
        "name": manifest["encoder"],
        "revision": ":".join(revisions) or None,
        "precision": known.get("precision", "auto"),
        "trust_remote_code": encoding.trust_remote_code,
    }
    options_of = encode.EncodeOptions(
        arguments["name"], arguments["revision"], arguments["precision"], encoding.trust_remote_code, encoding.device
    )
    found = encode.identify(options_of).fingerprint
    if found != fingerprint:
        raise FingerprintError(
            f"{workspace.path(EMBEDDINGS, fingerprint)}: expected the encoder {manifest['encoder']} with fingerprint "
            f"{fingerprint}, as of the snapshot, found {found}: its weights or this version of dynprof are others. "
            "Bring the weights back, or start a new workspace."
        )
    return {**arguments, "max_tokens_per_batch": encoding.batch_tokens or None}


def encode_segments(
    workspace: Workspace,
    view: CorpusView,
    fingerprint: str,
    encoder: Mapping[str, Any],
    encoding: Encoding,
    log: EventLog | None,
) -> int:
    """Vectors of the segments that have none yet; what a log of live events has encoded is taken from there.

    Returns:
        How many texts were encoded now.
    """
    n_encoded = 0
    for n_segments in range(1, len(view.segments) + 1):
        after = corpus_of(workspace, view.ids[n_segments], whose=(CORPUS,), what="a corpus")
        if covers(workspace, fingerprint, after):
            continue
        before = corpus_of(workspace, view.ids[n_segments - 1], whose=(CORPUS,), what="a corpus")
        vectors = open_vectors(workspace, fingerprint, before)
        with ray_session():
            n_encoded += encode_segment(
                vectors,
                view.segments[n_segments - 1],
                after.corpus_id,
                encoder,
                device=encoding.device,
                actors=encoding.actors,
                log=log,
            )
    return n_encoded
