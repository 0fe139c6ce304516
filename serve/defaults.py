"""What a question that does not say is answered with: the corpus's choice where there is one for this snapshot."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from dynprof.decay import Decay, DecayKind
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.learned_decay import LEARNED, LearnedDecay
from dynprof.lineage import present_corpus
from dynprof.recommend import DEFAULT_ITEM_HALF_LIFE, DEFAULT_METRIC, Metric
from dynprof.store import SnapshotStore
from dynprof.tuning.choice import CHOICE, Choice, read_choice

__all__ = ["Defaults", "read_defaults"]

LOG = logging.getLogger("dynprof.serve")

_KIND: DecayKind = "exponential"


@dataclass(frozen=True)
class Defaults:
    """How a question is completed.

    Attributes:
        decay: Where neither kind nor half-life are named.
        half_life: Of a kind that is named alone.
        metric: Of recommendations.
        item_half_life: Of `cosine_time`.
        learned: What `kind=learned` reads; None where none was fitted.
        is_chosen: Whether they come from the workspace's choice.
        note: Why they do not, or what of it takes another build; None where there is nothing to say.
    """

    decay: Decay
    half_life: str
    metric: Metric = DEFAULT_METRIC
    item_half_life: str = DEFAULT_ITEM_HALF_LIFE
    learned: LearnedDecay | None = None
    is_chosen: bool = False
    note: str | None = None

    def complete(self, kind: DecayKind | None, half_life: str | None) -> Decay:
        """The decay of a question.

        Raises:
            ConfigError: `learned` with a half-life, or where none was fitted.
        """
        if kind == LEARNED:
            return self._learned(half_life)
        if kind is None and half_life is None:
            return self.decay
        own = self.decay.kind if self.decay.kind not in (LEARNED, "static") else _KIND
        asked = kind or own
        if half_life is None and asked == self.decay.kind:
            return self.decay
        return Decay(asked, half_life or self.half_life)

    def _learned(self, half_life: str | None) -> Decay:
        if self.learned is None:
            raise ConfigError(
                f"kind: expected a kind that has a formula, found {LEARNED}, and no decay was fitted for this "
                "snapshot. Run `python -m jobs.evaluate --tune`, then POST /v1/snapshot/reload."
            )
        if half_life is not None:
            raise ConfigError(
                f"half_life: expected none with kind=learned, whose curve is fitted, found {half_life!r}."
            )
        return self.learned


def read_defaults(store: SnapshotStore) -> Defaults:
    """The choice, where it is of the snapshot's encoder and corpus, an earlier or later state of it included.

    A choice that is absent, of something else or cannot be read is no reason not to answer: the built-in defaults hold,
    and `note` says why.
    """
    built_in = Defaults(Decay(_KIND, store.default_half_life), store.default_half_life)
    try:
        choice = read_choice(store.workspace)
    except WorkspaceError as error:
        LOG.warning("choice not read: %s", error)
        return _with_note(built_in, str(error))
    if choice is None:
        return built_in
    if choice.fingerprint != store.spec.fingerprint:
        other = (
            f"{CHOICE} is of encoder {choice.encoder} ({choice.fingerprint}), the snapshot of {store.spec.fingerprint}."
        )
        return _with_note(built_in, other)
    if present_corpus(store.workspace).at(choice.corpus_id) < 0:
        return _with_note(built_in, f"{CHOICE} is of corpus {choice.corpus_id}, which is not this workspace's.")
    return Defaults(
        choice.decay,
        store.default_half_life if choice.decay.half_life is None else str(choice.decay.half_life),
        choice.metric,
        choice.item_half_life or DEFAULT_ITEM_HALF_LIFE,
        choice.decay if isinstance(choice.decay, LearnedDecay) else choice.learned,
        is_chosen=True,
        note=_other_build(store, choice),
    )


def _with_note(defaults: Defaults, note: str) -> Defaults:
    return Defaults(defaults.decay, defaults.half_life, note=note)


def _other_build(store: SnapshotStore, choice: Choice) -> str | None:
    """What of the choice is a matter of the build, where the snapshot was built otherwise."""
    spec = store.spec
    types = sorted({*choice.type_weights, *spec.type_weights})
    differ = [t for t in types if choice.type_weights.get(t, 1.0) != spec.type_weights.get(t, 1.0)]
    wanted = [f"--weights {','.join(f'{t}={choice.type_weights.get(t, 1.0):g}' for t in differ)}"] if differ else []
    if choice.prior_weight != spec.prior_weight:
        wanted.append(f"--prior-weight {choice.prior_weight:g}")
    if not wanted:
        return None
    return f"The choice weighs otherwise than the snapshot: build it with {' '.join(wanted)}."
