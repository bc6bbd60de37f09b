"""What Layerlab needs from the machine, and the package that brings what is missing.

Only the standard library is used up here, so that ``python -m engine.doctor`` runs before anything
is installed. Paths are told relative to what they belong to: a report is pasted into public issues.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import NamedTuple


class Library(NamedTuple):
    """A shared library and the packages that bring it."""

    name: str
    debian: str
    fedora: str


#: What Qt's own libraries are linked to, with a display or without.
QT_LIBRARIES = (
    Library("libEGL.so.1", "libegl1", "libglvnd-egl"),
    Library("libGL.so.1", "libgl1", "libglvnd-glx"),
    Library("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon"),
    Library("libfontconfig.so.1", "libfontconfig1", "fontconfig"),
    Library("libfreetype.so.6", "libfreetype6", "freetype"),
    Library("libdbus-1.so.3", "libdbus-1-3", "dbus-libs"),
    Library("libglib-2.0.so.0", "libglib2.0-0", "glib2"),
)
#: What Qt's X11 plugin is linked to beside them. Without one of these Qt ends the process.
X11_LIBRARIES = (
    Library("libxcb-cursor.so.0", "libxcb-cursor0", "xcb-util-cursor"),
    Library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "libxkbcommon-x11"),
    Library("libX11-xcb.so.1", "libx11-xcb1", "libX11-xcb"),
    Library("libxcb-icccm.so.4", "libxcb-icccm4", "xcb-util-wm"),
    Library("libxcb-image.so.0", "libxcb-image0", "xcb-util-image"),
    Library("libxcb-keysyms.so.1", "libxcb-keysyms1", "xcb-util-keysyms"),
    Library("libxcb-render-util.so.0", "libxcb-render-util0", "xcb-util-renderutil"),
    Library("libxcb-randr.so.0", "libxcb-randr0", "libxcb"),
    Library("libxcb-shape.so.0", "libxcb-shape0", "libxcb"),
    Library("libxcb-xkb.so.1", "libxcb-xkb1", "libxcb"),
)


def missing_libraries(x11: bool = False) -> list[Library]:
    """The system libraries that Qt would not find; with `x11` also those of its X11 plugin."""
    if not sys.platform.startswith("linux"):
        return []
    missing = []
    for library in (*QT_LIBRARIES, *(X11_LIBRARIES if x11 else ())):
        try:
            ctypes.CDLL(library.name)
        except OSError:
            missing.append(library)
    return missing


def install_line(missing: list[Library]) -> str:
    """The command that installs what is `missing`, for this machine's package manager."""
    if shutil.which("apt-get"):
        return "sudo apt-get install " + " ".join(dict.fromkeys(library.debian for library in missing))
    fedora = " ".join(dict.fromkeys(library.fedora for library in missing))
    return f"sudo dnf install {fedora}" if shutil.which("dnf") else f"Fedora's names: {fedora}"


def libraries_message(missing: list[Library]) -> str:
    """What to tell a user whose machine lacks libraries."""
    names = ", ".join(library.name for library in missing)
    return (
        f"Qt needs system libraries that are not installed: {names}.\nInstall them: {install_line(missing)}"
    )


# ---------------------------------------------------------------------------- display


def display_problem() -> str | None:
    """Why no window can be shown here; None if one can.

    Asked before Qt starts, because Qt ends the whole process when its display does not answer.
    """
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return None
    wayland, x11 = os.environ.get("WAYLAND_DISPLAY"), os.environ.get("DISPLAY")
    if not wayland and not x11:
        return "There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)."
    if wayland and _wayland_answers(wayland):
        return None
    if x11 and _x11_answers():
        return None
    return f"The display {wayland or x11!r} does not answer."


def _wayland_answers(display: str) -> bool:
    address = Path(os.environ.get("XDG_RUNTIME_DIR", "/"), display)
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(address))
        except OSError:
            return False
    return True


