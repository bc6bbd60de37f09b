"""What a field's values come to: the whole network analysed with each, nothing kept."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from engine import edit
from engine.analysis import analyze
from engine.findings import Analysis
from engine.host.channel import MakeWay
from engine.host.protocol import Variant, Variants, WhatIf
from engine.network import Network


def what_if(request: WhatIf, network: Network, pressing: Callable[[], bool] = lambda: False) -> Variants:
    """Analyse `network` with the field at each value; known parts come from the analysis's memory.

    Raises
    ------
    MakeWay
        Between two analyses, where another is `pressing`.
    """
    known = {(problem.code, problem.node) for problem in analyze(network, repairs=False).errors}
    old = edit.node_of(network, request.node, request.block).fields.get(request.field)
    variants = []
    for value in request.values:
        if pressing():
            raise MakeWay
        sides = [value] * len(old) if isinstance(old, list | tuple) and old else value
        changed = edit.set_field(network, request.node, request.field, sides, block=request.block)
        analysis = analyze(changed, repairs=False)
        report = analysis.nodes.get(request.path)
        output = next(iter(report.outputs.values())).shape if report and report.outputs else ()
        fresh = [problem for problem in analysis.errors if (problem.code, problem.node) not in known]
        variants.append(
            Variant(
                value,
                tuple(output),
                int(analysis.totals.get("macs", 0)),
                int(analysis.totals.get("unknown", 0)),
                _widest(analysis),
                f"{fresh[0].node}: {fresh[0].message}" if fresh else "",
            )
        )
    return Variants(request.request, tuple(variants))


def _widest(analysis: Analysis) -> tuple[int, ...]:
    """The largest receptive field of all nodes."""
    fields = [report.receptive_field for report in analysis.nodes.values() if report.receptive_field]
    return max(fields, key=prod, default=())
