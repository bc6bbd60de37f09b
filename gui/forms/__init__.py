"""Forms drawn from the catalogue's fields: the one set of editors that inspector and recipe share."""

from gui.forms.choice import Change, ChoiceEditor, differ, with_field, without_field
from gui.forms.controls import Chooser, Switch, set_state, show_if
from gui.forms.editors import Editor, editor_for
from gui.forms.form import Form, Row, sentences
from gui.forms.label import ScrubLabel
from gui.forms.leading import lead_to

__all__ = [
    "Change",
    "ChoiceEditor",
    "Chooser",
    "Editor",
    "Form",
    "Row",
    "ScrubLabel",
    "Switch",
    "differ",
    "editor_for",
    "lead_to",
    "sentences",
    "set_state",
    "show_if",
    "with_field",
    "without_field",
]
