"""Run folders: making them, finding them, reading what they recorded. No torch here."""

from engine.runs.folder import RunFolder, Summary, create, listed, stem, summary
from engine.runs.record import Recorder, read_events
from engine.runs.removal import remove

__all__ = ["Recorder", "RunFolder", "Summary", "create", "listed", "read_events", "remove", "stem", "summary"]
