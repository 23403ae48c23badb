"""What one browser works on, and what the tabs of the page share."""

import functools
import os
import re
import shutil
import tempfile
import threading
from pathlib import Path

from colorizer.errors import UserError

import gradio as gr

KEPT_ANSWERS = 3  # folders of earlier answers; Gradio copies what it serves
RECENT_COLOURS = 8
PROGRESS = gr.Progress()  # Gradio finds it among a handler's defaults


class Workspace:
    """Photographs by path, the current one, recent colours and a reference of one browser.

    Its folder holds the uploaded photographs and the latest answers.
    """

    def __init__(self, folder):
        self.sessions, self.current, self.recent = {}, None, []
        self.reference = None
        self.scale = 0
        self.lock = threading.Lock()
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.answers = []

    def new_folder(self) -> Path:
        """Make a folder for an answer, and remove the oldest above KEPT_ANSWERS."""
        self.answers.append(Path(tempfile.mkdtemp(dir=self.folder)))
        while len(self.answers) > KEPT_ANSWERS:
            shutil.rmtree(self.answers.pop(0), ignore_errors=True)
        return self.answers[-1]

    def remember(self, colour) -> None:
        """Put a colour, sRGB, before the recent ones."""
        text = hex_of(colour)
        others = [each for each in self.recent if each != text]
        self.recent = [text, *others][:RECENT_COLOURS]

    def remove(self) -> None:
        """Remove its files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def shows_errors(handler):
    """Decorate a handler: the page shows the sentence of a UserError."""

    @functools.wraps(handler)
    def showing(*inputs):
        try:
            return handler(*inputs)
        except UserError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error

    return showing


def restore_switches(tab):
    """Return two checkboxes of a tab: restore photographs, and enlarge them as well."""
    return (
        gr.Checkbox(label="Take grain, scratches and dust away", elem_id=f"restore-{tab}"),
        gr.Checkbox(label="The same, and twice as wide and high", elem_id=f"enlarge-{tab}"),
    )


def scale_of(restore, enlarge) -> int:
    """Return the scale that two `restore_switches` mean, as `enlarger_of` takes it."""
    return 2 if enlarge else int(restore)


def rgb_of(text) -> tuple:
    """Read a colour as a browser writes it: #4a6fb5, or rgba(74, 111, 181, 1)."""
    if text.startswith("#"):
        return tuple(bytes.fromhex(text[1:7]))
    return tuple(round(float(number)) for number in re.findall(r"[\d.]+", text)[:3])


def hex_of(colour) -> str:
    """Write a colour, sRGB, as #4a6fb5."""
    return "#" + bytes(map(int, colour)).hex()


def link(path, folder) -> Path:
    """Link a file into a folder, under a name that is free there, and return the link."""
    path = Path(path)
    folder.mkdir(exist_ok=True)
    target, number = folder / path.name, 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{number}{path.suffix}"
    os.link(path, target)
    return target
