"""The tab for a film."""

import math
import tempfile
from pathlib import Path

from colorizer.errors import UserError
from colorizer.films.formats import is_film
from colorizer.jobs.job import Outcome
from colorizer.jobs.request import Request
from colorizer.page.parts import named, read_reference, strength_slider
from colorizer.page.session import colorize
from colorizer.page.workspace import PROGRESS, handler, markdown

import gradio as gr

LONGEST_FILM = 600  # seconds; somebody waits for it
MOST_RATE = 60  # frames a second; a header may say anything
PLAYED = (".mp4", ".m4v", ".mov", ".webm")  # the containers that browsers play


class FilmTab:
    """Layout and handlers of the tab."""

    def __init__(self, colorizer, workspaces, max_megapixels):
        self.colorizer, self.workspaces = colorizer, workspaces
        self.max_megapixels = max_megapixels
        gr.Markdown(
            f"A film of up to {LONGEST_FILM // 60} minutes. Its sound, size and format stay; a "
            "minute of film takes a minute or more. It ends when this tab is closed."
        )
        film = gr.File(label="A film", height=130, elem_id="film")
        strength = strength_slider("film")
        with gr.Accordion("Take colours from a photograph", open=False):
            reference = gr.File(
                label="A photograph in colour, or a painted frame",
                height=110,
                elem_id="film-reference",
            )
        with gr.Row():
            start = gr.Button("Colorize the film", variant="primary", elem_id="start-film")
            stop = gr.Button("Stop", elem_id="stop-film")
        report = gr.Markdown(elem_id="film-report")
        player = gr.Video(
            show_label=False, interactive=False, buttons=[], visible=False, elem_id="player"
        )
        save = gr.DownloadButton("Download the film", visible=False, elem_id="save-film")
        # Two films at once would be no faster, and take twice the memory.
        start.click(
            self.colorize,
            [film, strength, reference],
            [report, player, save],
            show_progress_on=[report],
            concurrency_limit=1,
        )
        stop.click(self.stop, None, None, show_progress="hidden")

    @handler
    def colorize(self, workspace: gr.Request, path, strength, reference, progress=PROGRESS):
        """Colorize a film, to play and to download."""
        if not path:
            raise UserError("There is no film yet; drop one, or choose one.")
        with (
            workspace.working() as check,
            tempfile.TemporaryDirectory(dir=workspace.folder) as folder,
        ):
            request = Request(
                inputs=(Path(path),),
                output=Path(folder),
                strength=strength,
                max_megapixels=self.max_megapixels,
                reference=read_reference(reference, self.colorizer),
            )

            def on_frame(done, of):
                progress((done, of), desc="Colorizing", unit="frames")
                check()

            outcome = colorize_film(request, self.colorizer, on_frame)
            if outcome is None:
                return "Stopped.", gr.Video(visible=False), gr.DownloadButton(visible=False)
            result = named(outcome.job.target)
            result = result.rename(workspace.new_folder() / result.name)
        remark = f": {outcome.remark}" if outcome.remark else ""
        played = result.suffix.lower() in PLAYED
        if not played:
            remark += f". Browsers do not play {result.suffix}; download it to watch it"
        return (
            f"{markdown(Path(path).name)} is in colour{markdown(remark)}.",
            gr.Video(str(result) if played else None, visible=played),
            gr.DownloadButton(value=str(result), visible=True),
        )

    @handler
    def stop(self, workspace: gr.Request):
        """Stop the film."""
        workspace.stop.set()


def colorize_film(request, colorizer, on_frame) -> Outcome | None:
    """Colorize the film of a request; `on_frame` is as for `session.colorize`.

    Returns None where that was stopped. Raises UserError where it fails, or the film is too large,
    or longer than LONGEST_FILM, by its header or while it is read.
    """
    # Not imported above, because photographs need not wait for FFmpeg's libraries.
    from colorizer.films import decode

    (path,) = request.inputs
    if not is_film(path):
        raise UserError(f"{path.name} is no film; photographs have the other tabs.")
    try:
        film = decode.probe(path)
        height, width = film.size
        most = math.ceil(LONGEST_FILM * min(film.rate, MOST_RATE))
        too_long = f"the page takes {LONGEST_FILM // 60} minutes; colorize.py takes longer ones"
        if film.frames > most:
            minutes = math.ceil(film.frames / min(film.rate, MOST_RATE) / 60)
            raise decode.FilmError(f"it lasts {minutes} minutes, and {too_long}")
        if width * height > request.max_megapixels * 1e6:
            raise decode.FilmError(
                f"it has {width} x {height} pixels, more than {request.max_megapixels:g} megapixels"
            )

        def count(done, of):
            # Each frame counts twice: read for its scene, and coloured.
            if done > 2 * most:
                raise decode.FilmError(f"it is longer than it says, and {too_long}")
            on_frame(done, of)

        report = colorize(request, colorizer, count)
        if not report.outcomes and report.stopped:
            return None
        failures = [reason for _, reason in report.failures]
        if failures:
            raise decode.FilmError(failures[0])
    except decode.FilmError as error:
        raise UserError(f"{path.name} cannot be colorized: {error}.") from error
    return report.outcomes[0]
