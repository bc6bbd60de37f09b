"""What the analysis says of the nodes of one graph."""

from __future__ import annotations

from collections.abc import Iterable

from engine.findings import Analysis, NodeReport, Problem


class Found:
    """Reports and problems by node, and the costliest node's cost, beside which the others' are shown."""

    def __init__(self, analysis: Analysis | None = None, use: str | None = None) -> None:
        """Of the top level, or of the inside of one `use` of a block."""
        analysis = analysis or Analysis()
        self.analysis = analysis if use is None else _inside(analysis, use)
        self.problems: dict[str, list[Problem]] = {}
        for problem in self.analysis.problems:
            if problem.node is not None:
                self.problems.setdefault(problem.node, []).append(problem)
        self.most_macs = max((report.macs for report in self.analysis.nodes.values()), default=0)

    def of(self, id: str) -> tuple[NodeReport | None, list[Problem], int]:
        """What a card shows of it: the node's report, its problems, and the most operations of any."""
        return self.analysis.nodes.get(id), self.problems.get(id, []), self.most_macs

    def changed(self, other: Found, ids: Iterable[str]) -> list[str]:
        """Of which of `ids` a card does not show the same of both."""
        if self.most_macs != other.most_macs:
            return list(ids)
        report, was = self.analysis.nodes.get, other.analysis.nodes.get
        said, had = self.problems.get, other.problems.get
        ids = list(ids)
        wrong = {id for id in self.problems.keys() | other.problems.keys() if said(id) != had(id)}
        if self.analysis.nodes is other.analysis.nodes:
            return [id for id in ids if id in wrong]
        return [
            id for id in ids if id in wrong or ((new := report(id)) is not (old := was(id)) and new != old)
        ]


def _inside(analysis: Analysis, use: str) -> Analysis:
    """What the analysis says about the inside of one use of a block."""
    head = f"{use}."
    nodes = {path.removeprefix(head): r for path, r in analysis.nodes.items() if path.startswith(head)}
    problems = tuple(
        Problem(p.severity, p.code, p.message, p.node.removeprefix(head), p.field, p.repairs, p.lesson)
        for p in analysis.problems
        if p.node is not None and p.node.startswith(head)
    )
    return Analysis(nodes, problems, {})
