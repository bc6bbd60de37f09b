"""Words of a stranger's file, the Big List of Naughty Strings among them, stay words: in code, pictures, labels."""

from __future__ import annotations

import ast
import json
import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import engine
from engine.network import Argument, Block, Edge, End, Network, Node, identifier_problem
from engine.problems import NetworkProblem
from engine.storage.form import from_form, to_form

DATA = Path(os.environ.get("LAYERLAB_DATA") or Path(__file__).parents[2] / "shared" / "data")
LIST = DATA / "naughty-strings.json"
#: A few that go for code, markup and files by themselves, and the list where it is there.
NAUGHTY = [
    '"""\nimport os', "'; import os; '", "\\", "\0", "\x0c\rx = 1", "{os}", "%s", "__import__('os')", "self", "lambda",
    "<script>alert(1)</script>", "<img src='file:///etc/passwd'>", "![x](file:///etc/passwd)", "]]>", "&lt;&#0;", "\ud7ff\uffff",
    *(json.loads(LIST.read_text(encoding="utf-8")) if LIST.is_file() else []),
]  # fmt: skip
words = st.one_of(st.sampled_from(NAUGHTY), st.text(max_size=40))


def network(
    name: str, block: str, argument: str, node: str, default: object, note: str, frame: str
) -> Network:
    """One word in each place that takes words."""
    inner = Block(
        {argument: Argument("int", 3, note), "label": Argument("text", default, note)},
        {"x": Node("Input"), node: Node("Linear", {"out_features": {"expr": argument}}), "y": Node("Output")},
        (Edge(End("x"), End(node)), Edge(End(node), End("y"))),
    )
    view = {
        "notes": {"note1": {"text": note, "rect": [0, 0, 200, 80]}},
        "frames": {"frame1": {"title": frame, "color": "teal", "rect": [-40, -40, 600, 300]}},
        "positions": {"image": [0, 0], "use": [240, 0], "out": [480, 0]},
    }
    return Network(
        name=name,
        nodes={
            "image": Node("Input", {"shape": [4]}),
            "use": Node("Block", block=block),
            "out": Node("Output"),
        },
        edges=(Edge(End("image"), End("use")), Edge(End("use"), End("out"))),
        blocks={block: inner},
        view=view,
    )


def calls(text: str) -> set[str]:
    """What the code imports and calls: the only ways in which it could do something else."""
    found = set()
    for part in ast.walk(ast.parse(text)):
        if isinstance(part, ast.Call):
            found.add(ast.unparse(part.func))
        elif isinstance(part, ast.Import | ast.ImportFrom):
            found.add(ast.unparse(part))
    return found


@settings(deadline=None, max_examples=150)
@given(words, words, words, words, words, words, words)
@example("x", "Basic", "width", "functional_call", "", "", "")
@example("nn", "Tensor", "super", "torch_1", "", "", "")
@example("F", "nn", "nn", "fc", "", "", "")
@example("F", "Basic", "torch", "fc", "", "", "")
def test_no_word_becomes_code(
    name: str, block: str, argument: str, node: str, default: str, note: str, frame: str
) -> None:
    drawn = network(name, block, argument, node, default, note, frame)
    try:
        text = engine.source(drawn)
    except NetworkProblem:
        wrong = [
            identifier_problem(block),
            identifier_problem(node),
            None if argument.isidentifier() and argument != "index" else "no name",
            None if engine.analyze(drawn).errors == () else "said by the analysis",
        ]
        assert any(wrong)
        return
    classes = {part.name for part in ast.parse(text).body if isinstance(part, ast.ClassDef)}
    allowed = {"super", "super().__init__", "nn.Linear", f"self.{node}", "self.use", *classes,
               "import torch", "from torch import Tensor, nn", "from torch.nn import functional as F",
               "from torch.func import functional_call"}  # fmt: skip
    assert calls(text) <= allowed
    # It is the model still: a name that hides one of Python's or torch's would not run.
    from engine.exchange.python import instance

    printed, built = instance(text), engine.build(drawn)
    printed.load_state_dict(built.state_dict())


@settings(deadline=None, max_examples=60)
@given(words, words, words, words, words)
def test_files_give_every_word_back(name: str, block: str, argument: str, note: str, frame: str) -> None:
    drawn = network(name, block, argument, "fc", note, note, frame)
    assert from_form(json.loads(json.dumps(to_form(drawn)))) == drawn


@pytest.mark.gui
def test_an_svg_of_the_drawing_has_no_markup_of_theirs(qtbot, tmp_path: Path) -> None:
    from gui.canvas import Canvas, export
    from gui.document import Document
    from gui.selection import Selection

    tags: set[str] = set()
    for number, word in enumerate(NAUGHTY[:: max(1, len(NAUGHTY) // 24)] + NAUGHTY[:16]):
        drawn = network(word, word, word, "fc", word, word, word)
        canvas = Canvas(Document(drawn), Selection())
        qtbot.addWidget(canvas)
        export.save(canvas.drawing, tmp_path / f"{number}.svg")
        tree = ElementTree.parse(tmp_path / f"{number}.svg")  # it is sound XML
        tags |= {element.tag.rpartition("}")[2] for element in tree.iter()}
        text = (tmp_path / f"{number}.svg").read_text(encoding="utf-8")
        assert "file:///etc" not in "".join(
            value for element in tree.iter() for key, value in element.attrib.items() if key.endswith("href")
        )
        assert "<script" not in text
    assert tags <= {"svg", "g", "path", "rect", "text", "title", "desc", "defs", "polyline", "polygon", "circle",
                    "ellipse", "line", "image", "linearGradient", "stop", "pattern", "clipPath"}  # fmt: skip
