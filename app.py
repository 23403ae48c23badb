"""Colorize photographs and short films on a page in the browser; nothing leaves this machine.

    python app.py

Prints the address of the page. What is uploaded and made lies in a temporary folder, which is
removed when the page ends.
"""

import argparse
import contextlib
import functools
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from unittest import mock

from colorizer import Colorizer
from colorizer.cli import megapixels, working_size
from colorizer.enlarge import enlarger_of
from colorizer.errors import UserError, run
from colorizer.files import photos
from colorizer.hints import palette
from colorizer.jobs.request import Request, read_reference
from colorizer.session import LONGEST_FILM, Session, colorize, colorize_film

import cv2

# Gradio reads the source of all its components to write stubs for editors, a third of the start. It
# does without for those whose file is not found.
with mock.patch("inspect.getfile", side_effect=OSError):
    import gradio as gr

# Larger files are refused before they are read.
MAX_FILE_SIZE = "1gb"
# What nobody looks at any more is removed after so many seconds.
KEPT_SECONDS = 24 * 3600
KEPT_ANSWERS = 3
RECENT_COLOURS = 8
PROGRESS = gr.Progress()  # Gradio finds it among a handler's defaults
FIRST_COLOUR = "#4a6fb5"
PALETTE_SIZE = 120, 480
PLAYED = (".mp4", ".m4v", ".mov", ".webm")  # the films that browsers play

# The page needs no font but the system's. Pictures must not be enlarged here: Gradio takes none for
# larger than its file, and would tell wrong places of clicks. Reports need room for the progress.
FONTS = {"font": ["system-ui", "sans-serif"], "font_mono": ["monospace"]}
CSS = """
.unseen {position: absolute; left: -9999px}
.caption {padding: 8px 12px 4px}
#picture img {cursor: crosshair; max-height: 75vh}
#palette img {cursor: crosshair}
#player video {max-height: 75vh}
#report, #film-report {min-height: 6em}
#likely .gallery > button, #recent .gallery > button {width: 30px; height: 30px; padding: 0}
"""
SAVE = "() => {{setTimeout(() => document.querySelector('#{0}').click(), 200)}}"

HELP = (
    "Choose a colour and click on the photograph to say: this is that colour. Click on a point to "
    "pick it up: the next click puts it down elsewhere, and a colour or a size changes it."
)


class Visit:
    """What one browser works on: photographs by path, the one that is shown, colours, reference.

    Its folder holds the photographs, and what was made last.
    """

    def __init__(self, folder):
        self.sessions, self.current, self.recent = {}, None, []
        self.reference = None
        self.scale = 0
        self.lock = threading.Lock()
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.made = []

    def new_folder(self) -> Path:
        """Make a folder for files that are about to be handed to the browser.

        Gradio copies them; so the folders of earlier answers go.
        """
        self.made.append(Path(tempfile.mkdtemp(dir=self.folder)))
        while len(self.made) > KEPT_ANSWERS:
            shutil.rmtree(self.made.pop(0), ignore_errors=True)
        return self.made[-1]

    def end(self) -> None:
        """Remove its files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def said(handler):
    """Let a handler say on the page what a person can mend."""

    @functools.wraps(handler)
    def saying(*given):
        try:
            return handler(*given)
        except UserError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error

    return saying


def switches(tab):
    """Return two switches of a tab: whether photographs are restored, and whether enlarged."""
    return (
        gr.Checkbox(label="Take grain, scratches and dust away", elem_id=f"restore-{tab}"),
        gr.Checkbox(label="The same, and twice as wide and high", elem_id=f"enlarge-{tab}"),
    )


def scale_of(restore, enlarge) -> int:
    """Return the scale that the two switches mean."""
    return 2 if enlarge else int(restore)


def rgb_of(text) -> tuple:
    """Read a colour as a browser writes it: #4a6fb5, or rgba(74, 111, 181, 1)."""
    if text.startswith("#"):
        return tuple(bytes.fromhex(text[1:7]))
    return tuple(round(float(number)) for number in re.findall(r"[\d.]+", text)[:3])


def hex_of(colour) -> str:
    return "#" + bytes(map(int, colour)).hex()


