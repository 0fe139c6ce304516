"""How far a population of users moved between two snapshots: five measures, each 0 or a half when nothing happened."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist
from scipy.stats import ks_2samp, rankdata
from sklearn.linear_model import LogisticRegression

from dynprof.drift.trail import distances, unit
from dynprof.evaluation.holm import holm

__all__ = ["MEASURES", "MIN_USERS", "Moved", "classifier_auc", "compare_populations", "neighbour_loss"]

FloatArray = npt.NDArray[np.float64]

MEASURES = ("turn", "auc", "mmd", "neighbours", "ks")
"""In the order of the tables; greater is always further from where the population was."""

MIN_USERS = 20
"""With fewer users in both snapshots nothing is said."""

_COMPONENTS = 32
_NEIGHBOURS = 10
_FOLDS = 5
_WIDTH_SAMPLE = 500


@dataclass(frozen=True)
class Moved:
    """What two snapshots of the same users differ by.

    Attributes:
        values: By measure.
        own: (n,) 1 - cosine of each user's two profiles.
        p: Of the tests behind `mmd` and, by name of the similarity, `ks`, these after Holm; empty where not asked for.
    """

    values: dict[str, float]
    own: FloatArray
    p: dict[str, float] = field(default_factory=dict)


def compare_populations(
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    *,
    own_reference: FloatArray,
    n_permutations: int = 0,
    seed: int = 0,
) -> Moved:
    """All measures.

    Args:
        before: (n, dim) profiles of n >= `MIN_USERS` users.
        after: (n, dim) the same users' later.
        own_reference: 1 - cosine of users' two profiles when nothing happens, any number of them.
        n_permutations: For the p of `mmd`; 0 leaves all p out.
        seed: Of the permutations.
    """
    a, b = unit(before), unit(after)
    own = distances(a, b)
    small_a, small_b = _principal(a, b)
    discrepancy, p_mmd = _mmd(small_a, small_b, n_permutations, np.random.default_rng(seed))
    similarities = {"mean": (_to_mean(a, a), _to_mean(a, b)), "nearest": (_nearest(a), _nearest(b))}
    tests = {name: ks_2samp(x, y, method="asymp") for name, (x, y) in similarities.items()}
    if len(own_reference):
        tests["own"] = ks_2samp(own, own_reference, method="asymp")
    values = {
        "turn": float(own.mean()),
        "auc": classifier_auc(small_a, small_b),
        "mmd": discrepancy,
        "neighbours": neighbour_loss(a, b),
        "ks": max(float(t.statistic) for t in tests.values()),
    }
    adjusted = holm(np.array([t.pvalue for t in tests.values()]))
    p = {f"ks {name}": float(value) for name, value in zip(tests, adjusted, strict=True)}
    return Moved(values, own, {"mmd": p_mmd, **p} if n_permutations else {})


def neighbour_loss(a: FloatArray, b: FloatArray, k: int = _NEIGHBOURS) -> float:
    """1 - mean share of a user's k nearest users, by cosine, that are still among the k nearest.

    Args:
        a: (n, dim) unit profiles, n > 1.
        b: (n, dim) the same users' later.
        k: Fewer where there are fewer others.
    """
    k = min(k, len(a) - 1)
    before, after = _nearest_sets(a, k), _nearest_sets(b, k)
    return 1 - float((before & after).sum()) / (k * len(a))


def classifier_auc(a: FloatArray, b: FloatArray) -> float:
    """How well a logistic regression tells the two apart: area under the curve, 0.5 for not at all.

    A user's two rows are in the same fold: else it would learn users and be wrong about them.

    Args:
        a: (n, d).
        b: (n, d) the same users' later.
    """
    centre, scale = a.mean(axis=0), np.maximum(a.std(axis=0), 1e-9)
    fold = np.arange(len(a)) % _FOLDS
    found = []
    for held in range(_FOLDS):
        inside, outside = fold != held, fold == held
        learn = (np.vstack([a[inside], b[inside]]) - centre) / scale
        labels = np.repeat([0, 1], inside.sum())
        model = LogisticRegression(C=0.1, max_iter=200).fit(learn, labels)
        scores = [model.decision_function((x[outside] - centre) / scale) for x in (a, b)]
        found.append(_area(*scores))
    return float(np.mean(found))


def _area(negative: FloatArray, positive: FloatArray) -> float:
    ranks = rankdata(np.concatenate([negative, positive]))[len(negative) :]
    wins = ranks.sum() - len(positive) * (len(positive) + 1) / 2
    return float(wins / (len(positive) * len(negative)))


def _principal(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both on the first principal components of both together: a new direction is among them."""
    centre = (a.mean(axis=0) + b.mean(axis=0)) / 2
    both = np.vstack([a, b]) - centre
    _, vectors = np.linalg.eigh(both.T @ both)
    axes = vectors[:, ::-1][:, :_COMPONENTS]
    return (a - centre) @ axes, (b - centre) @ axes


def _mmd(a: FloatArray, b: FloatArray, n_permutations: int, rng: np.random.Generator) -> tuple[float, float]:
    """Squared maximum mean discrepancy, and its p when each user's two profiles are swapped at random.

    Source: Gretton and others, A Kernel Two-Sample Test, JMLR 2012; biased estimate, median width.
    """
    both = np.vstack([a, b])
    step = max(1, len(both) // _WIDTH_SAMPLE)
    width = max(float(np.median(pdist(both[::step], "sqeuclidean"))), 1e-12)
    norms = np.square(both).sum(axis=1)
    kernel = np.exp(-np.maximum(norms[:, None] + norms[None, :] - 2 * both @ both.T, 0) / width)
    signs = np.where(rng.random((n_permutations, len(a))) < 0.5, -1.0, 1.0)
    signs = np.vstack([np.ones(len(a)), signs])
    signs = np.hstack([signs, -signs])
    values = np.einsum("pn,pn->p", signs @ kernel, signs) / len(a) ** 2
    return float(values[0]), float(np.count_nonzero(values >= values[0] * (1 - 1e-12)) / len(values))


def _to_mean(of: FloatArray, x: FloatArray) -> FloatArray:
    return np.asarray(x @ unit(of.mean(axis=0)), np.float64)


def _nearest(x: FloatArray) -> FloatArray:
    return np.asarray(_others(x).max(axis=1), np.float64)


def _nearest_sets(x: FloatArray, k: int) -> npt.NDArray[np.bool_]:
    near = np.argpartition(-_others(x), k - 1, axis=1)[:, :k]
    found = np.zeros((len(x), len(x)), np.bool_)
    np.put_along_axis(found, near, values=True, axis=1)
    return found


def _others(x: FloatArray) -> FloatArray:
    """(n, n) cosines, none with oneself."""
    cosines = x @ x.T
    np.fill_diagonal(cosines, -np.inf)
    return np.asarray(cosines)
