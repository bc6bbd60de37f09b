"""One look: colours, type, spacing, icons."""

from gui.theme.theme import Theme, theme
from gui.theme.tokens import DARK, LIGHT, SPACE, Tokens, family_color, rank_color

__all__ = ["DARK", "LIGHT", "SPACE", "Theme", "Tokens", "family_color", "rank_color", "theme"]
