"""What real posts look like: the numbers that the world is drawn to match, in one place.

Source: 374,294 posts of 400 accounts, 2012 to 2018, and 251,184 reposts of 1,984 accounts, published by FiveThirtyEight
(Linvill and Warren, Clemson University). Measured once; `tests/unit/test_world.py` holds the world to them.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "ACTIVITY_LIMIT",
    "ACTIVITY_SIGMA",
    "LANGUAGE_SHARES",
    "LENGTHS",
    "LENGTH_LEVELS",
    "MENTION_SHARE",
    "REPEAT_SHARE",
    "REPOST_AGE_MEDIAN_S",
    "REPOST_AGE_SIGMA",
    "TAG_SHARES",
    "URL_SHARES",
]

LENGTH_LEVELS = np.array([0.0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 1.0])
LENGTHS = np.array([20.0, 27.0, 41.0, 54.0, 77.0, 103.0, 126.0, 139.0, 142.0, 164.0, 240.0])
"""Quantiles of the characters of a text, links and all. The ends are rounded: the real ones are 1 and 769."""

URL_SHARES = np.array([0.234, 0.468, 0.298])
"""Share of texts with no, one and two links."""

TAG_SHARES = np.array([0.665, 0.216, 0.070, 0.049])
"""Share of texts with no, one, two and three or more hashtags of letters and digits of any script."""

MENTION_SHARE = 0.141
"""Share of texts that name another account."""

REPEAT_SHARE = 0.120
"""1 - distinct prepared texts / texts. Counted as rows whose text occurs more than once, it is 0.195."""

ACTIVITY_SIGMA = 2.0
"""Of the lognormal events a user: median 134 and mean 936 say sqrt(2 ln(936/134)) = 1.97, the quartiles (28, 542) say
2.2, the 99th percentile (12,717) says 1.96."""

ACTIVITY_LIMIT = 3.0
"""Standard deviations from the median at which activity ends. The most active of 400 users has 19,748 events, 147 times
the median, which is 2.5; without an end, one user of a large world would make a tenth of it."""

REPOST_AGE_MEDIAN_S = 2_280.0
"""Age of an item when it is reposted: median 38 minutes, quartiles 15 and 81 minutes, 90th percentile 3.6 hours."""

REPOST_AGE_SIGMA = 1.3
"""Of the lognormal age: the quartiles say ln(81/15) / 1.349 = 1.25, the 90th percentile 1.36."""

LANGUAGE_SHARES = {"en": 0.65, "ru": 0.22, "de": 0.09, "es": 0.04}
"""Of texts; the real share of Spanish is 0.001, raised so that a small world has some."""
