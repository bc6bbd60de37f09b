"""A run as a film: what the window shows of it, step after step, in a GIF or an animated WebP.

Pillow writes both. MP4 would take ffmpeg, which this program does not bring: of Qt it installs the
essentials, and Qt's own writer of films is not among them.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from engine.storage import atomic
from gui.choosing import ask_save
from gui.panels.panel import Panel
from gui.session import Session

#: Most pictures in a film, their greatest width in pixels, and how long each stands, in milliseconds.
PICTURES, WIDTH, STANDS = 80, 960, 120


def ask(parent: QWidget) -> Path | None:
    """The file that the user wants the film in."""
    path = ask_save(parent, "Save the run as a film", "run.gif", "GIF (*.gif);;Animated WebP (*.webp)")
    return path if path is None or path.suffix else path.with_suffix(".gif")


class Film(QObject):
    """Seeks through a session's steps, and takes a picture of a widget at each.

    One picture a turn of the event loop, so that the window goes on answering. In the end the session
    looks at the step that it looked at before.
    """

    def __init__(self, session: Session, view: QWidget, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._view = session, view
        self._pictures: list[Any] = []
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._next)

    def start(self, path: Path, say: Callable[[str], object]) -> None:
        """Make the film; `say` gets how far it has come, and how it ended."""
        steps = [observation.step for observation in self._session.seen()]
        if self._session.at is not None:
            steps = [observation.step for observation in self._session.observations]
        count = min(PICTURES, len(steps))
        self._steps = [steps[round(i * (len(steps) - 1) / max(count - 1, 1))] for i in range(count)]
        self._path, self._say, self._before = path, say, self._session.at
        self._timer.start()

    def _next(self) -> None:
        done = len(self._pictures)
        if done < len(self._steps):
            self._session.seek(self._steps[done])
            for panel in self._view.findChildren(Panel):
                if panel.in_view or panel.works_hidden:  # which may colour the canvas
                    panel.flush()
            self._pictures.append(_picture(self._view.grab().toImage()))
            self._say(f"Film: picture {done + 1} of {len(self._steps)}")
            return
        self._timer.stop()
        self._session.seek(self._before)
        try:
            atomic.write_bytes(self._path, _written(self._pictures, self._path.suffix))
            self._say(f"{self._path.name}: a film of {len(self._pictures)} pictures.")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._say(f"Cannot write {self._path.name}: {reason}")
        self.deleteLater()


def _picture(image: QImage) -> Any:
    """A picture for Pillow, no wider than :data:`WIDTH`."""
    from PIL import Image

    if image.width() > WIDTH:
        image = image.scaledToWidth(WIDTH, Qt.TransformationMode.SmoothTransformation)
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    size, line = (image.width(), image.height()), image.bytesPerLine()
    return Image.frombuffer("RGB", size, bytes(image.constBits()), "raw", "RGB", line, 1)


def _written(pictures: list[Any], suffix: str) -> bytes:
    """The film's bytes; ValueError where Pillow knows no such kind."""
    kinds = {".gif": "GIF", ".webp": "WEBP"}
    if suffix.lower() not in kinds:
        raise ValueError(f"films are .gif or .webp, not {suffix}")
    if not pictures:
        raise ValueError("there is nothing to be seen yet")
    if suffix.lower() == ".gif":  # one palette for all, lest colours flicker
        palette = pictures[-1].quantize(colors=255)
        pictures = [picture.quantize(palette=palette, dither=0) for picture in pictures]
    data = io.BytesIO()
    first, *rest = pictures
    # The last one stands longer, before the film begins anew.
    stands = [STANDS] * len(rest) + [10 * STANDS]
    first.save(data, kinds[suffix.lower()], save_all=True, append_images=rest, duration=stands, loop=0)
    return data.getvalue()
