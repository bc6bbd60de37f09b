"""``layerlab [FILE]`` and ``--screenshot``: how the window's own arguments are read and refused."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from engine import assets, cli, doctor

TEMPLATE = str(assets.path("networks/digits_mlp.layerlab"))


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A window that writes down how it was called, on a machine where windows can be shown."""
    calls: SimpleNamespace = SimpleNamespace(run=[], screenshot=[])
    app = ModuleType("gui.app")
    app.run = lambda *a: calls.run.append(a) or 0  # type: ignore[attr-defined]
    app.screenshot = lambda *a, **k: calls.screenshot.append((a, k)) or 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gui.app", app)
    monkeypatch.setattr("gui.app", app, raising=False)
    monkeypatch.setattr(doctor, "missing_libraries", lambda x11=False: [])
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    return calls


def test_alone_it_opens_an_empty_window(window: SimpleNamespace) -> None:
    assert cli.main([]) == 0
    assert window.run == [(None, None, None)]


def test_a_file_is_opened(window: SimpleNamespace) -> None:
    assert cli.main([TEMPLATE]) == 0
    assert window.run == [(TEMPLATE, None, None)]


def test_a_theme_and_a_size_are_the_window_s_for_this_start(window: SimpleNamespace) -> None:
    assert cli.main(["--theme", "dark", "--size=1920x1080", TEMPLATE]) == 0
    assert window.run == [(TEMPLATE, "dark", (1920, 1080))]


def test_a_picture_with_all_its_options(window: SimpleNamespace) -> None:
    arguments = ["--screenshot", "out.png", "--train=2.5", "--size", "900x600", "--theme", "dark", TEMPLATE]
    assert cli.main(arguments) == 0
    assert window.screenshot == [(("out.png", TEMPLATE, 2.5), {"size": (900, 600), "theme": "dark"})]


def test_a_picture_of_a_file_that_cannot_be_read_is_refused(
    window: SimpleNamespace, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.layerlab"
    broken.write_text("{")
    assert cli.main(["--screenshot", "out.png", str(broken)]) == 2
    assert "line 1, column 2" in capsys.readouterr().err
    assert window.screenshot == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["nothing.layerlab"], "there is no file nothing.layerlab"),
        ([TEMPLATE, TEMPLATE], "one file at a time"),
        (["--scrnshot", "x.png"], "Did you mean '--screenshot'?"),
        (["--screenshot"], "--screenshot needs a value"),
        (["--screenshot", "x.jpg"], "does not end in .png"),
        (["--screenshot", "x.png", "--train", "ten"], "--train takes seconds"),
        (["--screenshot", "x.png", "--train", "nan"], "--train takes seconds"),
        (["--screenshot", "x.png", "--size", "big"], "--size takes WIDTHxHEIGHT"),
        (["--screenshot", "x.png", "--size", "9x9"], "--size takes WIDTHxHEIGHT"),
        (["--screenshot", "x.png", "--theme", "pink"], "--theme is light or dark"),
        (["--train", "3"], "goes with --screenshot"),
    ],
)
def test_arguments_that_make_no_sense_are_said_in_a_line_and_exit_2(
    window: SimpleNamespace, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1
    assert (window.run, window.screenshot) == ([], [])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
class TestWithoutADisplay:
    @pytest.fixture(autouse=True)
    def _no_display(self, window: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
            monkeypatch.delenv(name, raising=False)

    def test_the_window_says_so_and_what_to_use_instead(
        self, window: SimpleNamespace, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main([]) == 2
        message = capsys.readouterr().err
        assert "no display" in message
        assert "layerlab train" in message
        assert "--screenshot" in message
        assert window.run == []

    def test_a_display_that_does_not_answer_is_found_before_qt_ends_the_process(
        self, window: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("DISPLAY", ":987")
        assert cli.main([]) == 2
        assert "':987' does not answer" in capsys.readouterr().err

    def test_a_picture_is_taken_off_screen(self, window: SimpleNamespace) -> None:
        assert cli.main(["--screenshot", "out.png"]) == 0
        assert len(window.screenshot) == 1


def test_missing_system_libraries_are_named_with_their_packages(
    window: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "missing_libraries", lambda x11=False: list(doctor.QT_LIBRARIES[:2]))
    monkeypatch.setattr(
        doctor.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None
    )
    assert cli.main([]) == 2
    message = capsys.readouterr().err
    assert "libEGL.so.1" in message
    assert "sudo apt-get install libegl1 libgl1" in message


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's libraries")
def test_a_library_that_is_not_there_is_found_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = doctor.Library("libcertainly-not-there.so.9", "libabsent9", "absent")
    present = doctor.Library("libc.so.6", "libc6", "glibc")
    monkeypatch.setattr(doctor, "QT_LIBRARIES", (present, absent))
    assert doctor.missing_libraries() == [absent]
