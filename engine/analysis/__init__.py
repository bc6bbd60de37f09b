"""What can be said about a network without running it: shapes, cost, problems, repairs."""

from engine.analysis.report import analyze

__all__ = ["analyze"]
