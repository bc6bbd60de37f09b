"""Networks in files: what is written comes back, what is damaged is refused with its place."""

import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import storage
from engine.network import Argument, Block, Choice, Data, Edge, End, Network, Node, Recipe, Training
from engine.problems import FileProblem
from engine.storage import strict
from engine.storage.file import MAX_NODES

DATA = Path(os.environ.get("LAYERLAB_DATA") or Path(__file__).parents[2] / "shared" / "data")

# ---------------------------------------------------------------------------- any document

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
#: Any text but a dot, which parts a port from its node in an edge; most are no ids, and come back all the same.
_ids = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True) | _text.map(lambda text: text.replace(".", "-"))
_fields = st.dictionaries(_text, _plain, max_size=3)
#: Keys that no version of the format will use, so that they are unknown to this one.
_extra = st.dictionaries(_text.map("x-{}".format), _plain, max_size=2)
_choices = st.builds(Choice, _text, _fields, _extra)
_nodes = st.builds(
    Node,
    type=_text,
    fields=_fields,
    activation=st.none() | _choices,
    init=st.dictionaries(_text, _choices, max_size=2),
    binarize=st.dictionaries(st.sampled_from(["weight", "input"]), _choices),
    training=st.none()
    | st.builds(Training, st.booleans(), st.floats(allow_nan=False, allow_infinity=False), _extra),
    shares=st.dictionaries(_text, _text, max_size=2),
    block=st.none() | _text,
    repeat=st.integers(-5, 99),
    extra=_extra,
)
_ends = st.builds(End, _ids, st.none() | _ids)
_edges = st.lists(st.builds(Edge, _ends, _ends), max_size=4).map(tuple)
_graph = {"nodes": st.dictionaries(_ids, _nodes, max_size=4), "edges": _edges}
_arguments = st.dictionaries(_text, st.builds(Argument, _text, _plain, _text, _extra), max_size=2)
_networks = st.builds(
    Network,
    name=_text,
    **_graph,
    blocks=st.dictionaries(_ids, st.builds(Block, arguments=_arguments, **_graph, extra=_extra), max_size=2),
    defaults=_fields,
    recipe=st.builds(
        Recipe,
        data=st.builds(Data, _text, _fields, _fields, st.lists(_choices, max_size=2).map(tuple), _extra),
        loss=_choices,
        optimizer=_choices,
        schedule=st.none() | _choices,
        epochs=st.integers(-(2**40), 2**40),
        batch_size=st.integers(-(2**40), 2**40),
        seed=st.integers(-(2**63) + 1, 2**63 - 1),
        options=_extra,
    ),
    view=_fields,
    extra=_extra,
)


@given(_networks)
@settings(max_examples=150, deadline=None)
def test_what_is_saved_comes_back_equal(network: Network) -> None:
    assert storage.loads(storage.dumps(network)) == network


@given(_networks)
@settings(max_examples=50, deadline=None)
def test_saving_again_what_was_read_gives_the_same_bytes(network: Network) -> None:
    data = storage.dumps(network)
    assert storage.dumps(storage.loads(data)) == data


@given(_networks)
@settings(max_examples=50, deadline=None)
def test_the_file_is_json_that_other_readers_read_alike(network: Network) -> None:
    data = storage.dumps(network)
    assert msgspec.json.decode(data) == json.loads(data)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_bytes_whatever_do_more_than_raise_a_file_problem(data: bytes) -> None:
    with pytest.raises(FileProblem):
        storage.loads(data)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_file_cut_off_anywhere_is_refused_with_its_line(data: st.DataObject) -> None:
    whole = storage.dumps(_conv_network()).rstrip()
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(FileProblem, match=r"^the file: line \d+"):
        storage.loads(cut)


def _conv_network(channels: int = 16) -> Network:
    return Network(
        "Small",
        {
            "image": Node("Input", {"shape": [1, 8, 8]}),
            "conv1": Node("Conv2d", {"out_channels": channels, "kernel_size": [3, 3]}, Choice("ReLU")),
            "out": Node("Output"),
        },
        (Edge(End("image"), End("conv1")), Edge(End("conv1"), End("out"))),
    )


# ---------------------------------------------------------------------------- the file's form


