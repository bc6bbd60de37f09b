"""The look as numbers. Widgets and painters read these and name no colour of their own.

Contrast of every text colour on its ground is at least 4.5 : 1, which ``tests/test_theme.py``
computes by the WCAG formula. Family hues keep their order in lightness and stay apart under the
three common kinds of colour blindness (the hues follow Okabe and Ito 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

#: The spacing unit in pixels; margins, gaps and sizes are multiples of it.
SPACE = 4

#: The type scale in pixels: captions, text, lead, headings, the name on the welcome.
TYPE = (11, 13, 15, 18, 28)


@dataclass(frozen=True)
class Tokens:
    """One theme's colours, as #RRGGBB."""

    name: str
    #: Ground of docks and toolbars.
    window: str
    #: Cards, fields, lists, nodes.
    surface: str
    #: Hovered rows, menus.
    raised: str
    canvas: str
    grid: str
    #: Hairlines and borders.
    line: str
    text: str
    #: Secondary text.
    muted: str
    #: The one accent: selection, focus, the primary button.
    accent: str
    #: Accent under the mouse.
    accent_hover: str
    #: On accent.
    accent_text: str
    #: Ground of selected rows.
    selection: str
    error: str
    warning: str
    good: str
    wire: str
    #: Wires of four and more dimensions: no colour that means something is wrong.
    volume: str
    shadow: str
    #: Training curves.
    train: str
    #: Validation curves.
    validation: str
    #: (catalogue group, colour).
    families: tuple[tuple[str, str], ...]
    #: Colours of several curves in one plot.
    series: tuple[str, ...]


_LIGHT_FAMILIES = (
    ("Input and output", "#323F40"),
    ("Linear", "#226EBB"),
    ("Convolution", "#8F4400"),
    ("Pooling", "#976500"),
    ("Padding", "#75754C"),
    ("Normalisation", "#007167"),
    ("Activation", "#9E0A54"),
    ("Regularisation", "#524C8F"),
    ("Recurrent", "#5E35B1"),
    ("Attention", "#2A5DB0"),
    ("Merge", "#557331"),
    ("Split", "#457F51"),
    ("Reduce", "#7B6A3A"),
    ("Shape", "#4F6D83"),
    ("Other", "#6D6D6D"),
)
_DARK_FAMILIES = (
    ("Input and output", "#EEF1F6"),
    ("Linear", "#559FD6"),
    ("Convolution", "#EF9864"),
    ("Pooling", "#DCD14A"),
    ("Padding", "#B9B98A"),
    ("Normalisation", "#62E0B4"),
    ("Activation", "#E5629A"),
    ("Regularisation", "#C5B7FA"),
    ("Recurrent", "#B08CF5"),
    ("Attention", "#7FA8F5"),
    ("Merge", "#B3E69B"),
    ("Split", "#9AD6A6"),
    ("Reduce", "#CDB87A"),
    ("Shape", "#89B3C1"),
    ("Other", "#B0B0B0"),
)

LIGHT = Tokens(
    name="light",
    window="#F4F5F7",
    surface="#FFFFFF",
    raised="#ECEEF2",
    canvas="#F9FAFB",
    grid="#E4E7EC",
    line="#D5D9E0",
    text="#1B2430",
    muted="#596373",
    accent="#2F5BEA",
    accent_hover="#2449C9",
    accent_text="#FFFFFF",
    selection="#DCE5FF",
    error="#C2262E",
    warning="#8F5A00",
    good="#1B7A3D",
    wire="#8A94A3",
    volume="#621782",
    shadow="#1B243033",
    train="#2F5BEA",
    validation="#C75000",
    families=_LIGHT_FAMILIES,
    series=("#2F5BEA", "#C75000", "#00796B", "#B0306A", "#8A6D00", "#5E35B1", "#4A7C8C", "#3F7F3F"),
)

DARK = Tokens(
    name="dark",
    window="#171A20",
    surface="#20242C",
    raised="#2A2F39",
    canvas="#12151A",
    grid="#21262E",
    line="#363C47",
    text="#E8EBF0",
    muted="#A0A9B8",
    accent="#7C9CFF",
    accent_hover="#9AB3FF",
    accent_text="#0E1430",
    selection="#2C3A66",
    error="#FF7B7F",
    warning="#F2B84B",
    good="#5FD38A",
    wire="#6C7686",
    volume="#E0B0FF",
    shadow="#00000080",
    train="#7C9CFF",
    validation="#FF9A52",
    families=_DARK_FAMILIES,
    series=("#7C9CFF", "#FF9A52", "#3CC9A7", "#F07AAE", "#E3C04B", "#B08CF5", "#86C2D6", "#86CF86"),
)


def family_color(tokens: Tokens, group: str) -> str:
    """The colour of a catalogue group."""
    return dict(tokens.families).get(group, dict(tokens.families)["Other"])


def rank_color(tokens: Tokens, dimensions: int) -> str:
    """The colour of a wire by its tensor's dimensions, the batch left out: 0, 1, 2, 3, 4 and more."""
    order = ("muted", "train", "good", "validation", "volume")
    return str(getattr(tokens, order[min(dimensions, 4)]))
