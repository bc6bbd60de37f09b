"""The questions that a pool of hosts is asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.host.protocol import (
    Analyze,
    BinaryLaboratory,
    Boundary,
    Evaluate,
    FindBatch,
    FindRate,
    Laboratory,
    LookAtData,
    LookAtEstimator,
    Predict,
    PreviewActivation,
    PreviewBinarizer,
    PreviewInit,
    PrintSource,
    Question,
    Respond,
    WhatIf,
)


class Asking:
    """Each method hands one question on and gives its number, by which the answer is known.

    A part of :class:`engine.host.pool.Pool`, which chooses the host that answers.

    Parameters
    ----------
    numbers
        Numbers requests; pools that share it never give the same number twice.
    """

    def __init__(self, numbers: Iterator[int] | None = None) -> None:
        self.numbers = numbers or itertools.count(1)

    @property
    def ready(self) -> bool:
        """Whether a warm spare waits, so that training would start at once."""
        raise NotImplementedError

    def _put(self, question: Question, *, light: bool = False) -> int:
        """Hand `question` to a host; `light`: it holds up nobody, and the analysis host may answer it."""
        raise NotImplementedError

    def _ask(self, make: Callable[[int], Question]) -> int:
        return self._put(make(next(self.numbers)))

    def analyze(self, document: bytes) -> int:
        """Ask for the analysis of a document; its number. Of several waiting only the newest is answered."""
        return self._ask(lambda n: Analyze(n, document))

    def preview_init(self, document: bytes, node: str, parameter: str) -> int:
        """Ask for a draw of one parameter, as training would draw it."""
        return self._ask(lambda n: PreviewInit(n, document, node, parameter))

    def preview_activation(self, id: str, fields: Mapping[str, Any] | None = None) -> int:
        """Ask for an activation's curve."""
        return self._ask(lambda n: PreviewActivation(n, id, fields or {}))

    def preview_binarizer(self, id: str, fields: Mapping[str, Any] | None = None) -> int:
        """Ask for a binarizer's forward and backward curve."""
        return self._ask(lambda n: PreviewBinarizer(n, id, fields or {}))

    def what_if(
        self, document: bytes, node: str, block: str | None, path: str, field: str, values: tuple[Any, ...]
    ) -> int:
        """Ask what a field's values come to. Of several waiting only the newest is answered."""
        return self._ask(lambda n: WhatIf(n, document, node, block, path, field, values))

    def print_source(self, document: bytes) -> int:
        """Ask for a document as Python source. Of several waiting only the newest is answered."""
        return self._ask(lambda n: PrintSource(n, document))

    def evaluate(self, run: str, device: str = "auto") -> int:
        """Ask for a run's figures on each of its splits."""
        return self._ask(lambda n: Evaluate(n, run, device))

    def predict(
        self,
        run: str,
        *,
        split: str = "validation",
        first: int = 0,
        count: int = 16,
        file: str | None = None,
        pictures: bool = True,
        step: int | None = None,
    ) -> int:
        """Ask what a run's best weights, or those of a step, make of examples, or of a file."""
        return self._ask(lambda n: Predict(n, run, split, first, count, file, pictures, step))

    def respond(
        self,
        document: bytes,
        run: str | None = None,
        split: str = "validation",
        index: int = 0,
        values: Sequence[float] = (),
        step: int | None = None,
        light: bool = False,
        known: Sequence[float] = (),
    ) -> int:
        """Ask how every node responds to an example, or to `values`; with these it may be `light`.

        That is a network of so few parameters that its answer holds up nobody: the analysis host gives it
        while there is no spare that is ready, which takes seconds as a run begins. So too of an example
        whose values are `known`, which are given in its place then.
        """
        if light and not self.ready:
            values = values or known
        question = Respond(next(self.numbers), document, run, split, index, tuple(values), step)
        return self._put(question, light=light and bool(values))

    def look_at_estimator(self, document: bytes, node: str, place: str, run: str | None = None) -> int:
        """Ask what one estimator gets and lets pass on one real batch."""
        return self._ask(lambda n: LookAtEstimator(n, document, node, place, run))

    def boundary(
        self,
        document: bytes,
        run: str | None = None,
        node: str | None = None,
        unit: int = 0,
        step: int | None = None,
        light: bool = False,
    ) -> int:
        """Ask what a network of two inputs gives on their plane; `light`: as of :meth:`respond`."""
        return self._put(Boundary(next(self.numbers), document, run, node, unit, step=step), light=light)

    def laboratory(self, document: bytes, schemes: str | None = None, race: int = 0) -> int:
        """Ask what initialisations do to a document, and for a race of `race` steps."""
        return self._ask(lambda n: Laboratory(n, document, schemes, race))

    def binary_laboratory(
        self, document: bytes, run: str | None = None, race: int = 0, estimators: str | None = None
    ) -> int:
        """Ask what a document's estimators do with a run's weights, or for a race of `race` steps."""
        return self._ask(lambda n: BinaryLaboratory(n, document, run, race, estimators))

    def find_batch(self, document: bytes, device: str = "auto") -> int:
        """Ask for the batch size that fits into memory."""
        return self._ask(lambda n: FindBatch(n, document, device))

    def find_rate(self, document: bytes, device: str = "auto") -> int:
        """Ask for the loss over a growing learning rate."""
        return self._ask(lambda n: FindRate(n, document, device))

    def look_at_data(self, document: bytes, path: str | None = None, download: bool = False) -> int:
        """Ask what a document's data look like, or what lies at a path; `download`: fetch them first."""
        return self._ask(lambda n: LookAtData(n, document, path, download))
