"""The analysis of a whole document."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from engine.analysis.advice import advice, narrow_view
from engine.analysis.advice_repairs import may_be_mended, with_ways_out
from engine.analysis.batches import batch_problems
from engine.analysis.binary_rules import binary_problems
from engine.analysis.data_fit import data_problems
from engine.analysis.lessons import with_lesson
from engine.analysis.memory import memory_problems, predicted
from engine.analysis.recipe import recipe_problems
from engine.analysis.repairs import untried, with_repairs
from engine.analysis.reports import ends, reports_of
from engine.analysis.walk import Walked, walk
from engine.findings import Analysis, Problem
from engine.network import Network


def analyze(
    network: Network,
    *,
    repairs: bool = True,
    found: Callable[[Analysis], None] | None = None,
    between: Callable[[], None] | None = None,
) -> Analysis:
    """Shapes, cost and problems of `network`; it never raises for a bad one.

    Every layer runs on torch's ``meta`` device, which computes shapes and no numbers, at two batch
    sizes. Results are remembered by layer and input, so that after an edit only what changed is
    computed again.

    Parameters
    ----------
    repairs
        Whether ways out of problems are looked for, which takes longer than to find the problems.
    found
        Is given what is known before any are looked for, where some will be: the errors that are
        searched have none yet.
    between
        Called before each way out is tried; may raise to call the search off.

    Returns
    -------
    Analysis
        Reports by node in the order of running, problems in the order of nodes, and totals:
        "parameters", "trainable", "macs" and "activation_bytes", the last two for one example,
        "inference_bytes" and "training_bytes", peaks with the recipe's batch size and optimizer, and
        "unknown", how many layers could not be analysed and are in none of these.
    """
    with _collector_resting():
        return _analyze(network, repairs, found, between or (lambda: None))


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Keep Python's cycle collector out: it would walk all of torch several times, and finds nothing here."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _analyze(
    network: Network,
    repairs: bool,
    found: Callable[[Analysis], None] | None,
    between: Callable[[], None],
) -> Analysis:
    walked = walk(network)
    reports = reports_of(walked)
    steps = [reports[path] for path in walked.evaluated]
    totals = {
        "parameters": sum(report.parameter_count for report in steps),
        "trainable": sum(report.trainable_count for report in steps),
        "macs": sum(report.macs for report in steps),
        "activation_bytes": sum(report.activation_bytes for report in steps),
        **predicted(network, walked),
        "unknown": sum(reports[id].unknown for id in network.nodes if id in reports),
    }
    problems = _sorted(
        network,
        [
            *walked.problems,
            *recipe_problems(network),
            *data_problems(network, reports),
            *memory_problems(network, walked),
            *batch_problems(network, walked),
            *advice(network, walked),
            *binary_problems(network, walked),
            *narrow_view(network, walked, {path: report.receptive_field for path, report in reports.items()}),
        ],
    )
    if repairs:
        if found is not None and any(p.severity == "error" or may_be_mended(p) for p in problems):
            found(Analysis(reports, _told(untried(problems)), totals))

        def errors(network: Network) -> list[Problem]:
            between()
            walked = walk(network)
            between()
            return _errors(network, walked)

        def judged(network: Network) -> list[Problem]:
            between()
            return _judged(network)

        problems = with_repairs(network, problems, walked, errors)
        problems = with_ways_out(network, problems, walked, judged)
    return Analysis(reports, _told(problems), totals)


def _told(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """`problems` as people read them."""
    return tuple(with_lesson(_in_one_line(problem)) for problem in problems)


#: Characters that break a line, steer a terminal or turn the direction of writing; names may have them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _in_one_line(problem: Problem) -> Problem:
    """`problem` with what cannot be seen in its message spelt out."""
    message = _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], problem.message)
    return problem if message == problem.message else replace(problem, message=message)


def _judged(network: Network) -> list[Problem]:
    """Errors, and what torch lets pass: how a way out of a warning is judged."""
    walked = walk(network)
    return [*_errors(network, walked), *advice(network, walked)]


def _errors(network: Network, walked: Walked | None = None) -> list[Problem]:
    """What keeps `network` from running, or from its classes: how a repair that is tried is judged."""
    walked = walk(network) if walked is None else walked
    problems = [
        *walked.problems,
        *recipe_problems(network),
        *data_problems(network, ends(walked)),
        *memory_problems(network, walked),
        *batch_problems(network, walked),
    ]
    return [problem for problem in problems if problem.severity == "error" or problem.code == "data-classes"]


def _sorted(network: Network, problems: Iterable[Problem]) -> list[Problem]:
    """Errors before warnings before hints, each in the document's order of nodes."""
    place = {id: index for index, id in enumerate(network.nodes)}
    severity = {"error": 0, "warning": 1, "hint": 2}
    return sorted(
        problems,
        key=lambda p: (severity[p.severity], place.get((p.node or "").partition(".")[0], len(place))),
    )
