"""The help: pages of Markdown in a window of their own."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QSize, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QImage, QTextBlockFormat, QTextCursor, QTextDocument
from PySide6.QtWidgets import QDialog, QHBoxLayout, QListWidget, QListWidgetItem, QTextBrowser, QWidget

from engine import assets
from gui.theme import SPACE, theme

_PAGE = Qt.ItemDataRole.UserRole
_IMAGE = QTextDocument.ResourceType.ImageResource.value
#: Width of the help's largest pictures, in pixels.
PICTURE = 580


def pages() -> list[Path]:
    """The help's pages, in order."""
    folder = assets.path("help")
    return sorted(folder.glob("*.md"), key=lambda path: (path.stem != "index", path.name))


def title(path: Path) -> str:
    """A page's first heading, else its name."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            return line[2:].strip()
    return path.stem.replace("_", " ").capitalize()


class Page(QTextBrowser):
    """A page, whose pictures are made smaller smoothly and never larger."""

    def loadResource(self, type: int, name: QUrl | str) -> object:
        """A picture at the size at which it is shown, in the pixels of this screen; else as it is."""
        found = super().loadResource(type, name)
        if type != _IMAGE:
            return found
        image = QImage()
        if not isinstance(found, QByteArray) or not image.loadFromData(found):
            return found
        ratio = self.devicePixelRatioF()
        wide = min(image.width(), PICTURE)
        if image.width() > wide * ratio:
            image = image.scaledToWidth(round(wide * ratio), Qt.TransformationMode.SmoothTransformation)
        image.setDevicePixelRatio(image.width() / wide)
        return image


class Help(QDialog):
    """A list of pages and the page."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Layerlab help")
        self.resize(880, 640)
        self.list = QListWidget()
        self.list.setAccessibleName("Help pages")
        self.list.setFixedWidth(220)
        self.browser = Page(openLinks=False)
        self.browser.setAccessibleName("Help page")
        self.browser.setProperty("page", True)
        self.browser.setSearchPaths([str(assets.path("help"))])
        self.browser.anchorClicked.connect(self._follow)
        for path in pages():
            item = QListWidgetItem(title(path), self.list)
            item.setData(_PAGE, path.name)
            item.setSizeHint(QSize(0, 8 * SPACE))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.list)
        row.addWidget(self.browser, 1)
        self.browser.document().setDocumentMargin(6 * SPACE)
        self.list.currentItemChanged.connect(lambda item: self._show(item.data(_PAGE)) if item else None)
        theme.changed.connect(self._repaint)
        self.list.setCurrentRow(0)

    def show_page(self, name: str) -> None:
        """Show the page in the file `name` (``"index.md"``)."""
        for row in range(self.list.count()):
            if self.list.item(row).data(_PAGE) == name:
                self.list.setCurrentRow(row)

    def _show(self, name: str) -> None:
        text = assets.read_text(f"help/{name}")
        self.browser.setMarkdown(text.replace("_light.png", f"_{theme.tokens.name}.png"))
        self._fit_pictures()
        self._space_out()

    def _fit_pictures(self) -> None:
        """Pictures as wide as the text, or as they are."""
        cursor = QTextCursor(self.browser.document())
        while not cursor.atEnd():
            cursor.movePosition(QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor)
            picture = cursor.charFormat().toImageFormat()
            if picture.isValid():
                shown = self.browser.document().resource(_IMAGE, QUrl(picture.name()))
                if isinstance(shown, QImage):
                    picture.setWidth(shown.deviceIndependentSize().width())
                cursor.mergeCharFormat(picture)
            cursor.clearSelection()

    def _space_out(self) -> None:
        """Give headings, paragraphs and lists the room that Qt's Markdown leaves out."""
        document = self.browser.document()
        cursor = QTextCursor(document)
        block = document.begin()
        while block.isValid():
            if cursor.currentTable() is None and not block.text().isspace():
                cursor.setPosition(block.position())
                layout = cursor.blockFormat()
                level = layout.headingLevel()
                layout.setTopMargin(6 * SPACE if level > 1 else 0)
                layout.setBottomMargin(SPACE if cursor.currentList() else 2 * SPACE)
                if not block.text().startswith("\ufffc"):  # a picture
                    layout.setLineHeight(135, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
                cursor.setBlockFormat(layout)
            block = block.next()

    def _repaint(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self._show(item.data(_PAGE))

    def _follow(self, link: QUrl) -> None:
        if link.isRelative() and link.path().endswith(".md"):
            self.show_page(link.path())
        elif link.scheme() in ("http", "https"):
            QDesktopServices.openUrl(link)
