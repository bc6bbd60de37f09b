"""Real data sets that come along: nothing to download. Their loaders are in :mod:`engine.data`."""

from __future__ import annotations

from engine.catalog.entry import Source
from engine.catalog.fields import Bool

STANDARDISE = Bool(
    "standardise",
    True,
    doc="Bring each column of numbers to mean 0 and deviation 1, measured on the training examples.",
)
STANDARDISE_TARGET = Bool(
    "standardise_target",
    True,
    doc="Bring the values to be learned to mean 0 and deviation 1, measured on the training examples; "
    "errors are then in deviations.",
)

DIGITS = Source(
    id="digits",
    title="Handwritten digits, 8 × 8",
    doc="1,797 handwritten digits of 8 × 8 pixels, ten classes, scaled to 0 … 1. Comes with scikit-learn: nothing to download.",
    source="sklearn.datasets.load_digits; UCI, Alpaydin and Kaynak 1998",
    kind="image",
)
IRIS = Source(
    id="iris",
    title="Iris flowers",
    doc="150 flowers of three species, by length and width of sepal and petal in cm.",
    source="sklearn.datasets.load_iris; Fisher 1936",
    kind="table",
    fields=(STANDARDISE,),
)
WINE = Source(
    id="wine",
    title="Wines",
    doc="178 wines of three growers, by 13 chemical measures.",
    source="sklearn.datasets.load_wine; UCI, Forina 1991",
    kind="table",
    fields=(STANDARDISE,),
)
BREAST_CANCER = Source(
    id="breast_cancer",
    title="Breast cancer, Wisconsin",
    doc="569 tumours, malignant or benign, by 30 measures of their cells.",
    source="sklearn.datasets.load_breast_cancer; UCI, Wolberg, Street and Mangasarian 1993",
    kind="table",
    fields=(STANDARDISE,),
)
DIABETES = Source(
    id="diabetes",
    title="Diabetes, progression after a year",
    doc="442 patients by age, sex, body mass index, blood pressure and six serum measures; the value to learn is "
    "the disease's progression after a year.",
    source="sklearn.datasets.load_diabetes; Efron, Hastie, Johnstone and Tibshirani 2004",
    kind="table",
    target="value",
    fields=(STANDARDISE, STANDARDISE_TARGET),
)
