"""Run folders: making them, finding them, reading what they recorded. No torch here."""

from engine.runs.folder import RunFolder, Summary, create, listed, newest, stem, summary
from engine.runs.record import Recorder, read_events
from engine.runs.removal import remove

__all__ = [
    "Recorder",
    "RunFolder",
    "Summary",
    "create",
    "listed",
    "newest",
    "read_events",
    "remove",
    "stem",
    "summary",
]