def test_a_change_to_one_node_changes_lines_of_that_node_only() -> None:
    before = storage.dumps(_conv_network(16)).decode().splitlines()
    after = storage.dumps(_conv_network(32)).decode().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1
    assert '"out_channels": 16' in changed[0][0]
    assert '"out_channels": 32' in changed[0][1]


def test_the_keys_stand_in_the_order_of_the_contract() -> None:
    assert list(json.loads(storage.dumps(_conv_network()))) == [
        "format", "version", "min_reader", "name", "nodes", "edges", "recipe", "view",
    ]  # fmt: skip


def test_the_example_of_the_contract_is_read() -> None:
    text = """{
      "format": "layerlab", "version": 1, "min_reader": 1, "name": "Digits, small",
      "nodes": {
        "image": {"type": "Input", "fields": {"shape": [1, 8, 8]}},
        "conv1": {"type": "Conv2d",
                  "fields": {"out_channels": 16, "kernel_size": [3, 3], "stride": [1, 1], "padding": [1, 1]},
                  "activation": {"type": "ReLU", "fields": {}},
                  "init": {"weight": {"scheme": "kaiming_normal", "fields": {"nonlinearity": "relu"}},
                           "bias": {"scheme": "zeros", "fields": {}}},
                  "binarize": {"weight": {"estimator": "ste_sign", "fields": {}}}},
        "out": {"type": "Output", "fields": {}}
      },
      "edges": [["image", "conv1"], ["conv1", "out.input"]],
      "recipe": {"data": {"source": "digits", "fields": {}},
                 "loss": {"type": "CrossEntropyLoss", "fields": {}},
                 "optimizer": {"type": "Adam", "fields": {"lr": 0.001}}, "schedule": null,
                 "epochs": 10, "batch_size": 64, "seed": 0},
      "view": {"positions": {"image": [0, 0]}}
    }"""
    network = storage.loads(text.encode())
    assert network.name == "Digits, small"
    assert network.nodes["conv1"].init["weight"] == Choice("kaiming_normal", {"nonlinearity": "relu"})
    assert network.nodes["conv1"].binarize == {"weight": Choice("ste_sign")}
    assert network.edges[1] == Edge(End("conv1"), End("out", "input"))
    assert network.recipe.optimizer == Choice("Adam", {"lr": 0.001})


def test_half_a_surrogate_pair_in_a_comment_does_not_keep_the_rest_from_being_saved() -> None:
    network = msgspec.structs.replace(_conv_network(), view={"comment": "a\ud800b"})
    assert storage.loads(storage.dumps(network)).view == {"comment": "a?b"}


# ---------------------------------------------------------------------------- refusals

ENVELOPE = '{"format": "layerlab", "version": 1, %s}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("hello", "line 1, column 1: not JSON"),
        ('{"format": "layerlab",\n "version" 1}', "line 2, column 12: not JSON"),
        ('{"format": "layerlab",\n "nodes": {"a": {"ty', "cut off"),
        ("[1, 2] 3", "line 1, column 8: not JSON: the network has ended"),
        ("[]", "expected an object"),
        ("{}", '"format" is not "layerlab"'),
        ('{"format": "layerlab"}', "'version' is missing"),
        (ENVELOPE % '"min_reader": 2', "newer Layerlab"),
        (ENVELOPE % '"nodes": {"a": {"type": "Add"},\n "a": {"type": "Add"}}', "line 2, column 2: the key"),
        (ENVELOPE % '"view": {"x": {"k": 1}, "y": {"k": 1, "k": 2}}', "the key 'k' appears twice"),
        (ENVELOPE % '"view": {"x": NaN}', "line 1, column 52: NaN is not a number"),
        (ENVELOPE % '"view": {"x": -Infinity}', "-Infinity is not a number"),
        (ENVELOPE % '"view": {"x": 1e999}', "view.x: the number is too large"),
        (ENVELOPE % '"view": {"x": 18446744073709551616}', "view.x: the whole number needs more than 64"),
        (ENVELOPE % f'"view": {{"x": {"9" * 5000}}}', "thousands of digits"),
        (ENVELOPE % '"view": {"x": "\\ud800"}', "view.x: a text holds half a surrogate pair"),
        (ENVELOPE % f'"view": {{"x": "{"y" * (strict.MAX_TEXT + 1)}"}}', "view.x: a text has more than"),
        (ENVELOPE % '"nodes": []', "nodes: expected an object {…}, found a list"),
        (ENVELOPE % '"nodes": {"a": {}}', "nodes.a: the key 'type' is missing"),
        (ENVELOPE % '"edges": [["a"]]', "edges[0]: an edge is a pair of names"),
        (ENVELOPE % '"recipe": {"epochs": "ten"}', "recipe.epochs: expected a whole number, found text"),
    ],
)  # fmt: skip
def test_each_kind_of_damage_has_its_message(text: str, words: str) -> None:
    with pytest.raises(FileProblem) as caught:
        storage.loads(text.encode(), "net.layerlab")
    message = str(caught.value)
    assert words in message
    assert message.startswith("net.layerlab")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_a_hundred_thousand_brackets_are_a_message_and_no_crash(opening: str) -> None:
    with pytest.raises(FileProblem, match="nested more than 64"):
        storage.loads((opening * 100_000).encode())


