"""The tab for one photograph at a time: a person sets points of colour."""

import contextlib
import dataclasses
import shutil
import tempfile
from pathlib import Path

from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.films.formats import is_film
from colorizer.hints import drawing, palette
from colorizer.page.parts import (
    CLEANING,
    clean_up_choice,
    named,
    pack,
    read_reference,
    strength_slider,
    thumbnail,
)
from colorizer.page.session import Session
from colorizer.page.workspace import PROGRESS, handler, hex_of, link, rgb_of, warn

import gradio as gr

SAMPLES = Path(__file__).parents[2] / "samples"  # in a checkout
EXAMPLES = ("stairs.jpg", "photographer.png", "grace_hopper.jpg", "palace.jpg")

FIRST_COLOUR = "#4a6fb5"
PALETTE_SIZE = 120, 480  # height, width
MOST_PHOTOGRAPHS = 100  # open in one tab
THUMBNAIL = 160  # pixels of the longer side
SET, KEEP = "sets a colour", "keeps what is there"

# The button of a download is clicked once its file is there.
SAVE = "() => {setTimeout(() => document.querySelector('#result').click(), 200)}"

PRESSED = "(_, ...inputs) => [window.colorizer.pressed, ...inputs]"

HELP = (
    "Choose a colour and click on the photograph: what is there takes that colour. Drag a point to "
    "move it. Click on a point to pick it up: a colour or a size that you choose then changes it. "
    "Hold Original, and you see the photograph as it was."
)


@dataclasses.dataclass
class Photo:
    """An open photograph: its file, a thumbnail of it, and its Session once it was looked at."""

    path: Path
    thumbnail: str
    session: Session | None = None


