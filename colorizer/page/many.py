"""The tab for many photographs at once."""

import contextlib
import itertools
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from colorizer.errors import UserError
from colorizer.files import formats
from colorizer.files.formats import CHOICES
from colorizer.files.photos import PhotographError
from colorizer.films.formats import is_film
from colorizer.jobs.request import Request
from colorizer.jobs.run import Report
from colorizer.page.parts import (
    CLEANING,
    clean_up_choice,
    pack,
    read_reference,
    strength_slider,
    thumbnail,
)
from colorizer.page.session import colorize
from colorizer.page.workspace import PROGRESS, handler, link, markdown
from colorizer.prints.enlarge import enlarger_of

import gradio as gr

AS_IT_WAS = "as each was"
# What becomes of photographs in colour: keep_colour and keep_toned of a Request.
IN_COLOUR = {
    "Colorize them anew": (False, False),
    "Keep them; sepia prints count as black-and-white": (True, False),
    "Keep them, and sepia prints as well": (True, True),
}
# What page.js knows of the folders of uploads.
FOLDERS = "(_, ...inputs) => [window.colorizer.folders, ...inputs]"
MOST_SHOWN, THUMBNAIL = 60, 320  # results in the gallery, and pixels of their longer side
JOBS = 4  # of several people, at once


class ManyTab:
    """Layout and handlers of the tab."""

    def __init__(self, colorizer, workspaces, max_megapixels):
        self.colorizer, self.workspaces = colorizer, workspaces
        self.max_megapixels = max_megapixels
        gr.Markdown(
            "Drop a whole box of scans, or choose a folder; files NAME.hints.png are the points of "
            "the photograph NAME. The results come as one ZIP file, in the same folders, under the "
            "same names."
        )
        with gr.Row():
            files = gr.File(
                label="Photographs",
                file_count="multiple",
                height=150,
                elem_id="many",
            )
            directory = gr.File(
                label="Or a folder of them",
                file_count="directory",
                height=150,
                elem_id="folder",
            )
        with gr.Row():
            in_colour = gr.Dropdown(
                list(IN_COLOUR), label="Photographs that are in colour", elem_id="in-colour"
            )
            clean_up = clean_up_choice("many")
            format = gr.Dropdown([AS_IT_WAS, *CHOICES], label="File format", elem_id="format")
        strength = strength_slider("many")
        with gr.Accordion("Take colours from another photograph", open=False):
            reference = gr.File(
                label="A photograph in colour", height=110, elem_id="reference-many"
            )
        with gr.Row():
            start = gr.Button("Colorize all", variant="primary", elem_id="start")
            stop = gr.Button("Stop", elem_id="stop")
        report = gr.Markdown(elem_id="report")
        folders = gr.JSON(visible=False)
        archive = gr.File(label="All results", visible=False, interactive=False, elem_id="archive")
        gallery = gr.Gallery(
            label="Results",
            columns=6,
            height=420,
            object_fit="contain",
            buttons=[],
            interactive=False,
            visible=False,
            elem_id="gallery",
        )
        start.click(
            self.colorize_all,
            [folders, files, directory, reference, in_colour, clean_up, format, strength],
            [report, archive, gallery],
            js=FOLDERS,
            show_progress_on=[report],
            concurrency_limit=JOBS,
        )
        stop.click(self.stop, None, None, show_progress="hidden")

    @handler
    def colorize_all(
        self,
        workspace: gr.Request,
        folders,
        files,
        directory,
        reference,
        in_colour,
        clean_up,
        format,
        strength,
        progress=PROGRESS,
    ):
        """Colorize many photographs and pack the results."""
        paths = [*(directory or []), *(files or [])]
        if not paths:
            raise UserError("There are no photographs yet; drop some, or choose a folder.")
        with workspace.working() as check:
            place = Path(tempfile.mkdtemp(dir=workspace.folder))
            try:
                films = lay_out(paths, folders, place / "photographs")
                keep_colour, keep_toned = IN_COLOUR[in_colour]
                request = Request(
                    inputs=(place / "photographs",),
                    output=place / "colorized",
                    format=None if format == AS_IT_WAS else format,
                    strength=strength,
                    keep_colour=keep_colour,
                    keep_toned=keep_toned,
                    max_megapixels=self.max_megapixels,
                    reference=read_reference(reference, self.colorizer),
                    enlarger=enlarger_of(CLEANING[clean_up]),
                )
                progress(0, desc="Colorizing")

                def on_progress(done, of):
                    progress((done, of), desc="Colorizing", unit="photographs")
                    check()

                made = self.run(request, on_progress, len(films) < len(paths))
                reason = "it is a film, and films have their own tab"
                made.failures += [(name, reason) for name in films]
                return self.answer(workspace, made, request)
            finally:
                shutil.rmtree(place, ignore_errors=True)

    def run(self, request, on_progress, any_photographs) -> Report:
        """Do the request; other files than photographs are failures."""
        if not any_photographs:
            return Report()
        try:
            return colorize(request, self.colorizer, on_progress)
        except UserError as error:
            if "holds no photographs" not in str(error):
                raise
            raise UserError(
                f"There is no photograph among the files ({', '.join(formats.SUFFIXES)})."
            ) from error

    def answer(self, workspace, made, request):
        """Return the report, the archive and the gallery of what was made."""
        archive, results = None, []
        if made.done or made.left_in_colour:
            folder = workspace.new_folder()
            archive = str(pack(request.output, folder / "colorized.zip"))
            targets = [each.job.target for each in made.outcomes if not each.failure]
            for number, target in enumerate(targets[:MOST_SHOWN]):
                with contextlib.suppress(PhotographError):
                    small = thumbnail(target, folder / f"{number}.jpg", THUMBNAIL)
                    results.append((small, target.name))
        return (
            report_of(made, request),
            gr.File(archive, visible=archive is not None),
            gr.Gallery(results or None, visible=bool(results)),
        )

    @handler
    def stop(self, workspace: gr.Request):
        """Stop after the photographs that are under way."""
        workspace.stop.set()


def lay_out(paths, folders, target) -> list:
    """Link uploads into a folder as they lay in theirs; return the names of films, left out.

    `folders` are the relative paths that the browser has of the first of them, or None.
    """
    films = []
    for path, relative in itertools.zip_longest(map(Path, paths), folders or ()):
        if path is None:
            break
        # Of what a browser says, only names below the target count.
        *above, name = PurePosixPath(relative if isinstance(relative, str) else "").parts or [""]
        if name != path.name or any(part[0] in "./" or set(part) & set("\\:\0") for part in above):
            above = []
        if is_film(path):
            films.append(path.name)
        else:
            link(path, target.joinpath(*above))
    return films


def report_of(made, request) -> str:
    """Write what became of photographs, in Markdown."""
    count = made.done + made.left_in_colour
    lines = [f"{count} {'photograph is' if count == 1 else 'photographs are'} in colour."]
    if made.stopped:
        lines[0] = f"Stopped. {lines[0]}"
    if made.recoloured:
        lines.append(f"- {made.recoloured} were in colour before, and were colorized anew.")
    if made.toned:
        lines.append(f"- {made.toned} were sepia or other prints of one hue.")
    if made.left_in_colour:
        lines.append(f"- {made.left_in_colour} were in colour, and kept their colours.")
    for name, reason in made.failures:
        lines.append(f"- **{markdown(name)}** is not: {markdown(reason)}.")
    for name, remark in made.remarks:
        lines.append(f"- {markdown(name)}: {markdown(remark)}.")
    return "\n".join(lines)