def _x11_answers() -> bool:
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # Qt's import then names the missing library
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    try:
        return not xcb.xcb_connection_has_error(connection)
    finally:
        xcb.xcb_disconnect(connection)


# ---------------------------------------------------------------------------- report


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    #: "ok", "note" (works without) or "problem".
    state: str
    found: str
    mend: str = ""


def report() -> list[Check]:
    """Look at everything that Layerlab needs here. Imports torch, which takes seconds."""
    checks = [
        _layerlab(),
        _python(),
        *(
            _distribution(name, needed)
            for name, needed in (
                ("torch", True),
                ("numpy", True),
                ("PySide6-Essentials", False),
                ("av", False),
            )
        ),
        _torch(),
        _devices(),
        _memory(),
        _qt_libraries(),
        _qt(),
        _display(),
        _working_folder(),
        _own_folder(),
        _disk(),
        _data(),
    ]
    return [replace(check, found=public(check.found), mend=public(check.mend)) for check in checks]


def public(text: str) -> str:
    """`text` without what is private in it: the user's folder and name."""
    home = os.path.expanduser("~")
    for place, sign in ((os.getcwd(), "."), (home, "~"), (sys.prefix, "PYTHON"), (sys.base_prefix, "PYTHON")):
        if len(place) > 3:
            text = text.replace(place, sign)
    # Whatever else begins with a folder in which people's own folders lie.
    text = re.sub(r"(/home/|/Users/|[A-Za-z]:\\Users\\)[^/\\\s'\"]+", "~", text)
    name = os.path.basename(home)
    return re.sub(rf"\b{re.escape(name)}\b", "USER", text) if len(name) > 3 else text


def as_json(checks: list[Check]) -> dict[str, object]:
    """The report as ``layerlab doctor --json`` prints it."""
    return {
        "ok": all(check.state != "problem" for check in checks),
        "checks": [asdict(check) for check in checks],
    }


def _layerlab() -> Check:
    """Which Layerlab this is; a report without that helps nobody."""
    from engine.network import FORMAT_VERSION

    try:
        version = metadata.version("layerlab")
    except metadata.PackageNotFoundError:
        version = "run from its own folder, not installed"
    return Check("Layerlab", "ok", f"{version}; files of format {FORMAT_VERSION}")


def _python() -> Check:
    version = platform.python_version()
    found = (
        f"{version} on {platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores"
    )
    return Check("Python", "ok", found)


def _distribution(name: str, needed: bool) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        state = "problem" if needed else "note"
        return Check(name, state, "not installed", f"pip install {name}")


def _torch() -> Check:
    """Whether torch starts and computes, gradients too."""
    try:
        import torch

        x = torch.ones(2, 2, requires_grad=True)
        (x @ x).sum().backward()
        right = x.grad is not None and bool((x.grad == 4).all())
    except Exception as error:  # a broken installation can fail in many ways
        said = (str(error).splitlines() or [""])[0]
        return Check("PyTorch works", "problem", f"no: {type(error).__name__}: {said}", _AGAIN)
    if not right:
        return Check("PyTorch works", "problem", "no: a gradient comes out wrong", _AGAIN)
    return Check("PyTorch works", "ok", "a small network's gradient is right")


_AGAIN = "Install it again: pip install --force-reinstall torch"
_CUDA_TORCH = "For training on it, install PyTorch's CUDA build: https://pytorch.org/get-started/locally/"


def _devices() -> Check:
    try:
        import torch
    except Exception:  # told by the check before
        return Check("Devices", "problem", "unknown, since torch does not start", _AGAIN)
    driver = _nvidia_driver()
    told = f"NVIDIA driver {driver}" if driver else "no NVIDIA driver"
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        try:
            torch.ones(8, device="cuda").sum().item()
        except RuntimeError as error:
            said = str(error).splitlines()[0]
            return Check("Devices", "problem", f"{', '.join(names)} fails: {said} ({told})", _CUDA_TORCH)
        return Check("Devices", "ok", f"CPU and {', '.join(names)} (CUDA {torch.version.cuda}, {told})")
    if torch.backends.mps.is_available():
        return Check("Devices", "ok", "CPU and Apple's GPU (Metal)")
    built = f"torch was built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is CPU-only"
    found = f"CPU, {torch.get_num_threads()} threads; no CUDA device ({built}, {told})"
    if driver and torch.version.cuda:
        return Check("Devices", "note", found, "The driver may be too old for this CUDA: update it.")
    return Check("Devices", "note", found, _CUDA_TORCH) if driver else Check("Devices", "ok", found)


