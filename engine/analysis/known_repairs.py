"""Ways out that were tried a moment ago: they hold while what they change is as it was."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from engine.analysis.advice_repairs import may_be_mended
from engine.diff import Change
from engine.findings import Analysis, Problem, Repair
from engine.network import Network

_Key = tuple[str, str, str | None, str | None]


class KnownRepairs:
    """The ways out of what was wrong with the drawing that was analysed last.

    While somebody drags elsewhere the same problems are found again and again. Without this their ways out
    would go and come back at each step, as long as it takes to try them anew.
    """

    def __init__(self) -> None:
        self._network = Network()
        self._repairs: Mapping[_Key, tuple[Repair, ...]] = {}

    def learn(self, network: Network, analysis: Analysis) -> None:
        """Remember what was found to help `network`."""
        self._network = network
        self._repairs = {
            _key(problem): problem.repairs
            for problem in analysis.problems
            if problem.repairs and (problem.severity == "error" or may_be_mended(problem))
        }

    def recall(self, network: Network, analysis: Analysis) -> Analysis:
        """`analysis`, its problems with the ways out that were tried where all was the same.

        Errors that have ways out keep theirs: these are not searched.
        """
        if not self._repairs:
            return analysis
        problems = tuple(
            replace(problem, repairs=self._still(network, problem) or problem.repairs)
            if _key(problem) in self._repairs and not (problem.severity == "error" and problem.repairs)
            else problem
            for problem in analysis.problems
        )
        return replace(analysis, problems=problems)

    def _still(self, network: Network, problem: Problem) -> tuple[Repair, ...]:
        return tuple(
            repair
            for repair in self._repairs.get(_key(problem), ())
            if all(_same(network, self._network, change) for change in repair.changes)
        )


def _key(problem: Problem) -> _Key:
    return problem.code, problem.message, problem.node, problem.field


def _same(a: Network, b: Network, change: Change) -> bool:
    """Whether `change` finds the same in both."""
    part, *rest = change.path
    if part == "nodes" and rest:
        if a.nodes.get(rest[0]) is not b.nodes.get(rest[0]):
            return False
        # By its place among the others a node is put in, or taken out, where no other wires lead to it.
        return len(rest) > 1 or (a.edges == b.edges and list(a.nodes) == list(b.nodes))
    if part == "edges" and a.nodes.keys() != b.nodes.keys():
        return False  # one that it would wire may be gone
    mine, others = getattr(a, part, None), getattr(b, part, None)
    return mine is others or mine == others