class SingleTab:
    """Layout and handlers of the tab."""

    def __init__(self, colorizer, workspaces, max_megapixels):
        self.colorizer, self.workspaces = colorizer, workspaces
        self.max_megapixels = max_megapixels
        with gr.Row(elem_id="open", equal_height=True):
            files = gr.File(
                label="Photographs",
                file_count="multiple",
                height=72,
                min_width=260,
                elem_id="files",
            )
            strip = gallery("strip", scale=4, height=74, visible=False)
        examples = gallery(
            "examples",
            [str(SAMPLES / name) for name in EXAMPLES] if SAMPLES.is_dir() else None,
            label="Or try one of these",
            show_label=True,
            height=200,
            visible=SAMPLES.is_dir(),
        )
        with gr.Row(visible=False, elem_id="work") as work:
            with gr.Column(scale=3, elem_id="photograph"):
                picture = image("picture", "The photograph in colour, with its points")
                # page.js lays it over the picture as long as "Original" is held.
                before = image("before", "The photograph before", elem_classes="unseen")
                with gr.Row(elem_id="actions"):
                    undo, remove, clear, _, close = (
                        gr.Button(text, size="sm", min_width=60, elem_id=name)
                        for text, name in (
                            ("Undo", "undo"),
                            ("Remove point", "remove"),
                            ("Remove all", "clear"),
                            ("Original", "original"),
                            ("Close", "close"),
                        )
                    )
                message = gr.Markdown(elem_id="message")
            with gr.Column(scale=1, min_width=300, elem_id="colours"):
                with gr.Group():
                    tool = gr.Radio([SET, KEEP], value=SET, label="A click", elem_id="tool")
                    colour = gr.ColorPicker(FIRST_COLOUR, label="Colour", elem_id="colour")
                    gr.Markdown("Every colour that fits there", elem_classes="caption")
                    colours = image("palette", "Every colour that fits at the latest point")
                likely = swatches("Likely there", "likely")
                recent = swatches("Last used", "recent")
                radius = gr.Slider(0.1, 5, 1, step=0.1, label="Size of a point", elem_id="radius")
                zoom = gr.Slider(1, 4, 1, step=0.5, label="Zoom", interactive=True, elem_id="zoom")
                strength = strength_slider("single")
                clean_up = clean_up_choice("single")
                with gr.Accordion("Colours from another photograph", open=False):
                    reference = gr.File(
                        label="A photograph in colour", height=110, elem_id="reference"
                    )
                save = gr.Button("Download the photograph", variant="primary", elem_id="save")
                save_all = gr.Button("Download all photographs", visible=False, elem_id="save-all")
                save_hints = gr.Button("Download the points", elem_id="save-hints")
                stop = gr.Button("Stop", size="sm", visible=False, elem_id="stop-save")
                gr.Markdown(HELP)
        result = gr.DownloadButton("result", elem_id="result", elem_classes="unseen")
        # page.js clicks on these after a press or a key on the pictures.
        pressed = gr.Textbox(visible=False)
        press_picture = gr.Button("press", elem_id="press-picture", elem_classes="unseen")
        press_palette = gr.Button("press", elem_id="press-palette", elem_classes="unseen")

        self.views = [picture, before, colours, likely, recent, message]
        self.layout = [files, examples, strip, work, save_all]
        views, layout = self.views, self.layout
        opened = [*layout, *views]
        # A slider that moves asks again and again; only its last value is answered.
        latest_only = {"show_progress": "hidden", "trigger_mode": "always_last"}
        quick = {"show_progress": "hidden"}
        slow = {"show_progress": "full", "show_progress_on": [picture]}
        files.upload(self.open_files, [files, strength], opened, show_progress_on=[files])
        examples.select(self.open_example, strength, opened, show_progress_on=[examples])
        strip.select(self.choose, strength, views, **slow)
        close.click(self.close, strength, opened, **quick)
        press_picture.click(
            self.press,
            [pressed, tool, colour, radius, strength],
            views,
            js=PRESSED,
            trigger_mode="multiple",
            **quick,
        )
        colour.input(self.recolour, [colour, strength], views, **latest_only)
        press_palette.click(
            self.take_from_palette,
            [pressed, strength],
            [colour, tool, *views],
            js=PRESSED,
            **quick,
        )
        for row in (likely, recent):
            row.click(self.take_swatch, [row, strength], [colour, tool, *views], **quick)
        radius.input(self.resize, [radius, strength], views, **latest_only)
        strength.input(self.show, strength, views, **latest_only)
        clean_up.input(self.clean, [clean_up, strength], views, **slow)
        zoom.input(None, zoom, None, js="(times) => window.colorizer.zoom(times)")
        for button, change in ((undo, self.undo), (remove, self.remove), (clear, self.clear)):
            button.click(change, strength, views, **quick)
        for event in (reference.upload, reference.clear):
            event(self.refer, [reference, strength], [reference, *views], **slow)
        downloads = []
        for button, write in (
            (save, self.write),
            (save_all, self.write_all),
            (save_hints, self.write_hints),
        ):
            # What was downloaded before goes first, or an error would bring it again.
            click = button.click(
                lambda: (None, gr.Button(visible=True)), None, [result, stop], **quick
            )
            downloads.append(click.then(write, strength, result, **slow))
            downloads[-1].success(js=SAVE).then(hidden, None, stop, **quick)
        stop.click(self.stop, None, stop, cancels=downloads, **quick)

    # ------------------------------------------------------------------------- files

    @handler
    def open_files(self, workspace: gr.Request, paths, strength, progress=PROGRESS):
        """Open photographs, and points of those that are open; name all others in a warning."""
        failures, first, points = [], None, []
        for number, path in enumerate(paths or []):
            progress((number, len(paths)), desc="Opening", unit="photographs")
            if drawing.is_hints(Path(path)):
                points.append(Path(path))
                continue
            try:
                with workspace.lock:
                    if path not in workspace.sessions:
                        workspace.sessions[path] = self.open(path, workspace)
                first = first or path
            except UserError as error:
                failures.append(str(error))
        with workspace.lock:
            workspace.current = first or workspace.current
            for path in points:
                try:
                    self.open_points(workspace, path)
                except UserError as error:
                    failures.append(str(error))
        for failure in failures:
            warn(failure, "This cannot be opened")
        return *self.arrange(workspace), *self.views_of(workspace, strength)

    def open(self, path, workspace) -> Photo:
        """Open an upload; raises UserError where it is no photograph, or one too many."""
        path = Path(path)
        if len(workspace.sessions) >= MOST_PHOTOGRAPHS:
            raise UserError(
                f"{MOST_PHOTOGRAPHS} photographs are open; close some before you open {path.name}."
            )
        if is_film(path):
            raise UserError(f"{path.name} is a film, and films have their own tab.")
        own = link(path, workspace.folder / "photographs")
        target = own.with_name(f".{own.name}.jpg")
        try:
            return Photo(own, thumbnail(own, target, THUMBNAIL, self.max_megapixels))
        except photos.PhotographError as error:
            own.unlink()
            raise UserError(f"{path.name} cannot be shown: {error}.") from error

    def open_points(self, workspace, path) -> None:
        """Set points that were downloaded, on the photograph of their name or the current one."""
        name = path.name[: -len(drawing.SUFFIX)]
        matching = [key for key, photo in workspace.sessions.items() if photo.path.stem == name]
        if not workspace.sessions:
            raise UserError(f"{path.name} holds points; open their photograph first.")
        workspace.current = (matching or [workspace.current])[0]
        self.session_of(workspace).read_hints(path)

    @handler
    def open_example(self, workspace: gr.Request, strength, event: gr.SelectData):
        """Open one of the photographs that ship."""
        path = str(SAMPLES / EXAMPLES[event.index])
        with workspace.lock:
            if path not in workspace.sessions:
                workspace.sessions[path] = self.open(path, workspace)
            workspace.current = path
        return *self.arrange(workspace), *self.views_of(workspace, strength)

    @handler
    def choose(self, workspace: gr.Request, strength, event: gr.SelectData):
        """Show another of the photographs."""
        with workspace.lock:
            workspace.current = list(workspace.sessions)[event.index]
        return self.views_of(workspace, strength)

    @handler
    def close(self, workspace: gr.Request, strength):
        """Close the current photograph and remove its files."""
        with workspace.lock:
            photo = workspace.sessions.pop(workspace.current, None)
            if photo:
                photo.path.unlink(missing_ok=True)
                Path(photo.thumbnail).unlink(missing_ok=True)
                if SAMPLES not in Path(workspace.current).parents:
                    Path(workspace.current).unlink(missing_ok=True)
            workspace.current = next(iter(workspace.sessions), None)
        return *self.arrange(workspace), *self.views_of(workspace, strength)

    def arrange(self, workspace):
        """Return the layout that fits what is open."""
        photographs = workspace.sessions.values()
        strip = [(photo.thumbnail, photo.path.name) for photo in photographs]
        return (
            None,
            gr.Gallery(visible=not strip and SAMPLES.is_dir()),
            gr.Gallery(strip, visible=len(strip) > 1),
            gr.Row(visible=bool(strip)),
            gr.Button(f"Download all {len(strip)} photographs", visible=len(strip) > 1),
        )

    def enter(self, workspace, strength):
        """Return layout and views for a tab that was loaded again; a new one has its layout."""
        if not workspace.sessions:
            return gr.skip()
        return *self.arrange(workspace), *self.views_of(workspace, strength)

    # ------------------------------------------------------------------------- points

    @handler
    def press(self, workspace: gr.Request, pressed, tool, colour, radius, strength):
        """Take a press on the photograph: `pressed` has two places, in shares of the sides."""
        session = self.session_of(workspace)
        height, width = session.gray.shape[:2]
        x, y, x_end, y_end, *_ = (float(number) for number in pressed.split())
        start, end = (x * width, y * height), (x_end * width, y_end * height)
        with workspace.lock:
            inside = min(max(end[0], 0), width - 1), min(max(end[1], 0), height - 1)
            colour = session.colour_at(*inside) if tool == KEEP else rgb_of(colour)
            session.drag(start, end, colour, radius / 100)
        if tool == SET:
            workspace.remember(colour)
        return self.views_of(workspace, strength)

    @handler
    def recolour(self, workspace: gr.Request, colour, strength):
        """Give the picked point the chosen colour."""
        with workspace.lock:
            self.session_of(workspace).recolour(rgb_of(colour))
        return self.views_of(workspace, strength)

    @handler
    def take_from_palette(self, workspace: gr.Request, pressed, strength):
        """Take a colour from the palette: `pressed` ends with a place, in shares of the sides."""
        height, width = PALETTE_SIZE
        x, y = (min(max(float(number), 0), 0.999) for number in pressed.split()[2:4])
        colours = palette.palette(self.session_of(workspace).level(), height, width)
        return self.take(workspace, colours[int(y * height), int(x * width)], strength)

    @handler
    def take_swatch(self, workspace: gr.Request, swatch, strength):
        """Take a colour from a row of swatches."""
        return self.take(workspace, rgb_of(swatch[0]), strength)

    def take(self, workspace, colour, strength):
        """Use a colour for the picked or latest point, and for the next ones."""
        with workspace.lock:
            self.session_of(workspace).recolour(map(int, colour), latest=True)
        workspace.remember(colour)
        return hex_of(colour), SET, *self.views_of(workspace, strength)

    @handler
    def resize(self, workspace: gr.Request, radius, strength):
        """Give the picked point another size."""
        with workspace.lock:
            self.session_of(workspace).resize(radius / 100)
        return self.views_of(workspace, strength)

    @handler
    def undo(self, workspace: gr.Request, strength):
        """Take back the last change of the points."""
        return self.change(workspace, strength, Session.undo)

    @handler
    def remove(self, workspace: gr.Request, strength):
        """Remove the picked or latest point."""
        return self.change(workspace, strength, Session.remove)

    @handler
    def clear(self, workspace: gr.Request, strength):
        """Remove all points."""
        return self.change(workspace, strength, Session.clear)

    def change(self, workspace, strength, verb):
        """Change the points by a method of Session."""
        with workspace.lock:
            verb(self.session_of(workspace))
        return self.views_of(workspace, strength)

    @handler
    def refer(self, workspace: gr.Request, path, strength):
        """Take colours from a photograph for all that are open, or from none."""
        reference = None
        try:
            reference = read_reference(path, self.colorizer)
        except UserError as error:
            warn(str(error), "This is no photograph in colour")
            path = None
        with workspace.lock:
            workspace.reference = reference
        return path, *self.views_of(workspace, strength)

    @handler
    def clean(self, workspace: gr.Request, clean_up, strength):
        """Restore or enlarge all photographs that are open, or leave them."""
        with workspace.lock:
            workspace.scale = CLEANING[clean_up]
        return self.views_of(workspace, strength)

    # ------------------------------------------------------------------------- views

    def session_of(self, workspace) -> Session:
        """Return the current Session, opened if need be, with what counts for all of them."""
        if workspace.current is None:
            raise UserError("No photograph is open.")
        return self.prepare(workspace, workspace.sessions[workspace.current])

    def prepare(self, workspace, photo) -> Session:
        """Return the Session of a Photo."""
        with workspace.lock:
            if photo.session is None:
                photo.session = Session(photo.path, self.colorizer, self.max_megapixels)
            photo.session.reference, photo.session.scale = workspace.reference, workspace.scale
            return photo.session

    @handler
    def show(self, workspace: gr.Request, strength):
        """Show the current photograph again."""
        return self.views_of(workspace, strength)

    def views_of(self, workspace, strength):
        """Return all views of the current photograph."""
        if workspace.current is None:
            return [None] * 2 + [gr.skip()] * 3 + [""]
        with workspace.lock:
            session = self.session_of(workspace)
            painted = session.painted(strength)
            pictures = {
                "marked": session.marked(painted),
                "before": session.preview,
                "palette": palette.palette(session.level(), *PALETTE_SIZE),
            }
            folder, files = workspace.new_folder(), {}
            for name, pixels in pictures.items():
                files[name] = str(folder / f"{name}.jpg")
                photos.write(files[name], photos.Photograph(pixels))
            likely = [[hex_of(colour)] for colour in session.likely()]
            recent = [[text] for text in workspace.recent]
        return (
            *files.values(),
            gr.Dataset(samples=likely),
            gr.Dataset(samples=recent),
            session.summary(),
        )

    # ------------------------------------------------------------------------- results

    @handler
    def write(self, workspace: gr.Request, strength, progress=PROGRESS):
        """Colorize the current photograph at its own size."""
        with workspace.working():
            progress(0, desc="Colorizing at full size")
            return str(self.written(workspace, workspace.current, strength))

    @handler
    def write_all(self, workspace: gr.Request, strength, progress=PROGRESS):
        """Colorize all photographs that are open, each with its points, into one ZIP file."""
        paths, folder = list(workspace.sessions), Path(tempfile.mkdtemp(dir=workspace.folder))
        with workspace.working() as check, contextlib.suppress(KeyboardInterrupt):
            try:
                for number, path in enumerate(paths):
                    progress((number, len(paths)), desc="Colorizing", unit="photographs")
                    check()
                    link(self.written(workspace, path, strength), folder)
                return str(pack(folder, workspace.new_folder() / "colorized.zip"))
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def written(self, workspace, path, strength) -> Path:
        """Write a photograph that is open, as NAME-colorized, and return the file."""
        session = self.prepare(workspace, workspace.sessions[path])
        return named(session.write(workspace.new_folder(), strength))

    @handler
    def write_hints(self, workspace: gr.Request, strength):
        """Write the points of the current photograph as a picture."""
        with workspace.lock:
            return str(self.session_of(workspace).write_hints(workspace.new_folder()))

    @handler
    def stop(self, workspace: gr.Request):
        """Stop what is being written; a photograph that is under way is dropped when it is done."""
        workspace.stop.set()
        return hidden()


def hidden():
    """Hide a button."""
    return gr.Button(visible=False)


def image(name, alt_text, **settings):
    """Return a picture that is shown as it is."""
    return gr.Image(
        show_label=False,
        interactive=False,
        buttons=[],
        elem_id=name,
        alt_text=alt_text,
        **settings,
    )


def gallery(name, value=None, show_label=False, **settings):
    """Return a row of thumbnails to click on."""
    return gr.Gallery(
        value,
        show_label=show_label,
        allow_preview=False,
        buttons=[],
        interactive=False,
        elem_id=name,
        **settings,
    )


def swatches(label, name):
    """Return a row of colours to click on."""
    return gr.Dataset(
        label=label,
        components=[gr.ColorPicker(visible=False)],
        samples=[],
        type="values",
        layout="gallery",
        elem_id=name,
    )
