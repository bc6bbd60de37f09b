"""Forms: each kind of field, edited as a person does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton

from engine import catalog
from engine.catalog import fields as kinds
from gui.forms import Form, Switch
from gui.forms.parse import from_text, to_text
from gui.forms.scrub import scrubbed, stepped

pytestmark = pytest.mark.gui

INT = kinds.Int("count", 8, lo=1, hi=64, doc="A count.")
FLOAT = kinds.Float("p", 0.5, lo=0, hi=1, doc="A share.")
RATE = kinds.Float("lr", 1e-3, lo=0, hi=1000, log=True, doc="A rate.")
BOOL = kinds.Bool("bias", True, doc="Yes or no.")
OPTION = kinds.Option("mode", "zeros", options=("zeros", "reflect"), doc="A word.")
SIZE = kinds.Size("stride", (1, 1), dims=2, lo=1, hi=255, words=("same",), doc="Steps.")
OPTIONAL = kinds.Size("step", None, dims=2, lo=1, hi=255, optional=True, doc="Steps.")
SHAPE = kinds.Shape("shape", start=[1, 8, 8], doc="A shape.")
FLOATS = kinds.Floats("betas", (0.9, 0.999), count=2, lo=0, hi=1, doc="Two numbers.")
TEXT = kinds.Text("column", None, optional=True, doc="A text.")
PATH = kinds.Path("folder", None, optional=True, folder=True, doc="A folder.")
ALL = (INT, FLOAT, RATE, BOOL, OPTION, SIZE, OPTIONAL, SHAPE, FLOATS, TEXT, PATH)


class Owner:
    """Holds the values, as the document does."""

    def __init__(self, form: Form, values: dict):
        self.form, self.values, self.merges, self.gestures = form, dict(values), [], 0
        form.edited.connect(self.edit)
        form.reset.connect(self.reset)
        form.ended.connect(self.end)
        form.set_values(self.values)

    def edit(self, name, value, merge):
        self.values = {**self.values, name: value}
        self.merges.append(merge)
        self.form.set_values(self.values)

    def reset(self, name):
        self.values = {key: value for key, value in self.values.items() if key != name}
        self.form.set_values(self.values)

    def end(self):
        self.gestures += 1


@pytest.fixture
def owner(qtbot):
    form = Form(ALL)
    qtbot.addWidget(form)
    form.resize(300, 600)
    form.show()
    qtbot.waitExposed(form)
    return Owner(form, {"shape": [1, 8, 8]})


def type_into(owner, name, text, key=Qt.Key.Key_Return):
    line = owner.form.editor(name).line
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)
    QTest.keyClick(line, key)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "12", 12),
        ("count", "16*4", 64),
        ("p", ".25", 0.25),
        ("p", "1/4", 0.25),
        ("lr", "3e-4", 3e-4),
        ("stride", "2", 2),
        ("stride", "2 x 3", [2, 3]),
        ("stride", "[2, 3]", [2, 3]),
        ("stride", "same", "same"),
        ("step", "2 × 2", [2, 2]),
        ("shape", "3 32 32", [3, 32, 32]),
        ("shape", "8", [8]),
        ("betas", "0.8, 0.99", [0.8, 0.99]),
        ("column", "age <b>", "age <b>"),
        ("folder", "/data/mnist", "/data/mnist"),
    ],
)
def test_what_is_typed_becomes_the_json_value(owner, name, text, value):
    type_into(owner, name, text)
    assert owner.values[name] == value
    assert not owner.form.row(name).message.text()


@pytest.mark.parametrize("name", ["step", "column", "folder"])
def test_an_emptied_optional_field_is_null(owner, name):
    type_into(owner, name, "2")
    owner.form.editor(name).line.clear()
    owner.form.editor(name).line.setModified(True)
    QTest.keyClick(owner.form.editor(name).line, Qt.Key.Key_Return)
    assert owner.values[name] is None


def test_tab_commits_like_enter(owner):
    type_into(owner, "count", "9", Qt.Key.Key_Tab)
    assert owner.values["count"] == 9


@pytest.mark.parametrize(("text", "words"), [("200", "out of range"), ("2.5", "whole number")])
def test_a_wrong_json_value_goes_into_the_document_and_is_explained(owner, text, words):
    type_into(owner, "count", text)
    assert owner.values["count"] == float(text)
    assert words in owner.form.row("count").message.text()
    assert owner.form.editor("count").line.property("invalid") == "true"


@pytest.mark.parametrize("text", ["many", "1e999", "", "3 ×", "9" * 30])
def test_text_that_says_no_value_stays_in_the_editor_marked_and_explained(owner, text):
    line = owner.form.editor("count").line
    if text:
        type_into(owner, "count", text)
    else:
        line.setFocus()
        line.selectAll()
        QTest.keyClick(line, Qt.Key.Key_Backspace)
        QTest.keyClick(line, Qt.Key.Key_Return)
    assert "count" not in owner.values
    assert line.text() == text
    assert line.property("invalid") == "true"
    assert "whole number from 1 to 64" in owner.form.row("count").message.text()
    owner.form.set_values({**owner.values, "bias": False})
    assert line.text() == text


def test_mending_a_wrong_text_takes_the_message_away_while_typing(owner):
    type_into(owner, "count", "1o")
    line = owner.form.editor("count").line
    QTest.keyClick(line, Qt.Key.Key_Backspace)
    assert line.text() == "1"
    assert not owner.form.row("count").message.text()


def test_escape_goes_back_to_the_documents_value(owner):
    type_into(owner, "count", "many")
    QTest.keyClick(owner.form.editor("count").line, Qt.Key.Key_Escape)
    assert owner.form.editor("count").line.text() == "8"
    assert not owner.form.row("count").message.text()


def test_reset_is_offered_for_a_changed_value_and_brings_the_default(owner):
    row = owner.form.row("count")
    assert not row.reset.isVisible()
    type_into(owner, "count", "12")
    assert row.reset.isVisible()
    QTest.mouseClick(row.reset, Qt.MouseButton.LeftButton)
    assert "count" not in owner.values
    assert owner.form.editor("count").line.text() == "8"
    assert not row.reset.isVisible()


def test_tab_goes_from_field_to_field_and_a_key_resets_the_one_that_is_edited(owner, qtbot):
    type_into(owner, "count", "12")
    line = owner.form.editor("count").line
    line.setFocus()
    qtbot.waitUntil(line.hasFocus)
    QTest.keyClick(line, Qt.Key.Key_Tab)
    assert not isinstance(QApplication.focusWidget(), QToolButton)
    assert QApplication.focusWidget() is not line
    line.setFocus()
    QTest.keyClick(line, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    assert "count" not in owner.values
    assert line.text() == "8"


def test_reset_also_drops_an_unfinished_text(owner):
    type_into(owner, "count", "many")
    QTest.mouseClick(owner.form.row("count").reset, Qt.MouseButton.LeftButton)
    assert owner.form.editor("count").line.text() == "8"
    assert not owner.form.row("count").message.text()


def test_a_switch_toggles_by_mouse_and_by_space(owner):
    switch = owner.form.editor("bias").switch
    assert isinstance(switch, Switch)
    QTest.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert owner.values["bias"] is False
    QTest.keyClick(switch, Qt.Key.Key_Space)
    assert owner.values["bias"] is True


def test_a_value_that_is_no_truth_value_is_shown_as_neither_and_explained(owner):
    owner.form.set_values({**owner.values, "bias": "yes"})
    assert owner.form.editor("bias").switch.checkState() == Qt.CheckState.PartiallyChecked
    assert "true or false" in owner.form.row("bias").message.text()


def test_an_option_is_chosen_by_keyboard(owner):
    box = owner.form.editor("mode").box
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Down)
    assert owner.values["mode"] == "reflect"


def test_an_unknown_option_is_kept_and_explained(owner):
    owner.form.set_values({**owner.values, "mode": "reflekt"})
    assert owner.form.editor("mode").box.currentText() == "reflekt"
    assert "Did you mean 'reflect'?" in owner.form.row("mode").message.text()
    assert owner.values.get("mode") is None


def drag(label, *ways, modifier=Qt.KeyboardModifier.NoModifier):
    start = QPoint(10, label.height() // 2)
    QTest.mousePress(label, Qt.MouseButton.LeftButton, modifier, start)
    for way in ways:
        QTest.mouseMove(label, start + QPoint(way, 0))


def test_dragging_the_label_scrubs_within_the_range_as_one_gesture(owner):
    label = owner.form.row("count").label
    drag(label, 12, 30, 60)
    assert owner.values["count"] == 18
    QTest.mouseMove(label, QPoint(4000, 5))
    assert owner.values["count"] == 64
    QTest.mouseRelease(label, Qt.MouseButton.LeftButton, pos=QPoint(4000, 5))
    assert len(set(owner.merges)) == 1
    assert owner.merges[0]
    assert owner.gestures == 1


def test_two_drags_are_two_gestures(owner):
    label = owner.form.row("count").label
    for _ in range(2):
        drag(label, 12)
        QTest.mouseRelease(label, Qt.MouseButton.LeftButton, pos=QPoint(22, 5))
    assert len(set(owner.merges)) == 2


def test_escape_cancels_a_drag(owner):
    label = owner.form.row("count").label
    drag(label, 60)
    QTest.keyClick(label, Qt.Key.Key_Escape)
    assert owner.values["count"] == 8
    QTest.mouseMove(label, QPoint(200, 5))
    assert owner.values["count"] == 8


def test_clicking_a_label_puts_the_keyboard_into_its_editor(owner):
    QTest.mouseClick(owner.form.row("count").label, Qt.MouseButton.LeftButton)
    assert owner.form.editor("count").line.hasFocus()


def test_arrow_keys_step_the_number_at_the_cursor(owner):
    line = owner.form.editor("stride").line
    line.setFocus()
    line.setCursorPosition(len(line.text()))
    QTest.keyClick(line, Qt.Key.Key_Up)
    QTest.keyClick(line, Qt.Key.Key_Up)
    assert owner.values["stride"] == [1, 3]
    assert len(set(owner.merges)) == 1


def test_a_logarithmic_field_moves_a_decade_in_ten_steps():
    assert stepped(RATE, 1e-3, 10) == pytest.approx(1e-2)
    assert stepped(RATE, 1e-3, -20) == pytest.approx(1e-5)


@given(st.integers(-3000, 3000), st.integers(1, 64))
def test_scrubbing_never_leaves_the_range(steps, value):
    assert INT.check(scrubbed(INT, value, steps)) is None
    assert FLOAT.check(scrubbed(FLOAT, value / 64, steps)) is None
    assert RATE.check(scrubbed(RATE, value / 64, steps)) is None
    assert SIZE.check(scrubbed(SIZE, [value, 1], steps)) is None


@given(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(st.integers(0, 300) | st.floats(0, 1), max_size=4)
)
def test_every_value_reads_back_from_its_text(value):
    for field in (SIZE, FLOATS, OPTIONAL):
        text = to_text(field, value)
        if value is None and not field.optional:
            continue
        back = from_text(field, text)
        same = back == value or (isinstance(field, kinds.Floats) and back == [value])
        assert same, (field.name, text)


def test_a_field_that_nobody_declared_is_shown_and_can_be_removed(owner):
    owner.values = {**owner.values, "strid": 3}
    owner.form.set_values(owner.values)
    stranger = owner.form._strangers["strid"]
    assert "Did you mean 'stride'?" in stranger._text.text()
    QTest.mouseClick(stranger.remove, Qt.MouseButton.LeftButton)
    assert "strid" not in owner.values


def test_a_strict_form_hands_on_only_what_is_right(qtbot):
    form = Form((INT,), strict=True)
    qtbot.addWidget(form)
    form.show()
    owner = Owner(form, {"count": 8})
    type_into(owner, "count", "2.5")
    assert owner.values["count"] == 8
    assert form.editor("count").line.text() == "2.5"
    assert "whole number" in form.row("count").message.text()


ENTRIES = [
    entry
    for shelf in (
        catalog.LAYERS,
        catalog.INITIALIZERS,
        catalog.BINARIZERS,
        catalog.LOSSES,
        catalog.OPTIMIZERS,
        catalog.SCHEDULES,
        catalog.SOURCES,
    )
    for entry in shelf.values()
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{type(entry).__name__}-{entry.id}")
def test_the_form_shows_every_field_of_every_entry(qtbot, entry):
    form = Form(entry.fields)
    qtbot.addWidget(form)
    form.set_values(entry.start())
    for field in entry.fields:
        row = form.row(field.name)
        assert row.label.text().replace("\u200b", "") == field.name
        assert field.doc.replace("`", "") in row.editor.toolTip()
        assert not row.message.text()
        # A field that starts away from torch's default (Upsample's scale_factor) can be reset.
        assert row.changed == (field.starts and not field.required)
