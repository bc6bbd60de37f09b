"""What the window asks of the hosts about its document and its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.findings import Analysis
from engine.host.client import HostProblem
from engine.host.pool import Pool
from gui.document import Document
from gui.elsewhere import Elsewhere, machine_of
from gui.examples import Examples
from gui.session import Session

#: Of so much the analysis host does not stand still for longer than a few frames: parameters that are drawn,
#: multiplications; and the points of a plane.
LIGHT_PARAMETERS, LIGHT_MACS, POINTS = 2_000_000, 500_000_000, 96 * 96


class Questions:
    """Each method hands one question on and gives its number; the signal ``answered`` brings the answer.

    A part of :class:`gui.workers.Workers`, which has what is declared here.
    """

    pool: Pool
    elsewhere: Elsewhere
    session: Session
    analysis: Analysis
    document: Document
    examples: Examples

    def _document(self) -> bytes:
        """The document as it is now, to be sent."""
        raise NotImplementedError

    def preview_init(self, node: str, parameter: str) -> int:
        """Ask for a draw of one parameter of the document; `answered` brings an InitPreview."""
        return self.pool.preview_init(self._document(), node, parameter)

    def preview_activation(self, id: str, fields: Mapping[str, Any] | None = None) -> int:
        """Ask for an activation's curve; `answered` brings a CurvePreview."""
        return self.pool.preview_activation(id, fields)

    def preview_binarizer(self, id: str, fields: Mapping[str, Any] | None = None) -> int:
        """Ask for a binarizer's two curves; `answered` brings a CurvePreview."""
        return self.pool.preview_binarizer(id, fields)

    def look_at_data(self, path: str | None = None, download: bool = False) -> int:
        """Ask what the document's data look like, or what lies at a path; `answered` brings a DataLooked.

        It brings a DataAbsent where files of a well-known set could be fetched, which `download` asks for.
        """
        return self.pool.look_at_data(self._document(), path, download)

    def cancel_data(self, request: int) -> None:
        """Call a look at data off; `answered` brings a Failed."""
        self.pool.cancel_data(request)

    def what_if(self, node: str, block: str | None, path: str, field: str, values: tuple[Any, ...]) -> int:
        """Ask what a field's values would come to; `answered` brings Variants."""
        return self.pool.what_if(self._document(), node, block, path, field, values)

    def look_at_estimator(self, node: str, place: str, run: str | None = None) -> int:
        """Ask what one estimator gets and lets pass; `answered` brings an EstimatorSeen."""
        return self.pool.look_at_estimator(self._document(), node, place, run)

    def print_source(self) -> int:
        """Ask for the document as Python source; `answered` brings a SourcePrinted, or a Failed."""
        return self.pool.print_source(self._document())

    def evaluate(self, run: str) -> int:
        """Ask for a run's figures on all its splits; `answered` brings an Evaluated."""
        return self._of(run).evaluate(run)

    def predict(
        self,
        run: str,
        split: str = "validation",
        first: int = 0,
        count: int = 16,
        file: str | None = None,
        pictures: bool = True,
        step: int | None = None,
    ) -> int:
        """Ask what a run makes of examples; `answered` brings a Predicted.

        With the weights that it kept of `step`, else with its best ones; so too below.
        """
        return self._of(run).predict(
            run, split=split, first=first, count=count, file=file, pictures=pictures, step=step
        )

    def respond(
        self,
        run: str | None,
        split: str = "validation",
        index: int = 0,
        values: Sequence[float] = (),
        step: int | None = None,
    ) -> int:
        """Ask how every node of the document responds to an example; `answered` brings a Responded."""
        known = () if values else self.examples.values(self.document.network, split, index)
        number = self._of(run).respond(
            self._document(), run, split, index, values, step, self._light(1), known
        )
        if not values:
            self.examples.asked(number, split, index)
        return number

    def _light(self, examples: int) -> bool:
        """Whether the network is such that to compute so many examples holds up no analysis."""
        totals = self.analysis.totals
        parameters, macs = totals.get("parameters"), totals.get("macs")
        if parameters is None or macs is None or totals.get("unknown"):
            return False
        return parameters <= LIGHT_PARAMETERS and examples * macs <= LIGHT_MACS

    def newest_run(self) -> str | None:
        """The folder of the run that was begun last; None: there is none."""
        return self.session.run or None

    def boundary(
        self, run: str | None, node: str | None = None, unit: int = 0, step: int | None = None
    ) -> int:
        """Ask what the document's network gives on the plane of its inputs; `answered` brings a Mapped."""
        return self._of(run).boundary(self._document(), run, node, unit, step, self._light(POINTS))

    def laboratory(self, schemes: str | None = None, race: int = 0) -> int:
        """Ask what initialisations do to the document; `answered` brings a Measured."""
        return self.pool.laboratory(self._document(), schemes, race)

    def find_batch(self, device: str = "auto") -> int:
        """Ask for the batch size that fits into memory; `answered` brings a BatchFound."""
        device = "auto" if machine_of(device) else device
        return self.pool.find_batch(self._document(), device)

    def find_rate(self, device: str = "auto") -> int:
        """Ask for the loss over a growing learning rate; `answered` brings a RateFound."""
        device = "auto" if machine_of(device) else device
        return self.pool.find_rate(self._document(), device)

    def binary_laboratory(self, run: str | None = None, race: int = 0, estimators: str | None = None) -> int:
        """Ask what the document's estimators do, or race some; `answered` brings a BinaryMeasured."""
        document = self._document()
        return self._of(run).binary_laboratory(document, run, race, estimators)

    def _of(self, run: str | None) -> Pool:
        """The hosts on the machine that a run lies on."""
        machine = self.elsewhere.machine(run)
        if machine is None:
            return self.pool
        try:
            return self.elsewhere.pool(machine)
        except HostProblem:  # it was taken off the list meanwhile; here nothing is found, and said
            return self.pool
