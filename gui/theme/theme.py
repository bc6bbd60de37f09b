"""The theme in force: follows the system unless the user chose one."""

from __future__ import annotations

from string import Template

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPalette
from PySide6.QtWidgets import QApplication

from engine import assets
from gui.theme import icons
from gui.theme.tokens import DARK, LIGHT, TYPE, Tokens

#: The text's size in pixels; the style sheet has the few others.
TEXT_SIZE = TYPE[1]


class Theme(QObject):
    """Holds the tokens in force and brings them onto the application."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.tokens = LIGHT
        self._choice: str | None = None
        self._icons: dict[tuple[str, str, str], QIcon] = {}

    def install(self, application: QApplication, choice: str | None = None) -> None:
        """Follow `choice` ("light", "dark") or, when None, the system's colour scheme."""
        application.setStyle("Fusion")
        application.setFont(_text_font())
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_changed)
        self._choice = choice
        self._apply(self._wanted())

    def choose(self, choice: str | None) -> None:
        """Change to "light", "dark", or None for the system's."""
        self._choice = choice
        self._apply(self._wanted())

    @property
    def choice(self) -> str | None:
        """What the user chose; None: as the system."""
        return self._choice

    def color(self, name: str) -> QColor:
        """A token by name, as a QColor."""
        return QColor(getattr(self.tokens, name))

    def icon(self, name: str, color: str = "text") -> QIcon:
        """An icon of the one set (Material Design Icons), in a token's colour: ``icon("mdi6.play")``."""
        key = (name, color, self.tokens.name)
        if key not in self._icons:
            disabled = self.color("muted")
            disabled.setAlphaF(0.45)
            self._icons[key] = icons.icon(name, self.color(color), disabled)
        return self._icons[key]

    def _wanted(self) -> Tokens:
        if self._choice is not None:
            return DARK if self._choice == "dark" else LIGHT
        dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return DARK if dark else LIGHT

    def _system_changed(self) -> None:
        if self._choice is None:
            self._apply(self._wanted())

    def _apply(self, tokens: Tokens) -> None:
        self.tokens = tokens
        application = QApplication.instance()
        if isinstance(application, QApplication):
            # One sheet in another's place costs Qt four times as much as none in between.
            application.setStyleSheet("")
            application.setPalette(_palette(tokens))
            application.setStyleSheet(_style_sheet(tokens))
        self.changed.emit()


def _text_font() -> QFont:
    """Inter, which comes along; scripts that it lacks fall back on the system's fonts."""
    family = ""
    for weight in ("Regular", "Medium", "SemiBold"):
        number = QFontDatabase.addApplicationFont(str(assets.path(f"fonts/Inter-{weight}.otf")))
        families = QFontDatabase.applicationFontFamilies(number)
        family = family or (families[0] if families else "")
    font = QFont(family) if family else QFont()
    font.setPixelSize(TEXT_SIZE)
    # Upright strokes stay where the designer put them; the numbers in a column stand in line.
    font.setHintingPreference(QFont.HintingPreference.PreferVerticalHinting)
    return font


def _palette(tokens: Tokens) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for where, name in {
        role.Window: "window",
        role.WindowText: "text",
        role.Base: "surface",
        role.AlternateBase: "raised",
        role.Text: "text",
        role.Button: "surface",
        role.ButtonText: "text",
        role.ToolTipBase: "raised",
        role.ToolTipText: "text",
        role.PlaceholderText: "muted",
        role.Highlight: "accent",
        role.HighlightedText: "accent_text",
        role.Link: "accent",
    }.items():
        palette.setColor(where, QColor(getattr(tokens, name)))
    for where in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, where, QColor(tokens.muted))
    return palette


def _style_sheet(tokens: Tokens) -> str:
    colors = {name: value for name, value in vars(tokens).items() if isinstance(value, str)}
    images = assets.path(f"style/{tokens.name}").as_posix()
    return Template(assets.read_text("style.qss")).substitute(colors, images=images)


#: The application's one theme.
theme = Theme()
