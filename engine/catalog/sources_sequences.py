"""Text and time series from files."""

from __future__ import annotations

from engine.catalog.entry import Source
from engine.catalog.fields import Bool, Int, Option, Path, Text
from engine.catalog.sources import STANDARDISE

TEXT = Source(
    id="text",
    title="Text",
    doc="A text file, or a folder of them, as windows of characters or words; what is to be learned is the token that "
    "follows. The end of the text validates.",
    source="layerlab",
    kind="text",
    target="token",
    fields=(
        Path("path", None, optional=True, doc="The text file (UTF-8), or a folder of .txt files."),
        Option("level", "character", options=("character", "word"), doc="What a token is."),
        Int("length", 64, lo=1, hi=65536, unit="tokens", doc="Tokens that the network sees."),
        Option(
            "learn",
            "next",
            options=("next", "each"),
            doc="next: the token that follows the window, for a network with one answer; each: at every place the token "
            "that follows it, for a network that answers at every place and sees no later one.",
        ),
        Int("stride", 1, lo=1, hi=65536, unit="tokens", doc="Step from one window to the next."),
        Int(
            "vocabulary",
            10000,
            lo=2,
            hi=1_000_000,
            unit="tokens",
            doc="Most tokens to tell apart, the commonest first; all others are one unknown token.",
        ),
        Bool("lower_case", False, doc="Do not tell capital letters apart."),
    ),
)
SERIES = Source(
    id="series",
    title="Time series",
    doc="Windows of a series that is a CSV or Parquet table (a row per time step) or an .npy array (steps first); what "
    "is to be learned is a column's value `horizon` steps after the window. The end of the series validates.",
    source="layerlab",
    kind="series",
    target="value",
    fields=(
        Path("path", None, optional=True, doc="The file."),
        Text(
            "columns",
            None,
            optional=True,
            doc="Columns that the network sees, with commas; empty: all of numbers.",
        ),
        Text(
            "target", None, optional=True, doc="Column to foretell; empty: the first that the network sees."
        ),
        Int("window", 32, lo=1, hi=65536, unit="steps", doc="Steps that the network sees."),
        Int("horizon", 1, lo=1, hi=65536, unit="steps", doc="How far behind the window the value lies."),
        Int("stride", 1, lo=1, hi=65536, unit="steps", doc="Step from one window to the next."),
        Option(
            "layout",
            "steps first",
            options=("steps first", "channels first"),
            doc="[steps, columns] as recurrent layers and transformers read, or [columns, steps] as Conv1d does.",
        ),
        STANDARDISE,
    ),
)
