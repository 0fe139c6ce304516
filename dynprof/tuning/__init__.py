"""Which decay, half-life, similarity and weights suit a corpus: chosen on the validation window, written down once."""

from dynprof.tuning.choice import CHOICE, Choice, read_choice, write_choice
from dynprof.tuning.grid import Grid, Similarity
from dynprof.tuning.learned import Fit, LearnedCurve, fit_curve
from dynprof.tuning.search import Search, Tried, search

__all__ = [
    "CHOICE",
    "Choice",
    "Fit",
    "Grid",
    "LearnedCurve",
    "Search",
    "Similarity",
    "Tried",
    "fit_curve",
    "read_choice",
    "search",
    "write_choice",
]
