"""What `layerlab doctor` finds, and what it keeps to itself."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine import doctor


def named(name: str) -> doctor.Check:
    return next(check for check in doctor.report() if check.name == name)


def test_it_looks_at_everything_that_can_be_wrong() -> None:
    names = [check.name for check in doctor.report()]
    for wanted in (
        "Layerlab",
        "Python",
        "torch",
        "PyTorch works",
        "Devices",
        "Memory",
        "Qt works",
        "Display",
        "Disk",
    ):
        assert wanted in names
    assert named("PyTorch works").state == "ok"


def test_nothing_private_is_told_whatever_the_machine_says() -> None:
    home = os.path.expanduser("~")
    for text in (
        f"{home}/work/x.so is missing",
        "/home/ada.lovelace/x: no",
        r"C:\Users\Ada Lovelace".replace(" ", "_") + r"\x",
        "/Users/ada/Library",
        f"{os.getcwd()}/runs",
    ):
        said = doctor.public(text)
        assert home not in said
        assert os.getcwd() not in said
        assert "ada" not in said.lower()


def test_the_report_names_no_folder_of_the_user(tmp_path: Path) -> None:
    home = tmp_path / "grace.hopper"
    home.mkdir()
    told = subprocess.run(
        [sys.executable, "-m", "engine.cli", "doctor", "--json"],
        cwd=home,
        env={**os.environ, "HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert json.loads(told)["checks"]
    assert "grace" not in told
    assert str(tmp_path) not in told


def test_a_torch_that_computes_wrongly_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.Tensor, "grad", property(lambda self: torch.zeros(2, 2)))
    assert doctor._torch().state == "problem"


def test_a_graphics_card_that_torch_cannot_use_is_said_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor, "_nvidia_driver", lambda: "470.1")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert (doctor._devices().state, "update it" in doctor._devices().mend) == ("note", True)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "CUDA build" in doctor._devices().mend


def test_a_qt_that_does_not_start_is_said_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "PySide6"
    broken.mkdir()
    (broken / "__init__.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert doctor._qt().state == "note"


def test_a_full_disk_and_a_folder_that_may_not_be_written_are_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(100, 99, 1))
    assert doctor._disk().state == "note"
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    assert "not kept safe" in doctor._own_folder().found
