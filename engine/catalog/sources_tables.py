"""Tables and arrays from files."""

from __future__ import annotations

from engine.catalog.entry import Source
from engine.catalog.fields import Bool, Field, Float, Option, Path, Text
from engine.catalog.sources import STANDARDISE, STANDARDISE_TARGET

_ROLES: tuple[Field, ...] = (
    Text(
        "target",
        None,
        optional=True,
        doc="Column to learn, or several of numbers with commas; empty: the last.",
    ),
    Text(
        "features", None, optional=True, doc="Columns that the network sees, with commas; empty: all others."
    ),
    Text("ignore", None, optional=True, doc="Columns to leave out, with commas."),
    Text(
        "categorical",
        None,
        optional=True,
        doc="Columns whose cells are names though they may look like numbers, with commas.",
    ),
    Option(
        "learn",
        "auto",
        options=("auto", "class", "value"),
        doc="Whether the target is a class or a value; auto: text, yes or no, and few whole numbers are classes.",
    ),
    Option(
        "missing",
        "mean",
        options=("mean", "median", "zero", "drop", "refuse"),
        doc="What stands for an empty cell of numbers, measured on the training rows (an empty name is a category of "
        "its own); drop: rows with one are left out; refuse: say where it is.",
    ),
    STANDARDISE,
    STANDARDISE_TARGET,
    Text(
        "order_by",
        None,
        optional=True,
        doc="Column that rows are sorted by (numbers, dates as YYYY-MM-DD…); the last rows then validate.",
        advanced=True,
    ),
)

CSV = Source(
    id="csv",
    title="CSV table",
    doc="A table of comma-separated values with a line of names above; columns of numbers and of text. Each text column "
    "becomes a 0/1 column per category.",
    source="RFC 4180",
    kind="table",
    target="",
    fields=(
        Path("path", None, optional=True, doc="The file."),
        *_ROLES,
        Option(
            "separator",
            "auto",
            options=("auto", "comma", "semicolon", "tab", "pipe", "space"),
            doc="Between cells; auto: whichever parts the first lines evenly.",
            advanced=True,
        ),
        Bool("header", True, doc="Whether the first line names the columns.", advanced=True),
    ),
)
PARQUET = Source(
    id="parquet",
    title="Parquet table",
    doc="A table in a Parquet file; columns of numbers, text, dates, and yes or no.",
    source="Apache Parquet",
    kind="table",
    target="",
    fields=(Path("path", None, optional=True, doc="The file."), *_ROLES),
)

_ARRAYS: tuple[Field, ...] = (
    Text(
        "inputs",
        None,
        optional=True,
        doc="Arrays that the network sees, with commas, each a column of that name; empty: x, X, inputs, images or "
        "data, or the only one beside the targets.",
    ),
    Text(
        "targets",
        None,
        optional=True,
        doc="Array to learn, an entry for each example; empty: y, Y, targets, labels or target.",
    ),
    Option(
        "learn",
        "auto",
        options=("auto", "class", "value"),
        doc="Whether targets are class numbers or values; auto: whole numbers are classes.",
    ),
    Option(
        "dtype",
        "float32",
        options=("float32", "int64"),
        doc="What the network receives; int64 for numbers of tokens.",
    ),
    Float(
        "scale",
        None,
        optional=True,
        doc="Inputs are multiplied by this; empty: bytes by 1/255, other numbers as they are.",
    ),
    STANDARDISE_TARGET,
)
NUMPY = Source(
    id="numpy",
    title="NumPy arrays",
    doc="Arrays of any dimensions, examples first, from an .npz file, or from an .npy file with a second one for the "
    "targets. x_test and y_test beside x_train and y_train are the test examples. Arrays of Python objects are refused.",
    source="numpy.lib.format",
    kind="array",
    target="",
    fields=(
        Path("path", None, optional=True, doc="The .npz file, or the .npy file of inputs."),
        Path(
            "targets_path", None, optional=True, doc="The .npy file of targets, where path is one of inputs."
        ),
        *_ARRAYS,
    ),
)
SAFETENSORS = Source(
    id="safetensors",
    title="Safetensors arrays",
    doc="Arrays of any dimensions, examples first, from a .safetensors file. x_test and y_test beside x_train and "
    "y_train are the test examples.",
    source="Hugging Face safetensors",
    kind="array",
    target="",
    fields=(Path("path", None, optional=True, doc="The file."), *_ARRAYS),
)
