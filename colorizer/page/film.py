"""The tab for a film."""

import contextlib
import dataclasses
import math
import shutil
import tempfile
import threading
from pathlib import Path

from colorizer.errors import UserError
from colorizer.films.formats import is_film
from colorizer.jobs.job import Outcome
from colorizer.jobs.request import Request, read_reference
from colorizer.page.workspace import PROGRESS, Workspace, shows_errors
from colorizer.session import colorize

import gradio as gr

LONGEST_FILM = 600  # seconds; somebody waits for it
PLAYED = (".mp4", ".m4v", ".mov", ".webm")  # the containers that browsers play


class FilmTab:
    """Layout and handlers of the tab; `workspace` is the gr.State of a Workspace."""

    def __init__(self, colorizer, folder, max_megapixels, workspace):
        self.colorizer, self.folder, self.max_megapixels = colorizer, folder, max_megapixels
        self.lock, self.page_ends = threading.Lock(), threading.Event()
        gr.Markdown(
            f"A film of up to {LONGEST_FILM // 60} minutes. Its sound, size and format stay; a "
            "minute of film takes a minute or more."
        )
        film = gr.File(label="Drop a film here, or click to choose", height=130, elem_id="film")
        strength = gr.Slider(0, 1, 1, step=0.05, label="Strength of all colours")
        with gr.Accordion("Take colours from a photograph", open=False):
            reference = gr.File(
                label="A photograph in colour, or a painted frame",
                height=110,
                elem_id="film-reference",
            )
        start = gr.Button("Colorize the film", variant="primary", elem_id="start-film")
        report = gr.Markdown(elem_id="film-report")
        player = gr.Video(
            show_label=False, interactive=False, buttons=[], visible=False, elem_id="player"
        )
        save = gr.DownloadButton("Download the film", visible=False, elem_id="save-film")
        # Two films at once would be no faster, and take twice the memory.
        start.click(lambda known: known or Workspace(folder), workspace, workspace).then(
            self.colorize,
            [workspace, film, strength, reference],
            [report, player, save],
            concurrency_limit=1,
        )

    @shows_errors
    def colorize(self, workspace, path, strength, reference, progress=PROGRESS):
        """Colorize a film, to play and to download."""
        if not path:
            raise UserError("There is no film yet; drop one, or choose one.")
        request = Request(
            strength=strength,
            max_megapixels=self.max_megapixels,
            reference=read_reference(Path(reference), self.colorizer) if reference else None,
        )

        def on_frame(done, of):
            if self.page_ends.is_set():
                raise UserError("The page has ended.")
            progress((done, of), desc="Colorizing", unit="frames")

        # In no folder of an answer: other tabs of the browser may remove those meanwhile.
        with self.lock, tempfile.TemporaryDirectory(dir=workspace.folder) as folder:
            outcome = colorize_film(path, Path(folder), self.colorizer, request, on_frame)
            result = Path(shutil.move(outcome.job.target, workspace.new_folder()))
        remark = f": {outcome.remark}" if outcome.remark else ""
        played = result.suffix.lower() in PLAYED
        if not played:
            remark += f". Browsers do not play {result.suffix}; download it to watch it"
        return (
            f"{result.name} is in colour{remark}.",
            gr.Video(str(result) if played else None, visible=played),
            gr.DownloadButton(value=str(result), visible=True),
        )

    @contextlib.contextmanager
    def ended(self):
        """End a film that is under way, and let none start during the block.

        Its threads would crash Python when it exits.
        """
        self.page_ends.set()
        with self.lock:
            yield


def colorize_film(path, folder, colorizer, request, on_frame) -> Outcome:
    """Colorize a film into a folder; `on_frame` is as for `session.colorize`.

    Raises UserError where that fails, or the film is longer than LONGEST_FILM or too large.
    """
    # Not imported above, because photographs need not wait for FFmpeg's libraries.
    from colorizer.films import decode

    path = Path(path)
    if not is_film(path):
        raise UserError(f"{path.name} is no film; photographs have the other tabs.")
    try:
        film = decode.probe(path)
        height, width = film.size
        if film.frames > LONGEST_FILM * film.rate:
            minutes = math.ceil(film.frames / film.rate / 60)
            raise decode.FilmError(
                f"it lasts {minutes} minutes, and the page takes {LONGEST_FILM // 60}; "
                "colorize.py takes longer ones"
            )
        if width * height > request.max_megapixels * 1e6:
            raise decode.FilmError(
                f"it has {width} x {height} pixels, more than {request.max_megapixels:g} megapixels"
            )
        request = dataclasses.replace(request, inputs=(path,), output=folder)
        (outcome,) = colorize(request, colorizer, on_frame).outcomes
        if outcome.failure:
            raise decode.FilmError(outcome.failure)
    except decode.FilmError as error:
        raise UserError(f"{path.name} cannot be colorized: {error}.") from error
    return outcome
