"""Data sets: where examples come from, how they are split, and what they look like."""

from engine.data.column import Column
from engine.data.dataset import Dataset, Split, load
from engine.data.description import Description, describe

__all__ = ["Column", "Dataset", "Description", "Split", "describe", "load"]