def test_the_depth_limit_is_the_one_that_is_said() -> None:
    deepest = ENVELOPE % f'"view": {{"x": {"[" * (strict.MAX_DEPTH - 2)}{"]" * (strict.MAX_DEPTH - 2)}}}'
    storage.loads(deepest.encode())
    with pytest.raises(FileProblem, match="nested more than 64"):
        storage.loads(deepest.replace("[]", "[[]]").encode())


def test_text_that_is_not_utf_8_is_refused_with_its_line() -> None:
    with pytest.raises(FileProblem, match="line 2: byte 0xff is not UTF-8"):
        storage.loads(b'{"format":\n "\xff"}')


def test_a_byte_order_mark_as_windows_editors_write_it_is_no_hindrance() -> None:
    assert storage.loads(b"\xef\xbb\xbf" + storage.dumps(_conv_network())) == _conv_network()


def test_more_nodes_than_the_limit_are_refused_even_when_spread_over_blocks() -> None:
    half = {f"n{i}": Node("ReLU") for i in range(MAX_NODES // 2)}
    full = Network(nodes=half, blocks={"B": Block(nodes=half)})
    assert storage.loads(storage.dumps(full)) == full
    over = msgspec.structs.replace(full, nodes={**half, "one_more": Node("ReLU")})
    with pytest.raises(FileProblem, match="20,001 nodes"):
        storage.loads(storage.dumps(over))


def test_a_file_over_the_size_limit_is_not_even_parsed() -> None:
    with pytest.raises(FileProblem, match="larger than 64 MiB"):
        storage.loads(b" " * (64 * 1024 * 1024 + 1))


def _suite() -> list[Path]:
    return sorted((DATA / "json-test-suite").glob("*.json"))


@pytest.mark.skipif(not _suite(), reason="JSONTestSuite is not in LAYERLAB_DATA/json-test-suite")
def test_json_test_suite_says_yes_and_no_as_we_do() -> None:
    ours = {}
    for path in _suite():
        try:
            value = strict.loads(path.read_bytes())
            ours[path.name] = True
            assert value == json.loads(path.read_bytes().decode("utf-8-sig"))
        except FileProblem:
            ours[path.name] = False
    # The suite takes duplicate keys; they are the one thing that JSON allows and a file of ours may not hold.
    refused = {name for name, taken in ours.items() if name.startswith("y_") and not taken}
    assert refused == {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
    assert {name for name, taken in ours.items() if name.startswith("n_") and taken} == set()


# ---------------------------------------------------------------------------- paths that are no files


def test_a_missing_file_a_folder_and_a_pipe_are_messages(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="no file"):
        storage.read(tmp_path / "none.layerlab")
    with pytest.raises(FileProblem, match="is a folder"):
        storage.read(tmp_path)
    with pytest.raises(FileProblem):
        storage.read("null\0byte")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FileProblem, match="not a regular file"):
            storage.read(tmp_path / "pipe")


def test_a_file_problem_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.layerlab"
    path.write_text("{")
    with pytest.raises(FileProblem, match=r"broken\.layerlab: line 1, column 2"):
        storage.read(path)
