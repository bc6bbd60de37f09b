"""`layerlab diff`: what differs as meaning, in words and as JSON, with the exit codes of the other commands."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from engine import diff, edit, storage
from engine.cli import main
from engine.network import Choice, Network, Node
from tests.networks import chain


def base() -> Network:
    return chain(
        ("fc1", Node("Linear", {"out_features": 8})), ("fc2", Node("Linear", {"out_features": 2})), shape=(4,)
    )


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def run(before: Network, after: Network, *options: str) -> tuple[int, str]:
        paths = []
        for name, network in (("a", before), ("b", after)):
            storage.write(network, tmp_path / f"{name}.layerlab")
            paths.append(str(tmp_path / f"{name}.layerlab"))
        code = main(["diff", *paths, *options])
        return code, capsys.readouterr().out

    return run


def test_a_changed_field_a_new_layer_and_a_lost_wire_are_a_line_each(run) -> None:
    after = edit.set_field(base(), "fc1", "out_features", 16)
    after = edit.add_node(after, "extra", Node("ReLU"))
    after = msgspec.structs.replace(after, edges=after.edges[:-1])
    code, said = run(base(), after)
    assert code == 0
    lines = said.splitlines()
    assert "~ nodes.fc1.fields.out_features: 8 → 16" in lines
    assert any(line.startswith("+ nodes.extra: ") for line in lines)
    assert any(line.startswith("- edges: ") for line in lines)
    assert lines[-1].startswith("3 differences.")


def test_networks_that_differ_in_their_layout_alone_are_the_same(run) -> None:
    code, said = run(base(), edit.move(base(), {"fc1": (50.0, 60.0)}))
    assert (code, said.strip()) == (
        0,
        "The networks are the same. The layout differs too, which means nothing.",
    )
    code, said = run(base(), base())
    assert (code, said.strip()) == (0, "The networks are the same.")


def test_as_json_the_changes_lead_from_one_file_to_the_other(run) -> None:
    after = edit.set_activation(edit.set_field(base(), "fc1", "out_features", 16), "fc2", Choice("ReLU"))
    after = edit.move(after, {"fc1": (50.0, 60.0)})
    code, said = run(base(), after, "--json")
    told = json.loads(said)
    assert code == 0
    assert told["same"] is False
    by_path = {change["path"]: change for change in told["changes"]}
    assert by_path["nodes.fc1.fields.out_features"] == {
        "kind": "changed",
        "path": "nodes.fc1.fields.out_features",
        "before": 8,
        "after": 16,
        "layout": False,
    }
    assert by_path["nodes.fc2.activation"]["kind"] == "added"
    assert [change["layout"] for path, change in by_path.items() if path.startswith("view")] == [True]
    # The same as the one notion of change has it, so what is told is all there is.
    assert len(told["changes"]) == len(diff.changes(base(), after))


def test_what_cannot_be_read_is_a_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage.write(base(), tmp_path / "a.layerlab")
    (tmp_path / "b.layerlab").write_text('{"format": "layerlab", ')
    for other, words in (("b.layerlab", "cut off"), ("none.layerlab", "There is no file")):
        assert main(["diff", str(tmp_path / "a.layerlab"), str(tmp_path / other)]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert "Traceback" not in said


def test_words_of_a_file_are_shown_as_they_stand(run) -> None:
    code, said = run(base(), edit.set_name(base(), "[bold red]evil[/]\x1b[31m"))
    assert code == 0
    assert "[bold red]evil[/]" in said
    assert "\x1b[31m" not in said, "no control characters reach the terminal"