class Page:
    """The page: its parts, and what happens when they are used."""

    def __init__(self, colorizer, folder, max_megapixels):
        """Build it for a Colorizer; `folder` is for the files that it makes."""
        self.colorizer, self.folder, self.max_megapixels = colorizer, folder, max_megapixels
        self.film_lock, self.ended = threading.Lock(), threading.Event()
        with gr.Blocks(
            title="Colorize photographs",
            analytics_enabled=False,
            delete_cache=(3600, KEPT_SECONDS),
        ) as self.blocks:
            gr.Markdown(
                "# Colorize black-and-white photographs\n"
                "Everything happens on this computer; no photograph leaves it."
            )
            visit = gr.State(delete_callback=lambda visit: visit and visit.end())
            with gr.Tab("One at a time"):
                self.build_single(visit)
            with gr.Tab("Many at once"):
                self.build_many(visit)
            with gr.Tab("A film"):
                self.build_film(visit)
        self.blocks.queue(default_concurrency_limit=os.cpu_count() or 1)

    # --------------------------------------------------------------------- one photograph

    def build_single(self, visit) -> None:
        """Lay out the tab on which a person decides colours, and wire it."""
        files = gr.File(
            label="Drop photographs here, or click to choose",
            file_count="multiple",
            height=130,
            elem_id="files",
        )
        choice = gr.Radio([], label="Photograph", visible=False)
        with gr.Row(visible=False) as work:
            with gr.Column(scale=3):
                with gr.Tab("Say colours"):
                    picture = gr.Image(
                        show_label=False, interactive=False, buttons=[], elem_id="picture"
                    )
                    with gr.Row():
                        undo = gr.Button("Undo", size="sm", elem_id="undo")
                        remove = gr.Button("Remove point", size="sm", elem_id="remove")
                        clear = gr.Button("Remove all points", size="sm", elem_id="clear")
                    gr.Markdown(HELP)
                with gr.Tab("Before and after"):
                    slider = gr.ImageSlider(
                        show_label=False, interactive=False, buttons=[], elem_id="slider"
                    )
                message = gr.Markdown(elem_id="message")
            with gr.Column(scale=1, min_width=300):
                colour = gr.ColorPicker(FIRST_COLOUR, label="Colour", elem_id="colour")
                with gr.Group():
                    gr.Markdown("All that are possible there", elem_classes="caption")
                    palette = gr.Image(
                        show_label=False, interactive=False, buttons=[], elem_id="palette"
                    )
                likely = self.swatches("Usual there", "likely")
                recent = self.swatches("Used last", "recent")
                radius = gr.Slider(0.2, 5, 1, step=0.1, label="Size of a point", elem_id="radius")
                strength = gr.Slider(
                    0, 1, 1, step=0.05, label="Strength of all colours", elem_id="strength"
                )
                with gr.Group():
                    improved = switches("single")
                with gr.Accordion("Colours from another photograph", open=False):
                    reference = gr.File(
                        label="A photograph in colour", height=110, elem_id="reference"
                    )
                save = gr.Button("Download the photograph", variant="primary", elem_id="save")
                save_hints = gr.Button("Download the points", elem_id="save-hints")
                result = gr.DownloadButton("result", elem_id="result", elem_classes="unseen")
                hints = gr.DownloadButton("hints", elem_id="hints", elem_classes="unseen")

        shown = [picture, slider, palette, likely, recent, message]
        # What is asked for again and again while a slider moves is answered for the last time only.
        latest_only = {"show_progress": "hidden", "trigger_mode": "always_last"}
        for event in (files.upload, files.delete, files.clear):
            event(self.open_files, [visit, files, strength], [visit, files, choice, work, *shown])
        choice.input(self.choose, [visit, choice, strength], shown)
        picture.select(self.click, [visit, colour, radius, strength], shown, show_progress="hidden")
        colour.input(self.recolour, [visit, colour, strength], shown, **latest_only)
        palette.select(
            self.take_from_palette, [visit, strength], [colour, *shown], show_progress="hidden"
        )
        for swatches in (likely, recent):
            swatches.click(
                self.take_swatch,
                [visit, swatches, strength],
                [colour, *shown],
                show_progress="hidden",
            )
        radius.input(self.resize, [visit, radius, strength], shown, **latest_only)
        strength.input(self.show, [visit, strength], shown, **latest_only)
        for switch in improved:
            switch.input(self.improve, [visit, *improved, strength], shown)
        for button, verb in (
            (undo, Session.undo),
            (remove, Session.remove),
            (clear, Session.clear),
        ):
            button.click(
                functools.partial(self.change, verb),
                [visit, strength],
                shown,
                show_progress="hidden",
            )
        reference.upload(self.refer, [visit, reference, strength], shown)
        reference.clear(self.refer, [visit, reference, strength], shown)
        save.click(self.write, [visit, strength], result).success(js=SAVE.format("result"))
        save_hints.click(self.write_hints, [visit], hints).success(js=SAVE.format("hints"))

    def swatches(self, label, name):
        """Return a row of colours to click on."""
        return gr.Dataset(
            label=label,
            components=[gr.ColorPicker(visible=False)],
            samples=[],
            type="values",
            layout="gallery",
            elem_id=name,
        )

    @said
    def open_files(self, visit, paths, strength):
        """Open photographs; those that are none are said and taken from the list."""
        visit, failures = visit or Visit(self.folder), []
        with visit.lock:
            sessions = {}
            for path in paths or []:
                try:
                    sessions[path] = visit.sessions.get(path) or Session(
                        put(path, visit.folder), self.colorizer, self.max_megapixels
                    )
                except UserError as error:
                    failures.append(str(error))
            new = [path for path in sessions if path not in visit.sessions]
            for path in new:
                sessions[path].use_reference(visit.reference)
                sessions[path].enlarge(visit.scale)
            visit.sessions = sessions
            if visit.current not in sessions.values() or new:
                visit.current = sessions[(new or list(sessions))[0]] if sessions else None
        for failure in failures:
            gr.Warning(failure, duration=None, title="This is no photograph")
        current = next((p for p, session in sessions.items() if session is visit.current), None)
        choices = [(session.path.name, path) for path, session in sessions.items()]
        return (
            visit,
            list(sessions) or None,
            gr.Radio(choices, value=current, visible=len(choices) > 1),
            gr.Row(visible=bool(sessions)),
            *self.show(visit, strength),
        )

    @said
    def choose(self, visit, path, strength):
        """Show another of the photographs."""
        with visit.lock:
            visit.current = visit.sessions[path]
        return self.show(visit, strength)

    @said
    def click(self, visit, colour, radius, strength, where: gr.SelectData):
        """Take a click on the photograph."""
        colour = rgb_of(colour)
        with visit.lock:
            visit.current.click(*where.index, colour, radius / 100)
        self.remember(visit, colour)
        return self.show(visit, strength)

    @said
    def recolour(self, visit, colour, strength):
        """Give the picked point the colour that was chosen."""
        with visit.lock:
            visit.current.recolour(rgb_of(colour))
        return self.show(visit, strength)

    @said
    def take_from_palette(self, visit, strength, where: gr.SelectData):
        """Take a colour from the palette."""
        x, y = where.index
        shown = palette.palette(visit.current.level(), *PALETTE_SIZE)
        return self.take(visit, shown[y, x], strength)

    @said
    def take_swatch(self, visit, swatch, strength):
        """Take a colour from a row of colours."""
        return self.take(visit, rgb_of(swatch[0]), strength)

    def take(self, visit, colour, strength):
        """Use a colour, for the point that was set last or is picked, and for the next ones."""
        with visit.lock:
            visit.current.recolour(map(int, colour), latest=True)
        self.remember(visit, colour)
        return hex_of(colour), *self.show(visit, strength)

    def remember(self, visit, colour) -> None:
        """Put a colour before those that were used."""
        text = hex_of(colour)
        others = [each for each in visit.recent if each != text]
        visit.recent = [text, *others][:RECENT_COLOURS]

    @said
    def resize(self, visit, radius, strength):
        """Give the picked point another size."""
        with visit.lock:
            visit.current.resize(radius / 100)
        return self.show(visit, strength)

    @said
    def change(self, verb, visit, strength):
        """Undo, remove, clear."""
        with visit.lock:
            verb(visit.current)
        return self.show(visit, strength)

    @said
    def refer(self, visit, path, strength):
        """Take colours from a photograph, for all that are open, or from none."""
        reference = read_reference(Path(path), self.colorizer) if path else None
        with visit.lock:
            visit.reference = reference
            for session in visit.sessions.values():
                session.use_reference(reference)
        return self.show(visit, strength)

    @said
    def improve(self, visit, restore, enlarge, strength):
        """Restore or enlarge all photographs that are open, or leave them."""
        with visit.lock:
            visit.scale = scale_of(restore, enlarge)
            for session in visit.sessions.values():
                session.enlarge(visit.scale)
        return self.show(visit, strength)

    @said
    def show(self, visit, strength):
        """Return what is seen of the current photograph."""
        session = visit.current
        if session is None:
            return [None] * 2 + [gr.skip()] * 3 + [""]
        with visit.lock:
            painted = session.painted(strength)
            pictures = {
                "before": session.shown,
                "after": painted,
                "marked": session.marked(painted),
                "palette": palette.palette(session.level(), *PALETTE_SIZE),
            }
            folder, files = visit.new_folder(), {}
            for name, pixels in pictures.items():
                files[name] = str(folder / f"{name}.jpg")
                photos.write(files[name], photos.Photograph(pixels))
            likely = [[hex_of(colour)] for colour in session.likely()]
            message = session.summary()
        recent = [[text] for text in visit.recent]
        return (
            files["marked"],
            (files["before"], files["after"]),
            files["palette"],
            gr.Dataset(samples=likely),
            gr.Dataset(samples=recent),
            message,
        )

    @said
    def write(self, visit, strength):
        """Colorize the current photograph at its own size."""
        with visit.lock:
            return str(visit.current.write(visit.new_folder(), strength))

    @said
    def write_hints(self, visit):
        """Write the points of the current photograph as a picture."""
        with visit.lock:
            return str(visit.current.write_hints(visit.new_folder()))

    # --------------------------------------------------------------------- many photographs

    def build_many(self, visit) -> None:
        """Lay out the tab for many photographs, and wire it."""
        gr.Markdown(
            "Drop a whole box of scans, or choose a folder. The results come as one ZIP file; "
            "names and formats stay."
        )
        with gr.Row():
            files = gr.File(
                label="Drop photographs here, or click to choose",
                file_count="multiple",
                height=180,
                elem_id="many",
            )
            folder = gr.File(
                label="Or choose a folder", file_count="directory", height=180, elem_id="folder"
            )
        strength = gr.Slider(0, 1, 1, step=0.05, label="Strength of all colours")
        with gr.Row():
            improved = switches("many")
        with gr.Accordion("Take colours from another photograph", open=False):
            reference = gr.File(label="A photograph in colour", height=110)
        start = gr.Button("Colorize all", variant="primary", elem_id="start")
        report = gr.Markdown(elem_id="report")
        archive = gr.File(label="All results", visible=False, interactive=False, elem_id="archive")
        given = [visit, files, folder, reference, *improved, strength]
        start.click(self.colorize_all, given, [visit, report, archive])

    @said
    def colorize_all(
        self, visit, files, folder, reference, restore, enlarge, strength, progress=PROGRESS
    ):
        """Colorize many photographs and pack the results."""
        paths = [*(files or []), *(folder or [])]
        if not paths:
            raise UserError("There are no photographs yet; drop some, or choose a folder.")
        visit = visit or Visit(self.folder)
        place = visit.new_folder()
        # In one folder, hints lie beside their photographs.
        for path in paths:
            put(path, place / "photographs")
        results = place / "colorized"
        request = Request(
            inputs=(place / "photographs",),
            output=results,
            strength=strength,
            max_megapixels=self.max_megapixels,
            reference=read_reference(Path(reference), self.colorizer) if reference else None,
            enlarger=enlarger_of(scale_of(restore, enlarge)),
        )
        progress(0, desc="Colorizing")
        report = colorize(
            request,
            self.colorizer,
            tell=lambda done, of: progress((done, of), desc="Colorizing", unit="photographs"),
        )
        lines = [f"{report.done} photographs are in colour."]
        lines += [f"- **{name}** is not: {reason}." for name, reason in report.failures]
        lines += [f"- {name}: {remark}." for name, remark in report.remarks]
        archive = None
        if report.done:
            archive = str(pack(results, place / "colorized.zip"))
        shutil.rmtree(results)
        return visit, "\n".join(lines), gr.File(archive, visible=archive is not None)

    # --------------------------------------------------------------------- a film

    def build_film(self, visit) -> None:
        """Lay out the tab for a film, and wire it."""
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
        start.click(lambda visit: visit or Visit(self.folder), visit, visit).then(
            self.colorize_one_film,
            [visit, film, strength, reference],
            [report, player, save],
            concurrency_limit=1,
        )

    @said
    def colorize_one_film(self, visit, path, strength, reference, progress=PROGRESS):
        """Colorize a film, to play and to download."""
        if not path:
            raise UserError("There is no film yet; drop one, or choose one.")
        request = Request(
            strength=strength,
            max_megapixels=self.max_megapixels,
            reference=read_reference(Path(reference), self.colorizer) if reference else None,
        )

        def tell(done, of):
            if self.ended.is_set():
                raise UserError("The page has ended.")
            progress((done, of), desc="Colorizing", unit="frames")

        # In no folder of an answer: those go while somebody works on in another tab.
        with self.film_lock, tempfile.TemporaryDirectory(dir=visit.folder) as folder:
            outcome = colorize_film(path, Path(folder), self.colorizer, request, tell)
            result = Path(shutil.move(outcome.job.target, visit.new_folder()))
        remark = f": {outcome.remark}" if outcome.remark else ""
        played = result.suffix.lower() in PLAYED
        if not played:
            remark += f". Browsers do not play {result.suffix}; download it to watch it"
        return (
            f"{result.name} is in colour{remark}.",
            gr.Video(str(result) if played else None, visible=played),
            gr.DownloadButton(value=str(result), visible=True),
        )

    def end(self) -> None:
        """Stop serving; a film that is under way ends first, or its threads would crash Python."""
        self.ended.set()
        with self.film_lock:
            self.blocks.close(verbose=False)


