"""Data sets: where examples come from, how they are split, and what they look like."""

from engine.data.column import Column
from engine.data.dataset import Dataset, Split, load
from engine.data.description import Description, describe
from engine.data.progress import Cancelled, watched

__all__ = ["Cancelled", "Column", "Dataset", "Description", "Split", "describe", "load", "watched"]
