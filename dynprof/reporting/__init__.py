"""Reports for people: a page of sections, plots and tables, as one HTML file, PNG and CSV."""

from dynprof.reporting.blocks import Block, Facts, Notes, Page, Prose, Section, Warned
from dynprof.reporting.chart import Axis, Chart, Curve, Curves, Dots, Drawn, Level, Matrix, Panels, Points
from dynprof.reporting.files import save_page
from dynprof.reporting.page import render_page
from dynprof.reporting.static import draw
from dynprof.reporting.table import Interval, Table, chart_table, render_csv

__all__ = [
    "Axis",
    "Block",
    "Chart",
    "Curve",
    "Curves",
    "Dots",
    "Drawn",
    "Facts",
    "Interval",
    "Level",
    "Matrix",
    "Notes",
    "Page",
    "Panels",
    "Points",
    "Prose",
    "Section",
    "Table",
    "Warned",
    "chart_table",
    "draw",
    "render_csv",
    "render_page",
    "save_page",
]
