"""What Layerlab needs from the machine, and the package that brings what is missing.

Only the standard library is used up here, so that ``python -m engine.doctor`` runs before anything
is installed. Paths are told relative to what they belong to: a report is pasted into public issues.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass
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
    return [
        _python(),
        *(
            _distribution(name, needed)
            for name, needed in (("torch", True), ("numpy", True), ("PySide6-Essentials", False))
        ),
        _cuda(),
        _qt_libraries(),
        _display(),
        _working_folder(),
        _disk(),
        _data(),
    ]


def as_json(checks: list[Check]) -> dict[str, object]:
    """The report as ``layerlab doctor --json`` prints it."""
    return {
        "ok": all(check.state != "problem" for check in checks),
        "checks": [asdict(check) for check in checks],
    }


def _python() -> Check:
    version = platform.python_version()
    found = f"{version} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return Check("Python", "ok", found)


def _distribution(name: str, needed: bool) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        state = "problem" if needed else "note"
        return Check(name, state, "not installed", f"pip install {name}")


def _cuda() -> Check:
    try:
        import torch
    except Exception as error:  # a broken installation can fail in many ways
        return Check("Devices", "problem", f"torch does not start: {error}", "Install torch again.")
    if not torch.cuda.is_available():
        built = (
            f"torch was built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is CPU-only"
        )
        return Check("Devices", "ok", f"CPU, {torch.get_num_threads()} threads; no CUDA device ({built})")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return Check("Devices", "ok", f"CPU and {', '.join(names)} (CUDA {torch.version.cuda})")


def _qt_libraries() -> Check:
    missing = missing_libraries(x11=bool(os.environ.get("DISPLAY")))
    if missing:
        names = ", ".join(library.name for library in missing)
        return Check("Qt's system libraries", "note", f"missing: {names}", install_line(missing))
    return Check("Qt's system libraries", "ok", "all there")


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