def put(path, folder) -> Path:
    """Link a file into a folder, under a name that is free there, and return that."""
    path = Path(path)
    folder.mkdir(exist_ok=True)
    target, number = folder / path.name, 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{number}{path.suffix}"
    os.link(path, target)
    return target


def pack(folder, path) -> Path:
    """Pack the results below a folder into a ZIP file and return its path."""
    # Pictures do not become smaller.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for result in sorted(folder.rglob("*")):
            if result.is_file() and result.suffix != ".jsonl":
                archive.write(result, result.relative_to(folder))
    return path


@contextlib.contextmanager
def serving(settings, **launch):
    """Serve the page in the background during the block; gives its address."""
    # Gradio keeps uploads and results where this variable says.
    with tempfile.TemporaryDirectory(prefix="colorizer-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = os.path.join(folder, "served")
        colorizer = Colorizer(settings.model, settings.working_size)
        page = Page(colorizer, folder, settings.max_megapixels)
        try:
            _, address, _ = page.blocks.launch(
                server_name=settings.host,
                server_port=settings.port,
                prevent_thread_lock=True,
                quiet=True,
                share=False,
                ssr_mode=False,
                footer_links=[],
                run_history=False,
                enable_monitoring=False,
                max_file_size=MAX_FILE_SIZE,
                theme=gr.themes.Default(**FONTS),
                css=CSS,
                **launch,
            )
        except OSError as error:
            raise UserError(
                f"the page cannot be served at {settings.host}:{settings.port or 'any port'} "
                "(another program may be there); give another --port"
            ) from error
        try:
            yield address
        finally:
            page.end()


def serve(settings) -> None:
    """Serve the page until it is stopped."""
    # However it is stopped, its files are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with serving(settings, inbrowser=settings.browser) as address:
        print(f"the page is at {address} (Ctrl-C ends it)", flush=True)
        threading.Event().wait()


def arguments():
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default %(default)s: this machine alone can reach it)",
    )
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    parser.add_argument("--browser", action="store_true", help="also open it in the browser")
    parser.add_argument("--model", default="semantic", help="as for colorize.py")
    parser.add_argument(
        "--working-size", type=working_size, metavar="PIXELS", help="as for colorize.py"
    )
    parser.add_argument(
        "--max-megapixels",
        type=megapixels,
        default=photos.MAX_MEGAPIXELS,
        metavar="MILLIONS",
        help="as for colorize.py (default %(default)s)",
    )
    return parser


def main(argv=None) -> int:
    """Read the command line and serve the page."""
    cv2.setNumThreads(1)
    return run(serve, arguments().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