def _nvidia_driver() -> str:
    """The version of NVIDIA's driver; empty where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        told = subprocess.run(
            [program, "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return "that does not answer"
    return told[0] if told else ""


def _memory() -> Check:
    from engine.analysis.memory import installed

    size = installed()
    state = "ok" if size >= 2e9 else "note"
    mend = "" if state == "ok" else "PyTorch alone takes about 0.5 GB for each run: train small networks."
    return Check("Memory", state, f"{size / 1e9:.1f} GB", mend)


def _qt_libraries() -> Check:
    missing = missing_libraries(x11=bool(os.environ.get("DISPLAY")))
    if missing:
        names = ", ".join(library.name for library in missing)
        return Check("Qt's system libraries", "note", f"missing: {names}", install_line(missing))
    return Check("Qt's system libraries", "ok", "all there")


def _qt() -> Check:
    """Whether Qt starts, tried in a process of its own: it ends the process where it does not."""
    script = (
        "from PySide6.QtWidgets import QApplication as A; A([]); import PySide6; print(PySide6.__version__)"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    try:
        tried = subprocess.run(
            [sys.executable, "-P", "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("Qt works", "note", f"it cannot be tried: {type(error).__name__}")
    if tried.returncode == 0:
        return Check("Qt works", "ok", f"PySide6 {tried.stdout.strip()}")
    said = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
    return Check("Qt works", "note", f"no: {said}", "The command line works without: layerlab train FILE.")


def _display() -> Check:
    problem = display_problem()
    if problem:
        return Check("Display", "note", problem, "The command line works without one: layerlab train FILE.")
    return Check("Display", "ok", os.environ.get("QT_QPA_PLATFORM") or "there")


def _working_folder() -> Check:
    try:
        with tempfile.TemporaryFile(dir="."):
            return Check("Working folder", "ok", "runs can be written here")
    except OSError as error:
        return Check("Working folder", "note", f"cannot be written ({error.strerror})", "Use --run-dir DIR.")


def _own_folder() -> Check:
    """Where journals and the local history go; as Qt's AppLocalDataLocation."""
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA", "~"))
    elif sys.platform == "darwin":
        root = Path("~/Library/Application Support")
    else:
        root = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share")
    folder = root.expanduser() / "layerlab"
    existing = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if os.access(existing, os.W_OK | os.X_OK):
        return Check("Layerlab's own folder", "ok", "edits can be kept safe from a crash")
    return Check(
        "Layerlab's own folder",
        "note",
        f"{existing} cannot be written, so edits are not kept safe from a crash",
        "Give yourself the right to write there.",
    )


def _disk() -> Check:
    free = shutil.disk_usage(".").free
    found = f"{free / 1e9:.1f} GB free in the working folder"
    if free < 500e6:
        return Check("Disk", "note", found, "Checkpoints need room: free some, or use --run-dir DIR.")
    return Check("Disk", "ok", found)


def _data() -> Check:
    from engine.data import folders

    places = folders.places("mnist", None)
    if any(next(place.glob("train-images*idx3-ubyte*"), None) for place in places):
        return Check("MNIST", "ok", "there")
    return Check("MNIST", "note", "not there", "The digits data set needs no files; for MNIST see the help.")


def main() -> int:
    """Print the Debian packages that Qt misses here, one line; nothing when it has all."""
    print(" ".join(dict.fromkeys(library.debian for library in missing_libraries())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
