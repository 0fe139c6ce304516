"""Is the account category in the profile? Logistic regression on profiles, tested on users that it has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from benchmarks.study.corpora import Posts, ask_at
from benchmarks.study.profiles import unit_profiles
from dynprof.decay import Decay

__all__ = ["predict", "profiles_of_users"]

_FEWEST_USERS = 10
_FOLDS = 5


def profiles_of_users(
    posts: Posts, categories: npt.NDArray[np.object_], decays: Sequence[Decay]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.object_]]:
    """(n, m, dim) profiles as of just after each user's last event, and (n,) categories of at least ten users.

    As of a common time the profile of a user who stopped early would be read at another age than the others'.
    """
    names, counts = np.unique(categories.astype(str), return_counts=True)
    kept = [n for n, c in zip(names, counts, strict=True) if n and c >= _FEWEST_USERS]
    users = np.flatnonzero(np.isin(categories.astype(str), kept) & (posts.starts >= 0))
    last = np.zeros(len(posts.starts), np.int64)
    np.maximum.at(last, posts.log.users, posts.log.event_us)
    parts = [
        unit_profiles(posts, ask_at(posts, block, last[block] + 1), decays)
        for block in np.array_split(users, max(1, len(users) // 100))
    ]
    return np.concatenate(parts), categories[users]


def predict(
    profiles: npt.NDArray[np.float32], categories: npt.NDArray[np.object_], seed: int = 0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Whether each user's category was predicted by a model that was fitted on other users.

    Args:
        profiles: (n, m, dim) norm 1.
        categories: (n,)
        seed: Of the folds.

    Returns:
        (n, m) of the m profiles and (n,) of the majority among the users fitted on; 0 or 1.
    """
    right = np.zeros(profiles.shape[:2])
    majority = np.zeros(len(profiles))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    labels = categories.astype(str)
    for fit, test in folds.split(profiles[:, 0], labels):
        names, counts = np.unique(labels[fit], return_counts=True)
        majority[test] = labels[test] == names[np.argmax(counts)]
        for column in range(profiles.shape[1]):
            model = LogisticRegression(C=10.0, max_iter=200)
            with warnings.catch_warnings():  # 200 steps are the regularisation of all columns alike
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(profiles[fit, column], labels[fit])
            right[test, column] = model.predict(profiles[test, column]) == labels[test]
    return right, majority
