"""What the analysis says of the nodes of one graph."""

from __future__ import annotations

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

    def same(self, other: Found, id: str) -> bool:
        """Whether a card shows the same of both."""
        mine, others = self.of(id), other.of(id)
        return mine[1:] == others[1:] and (mine[0] is others[0] or mine[0] == others[0])


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
