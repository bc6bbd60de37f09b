"""The inspector: forms and previews of what is selected."""

from gui.inspector.inspector import Inspector

__all__ = ["Inspector"]
