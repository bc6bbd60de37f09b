"""A host behind a command: a stand-in for another machine, with folders and an environment of its own."""

import shlex
import sys
import threading

import pytest

from engine.host.client import HostProblem
from engine.host.pool import Pool
from engine.host.protocol import FINAL_STATES, Metrics, RunState
from engine.host.remote import probe, words
from engine.runs import RunFolder
from engine.storage.file import dumps
from tests.test_training import perceptron


@pytest.fixture
def machine(tmp_path):
    """A command that reaches a host through a shell in another folder, as ssh would."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    inner = f"cd {shlex.quote(str(home))} && exec {shlex.quote(sys.executable)} -m engine.host.server"
    return home, ["sh", "-c", inner]


def test_a_host_list_takes_commands_and_names_of_machines():
    assert words("gpu1") == ["ssh", "-o", "BatchMode=yes", "gpu1", "layerlab", "host"]
    assert words("docker exec -i 'my box' layerlab host")[3] == "my box"
    for wrong in ("", "ssh 'gpu1"):
        with pytest.raises(HostProblem):
            words(wrong)


def test_the_test_button_hears_who_is_there(machine):
    _, command = machine
    welcome = probe(command, 120)
    assert welcome.devices[0].id == "cpu"
    assert welcome.torch


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            ["sh", "-c", "echo 'gpu1: Host key verification failed.' >&2; exit 255"],
            "Host key verification failed",
        ),
        (["sh", "-c", "echo Welcome to Ubuntu; sleep 5"], "strays|claims|no event|broke off"),
        (["no-such-program-here"], "Cannot start"),
    ],
)
def test_what_is_no_host_is_said_with_its_own_last_words(command, said):
    with pytest.raises(HostProblem, match=said):
        probe(command, 30)


def test_a_silent_machine_is_given_up():
    with pytest.raises(HostProblem, match=r"said nothing for 0\.2 seconds"):
        probe(["sh", "-c", "cat > /dev/null"], 0.2)


def test_a_run_trains_on_the_other_machine_and_its_folder_lies_there(machine):
    home, command = machine
    ended, metrics = threading.Event(), []

    def see(event):
        if isinstance(event, Metrics):
            metrics.append(event)
        if isinstance(event, RunState) and event.state in FINAL_STATES:
            ended.set()

    pool = Pool(lambda event: None, command=command)
    try:
        run = pool.train(dumps(perceptron()), "run", see, device="cpu")
        assert ended.wait(180)
        assert run.state == "finished"
        assert metrics
        assert RunFolder(home / "run").state() == "finished"
    finally:
        pool.close()
