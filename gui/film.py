"""A run as a film: what the window shows of it, step after step, as GIF, MP4 or animated WebP.

Pillow writes pictures that move. MP4 is written by PyAV where that is installed: its wheels bring
FFmpeg's libraries for every system, at half the size of imageio-ffmpeg's program and a fifth of what
Qt's own writer of films comes with. They are 100 MB, and some of them under the GPL: so it is an extra.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

from engine.storage import atomic
from gui.choosing import ask_save
from gui.panels.panel import Panel
from gui.session import Session

#: Most pictures in a film, their greatest width in pixels, and how long each stands, in milliseconds.
PICTURES, WIDTH, STANDS = 80, 960, 120

#: Number of ITU-R BT.709 in H.264's tables of colours (ITU-T H.273).
BT709 = 1

#: Kinds of films, by their files' ends.
KINDS = {".gif": "GIF", ".mp4": "MP4", ".webp": "Animated WebP"}


def ask(parent: QWidget) -> Path | None:
    """The file that the user wants the film in."""
    kinds = ";;".join(f"{name} (*{suffix})" for suffix, name in KINDS.items())
    path = ask_save(parent, "Save the run as a film", "run.gif", kinds)
    return path if path is None or path.suffix else path.with_suffix(".gif")


def refusal(suffix: str) -> str:
    """Why no film of this kind can be written, and what helps; empty: it can."""
    if suffix.lower() not in KINDS:
        return f"films are .gif, .mp4 or .webp, not {suffix or 'without an end'}"
    if suffix.lower() == ".mp4" and importlib.util.find_spec("av") is None:
        return "MP4 needs PyAV, which is not installed: pip install av, or choose .gif"
    return ""


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
        if wrong := refusal(path.suffix):  # told before all the pictures are taken
            say(f"Cannot write {path.name}: {wrong}.")
            self.deleteLater()
            return
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
        # What was drawn into pictures counts as drawn: on the screen an earlier step's lines would stay.
        for area in self._view.findChildren(QAbstractScrollArea):
            area.viewport().update()
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
    """The film's bytes; the last picture stands longer, before the film begins anew."""
    if not pictures:
        raise ValueError("there is nothing to be seen yet")
    if suffix.lower() == ".mp4":
        return _mp4(pictures)
    if suffix.lower() == ".gif":  # one palette for all, lest colours flicker
        palette = pictures[-1].quantize(colors=255)
        pictures = [picture.quantize(palette=palette, dither=0) for picture in pictures]
    data = io.BytesIO()
    first, *rest = pictures
    stands = [STANDS] * len(rest) + [10 * STANDS]
    first.save(data, suffix[1:], save_all=True, append_images=rest, duration=stands, loop=0)
    return data.getvalue()


def _mp4(pictures: list[Any]) -> bytes:
    """H.264 in colours of a half resolution, which every player knows; sides must be even for that."""
    try:
        import av
    except ImportError as error:  # it is there, and does not start
        raise ValueError(f"PyAV does not start: {error}") from None
    try:
        return _encoded(av, pictures)
    except av.FFmpegError as error:
        raise ValueError(f"PyAV says: {error}") from None


def _encoded(av: Any, pictures: list[Any]) -> bytes:
    width, height = (side // 2 * 2 for side in pictures[0].size)
    data, tick = io.BytesIO(), Fraction(1, 1000)
    with av.open(data, "w", format="mp4") as film:
        try:
            stream = film.add_stream("h264", rate=Fraction(1000, STANDS), options={"crf": "18"})
        except ValueError:  # built by a distribution that leaves it out
            raise ValueError("this PyAV cannot write H.264: pip install av, or choose .gif") from None
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = tick
        # Told, or players guess by the size how colours were made.
        stream.codec_context.colorspace = stream.codec_context.color_primaries = BT709
        stream.codec_context.color_trc = BT709
        for number, picture in enumerate([*pictures, *pictures[-1:] * 9]):
            frame = av.VideoFrame.from_image(picture.crop((0, 0, width, height)))
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
            frame.pts, frame.time_base = number * STANDS, tick
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return data.getvalue()
