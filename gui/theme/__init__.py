"""One look: colours, type, spacing, icons."""

from gui.theme.theme import Theme, theme
from gui.theme.tokens import DARK, LIGHT, SPACE, TYPE, Tokens, family_color, rank_color

__all__ = ["DARK", "LIGHT", "SPACE", "TYPE", "Theme", "Tokens", "family_color", "rank_color", "theme"]
