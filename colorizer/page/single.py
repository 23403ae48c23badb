"""The tab for one photograph at a time: a person sets points of colour."""

import functools
from pathlib import Path

from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.films.formats import is_film
from colorizer.hints import drawing, palette
from colorizer.jobs.request import read_reference
from colorizer.page.workspace import (
    Workspace,
    hex_of,
    link,
    restore_switches,
    rgb_of,
    scale_of,
    shows_errors,
)
from colorizer.session import Session

import gradio as gr

FIRST_COLOUR = "#4a6fb5"
PALETTE_SIZE = 120, 480  # height, width

# The button of a download is clicked once its file is there.
SAVE = "() => {{setTimeout(() => document.querySelector('#{0}').click(), 200)}}"

HELP = (
    "Choose a colour and click on the photograph to say: this is that colour. Click on a point to "
    "pick it up: the next click puts it down elsewhere, and a colour or a size changes it."
)


class SingleTab:
    """Layout and handlers of the tab; `workspace` is the gr.State of a Workspace."""

    def __init__(self, colorizer, folder, max_megapixels, workspace):
        self.colorizer, self.folder, self.max_megapixels = colorizer, folder, max_megapixels
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
                    colours = gr.Image(
                        show_label=False, interactive=False, buttons=[], elem_id="palette"
                    )
                likely = swatches("Usual there", "likely")
                recent = swatches("Used last", "recent")
                radius = gr.Slider(0.2, 5, 1, step=0.1, label="Size of a point", elem_id="radius")
                strength = gr.Slider(
                    0, 1, 1, step=0.05, label="Strength of all colours", elem_id="strength"
                )
                with gr.Group():
                    improved = restore_switches("single")
                with gr.Accordion("Colours from another photograph", open=False):
                    reference = gr.File(
                        label="A photograph in colour", height=110, elem_id="reference"
                    )
                save = gr.Button("Download the photograph", variant="primary", elem_id="save")
                save_hints = gr.Button("Download the points", elem_id="save-hints")
                result = gr.DownloadButton("result", elem_id="result", elem_classes="unseen")
                hints = gr.DownloadButton("hints", elem_id="hints", elem_classes="unseen")

        views = [picture, slider, colours, likely, recent, message]
        # A slider that moves asks again and again; only its last value is answered.
        latest_only = {"show_progress": "hidden", "trigger_mode": "always_last"}
        for event in (files.upload, files.delete, files.clear):
            event(
                self.open_files,
                [workspace, files, strength],
                [workspace, files, choice, work, *views],
            )
        choice.input(self.choose, [workspace, choice, strength], views)
        picture.select(
            self.click, [workspace, colour, radius, strength], views, show_progress="hidden"
        )
        colour.input(self.recolour, [workspace, colour, strength], views, **latest_only)
        colours.select(
            self.take_from_palette, [workspace, strength], [colour, *views], show_progress="hidden"
        )
        for row in (likely, recent):
            row.click(
                self.take_swatch,
                [workspace, row, strength],
                [colour, *views],
                show_progress="hidden",
            )
        radius.input(self.resize, [workspace, radius, strength], views, **latest_only)
        strength.input(self.show, [workspace, strength], views, **latest_only)
        for switch in improved:
            switch.input(self.improve, [workspace, *improved, strength], views)
        for button, verb in (
            (undo, Session.undo),
            (remove, Session.remove),
            (clear, Session.clear),
        ):
            button.click(
                functools.partial(self.change, verb),
                [workspace, strength],
                views,
                show_progress="hidden",
            )
        reference.upload(self.refer, [workspace, reference, strength], views)
        reference.clear(self.refer, [workspace, reference, strength], views)
        save.click(self.write, [workspace, strength], result).success(js=SAVE.format("result"))
        save_hints.click(self.write_hints, [workspace], hints).success(js=SAVE.format("hints"))

    @shows_errors
    def open_files(self, workspace, paths, strength):
        """Open photographs; other files are named in a warning and leave the list."""
        workspace, failures = workspace or Workspace(self.folder), []
        with workspace.lock:
            sessions = {}
            for path in paths or []:
                try:
                    sessions[path] = workspace.sessions.get(path) or self.open(path, workspace)
                except UserError as error:
                    failures.append(str(error))
            new = [path for path in sessions if path not in workspace.sessions]
            workspace.sessions = sessions
            if workspace.current not in sessions.values() or new:
                workspace.current = sessions[(new or list(sessions))[0]] if sessions else None
        for failure in failures:
            gr.Warning(failure, duration=None, title="This is no photograph")
        current = next((p for p, s in sessions.items() if s is workspace.current), None)
        choices = [(session.path.name, path) for path, session in sessions.items()]
        return (
            workspace,
            list(sessions) or None,
            gr.Radio(choices, value=current, visible=len(choices) > 1),
            gr.Row(visible=bool(sessions)),
            *self.show(workspace, strength),
        )

    def open(self, path, workspace) -> Session:
        """Open an upload; raises UserError where it is no photograph."""
        path = Path(path)
        if drawing.is_hints(path):
            raise UserError(
                f"{path.name} holds points that were saved. They count where many photographs are "
                "colorized at once, together with the photograph."
            )
        if is_film(path):
            raise UserError(f"{path.name} is a film, and films have their own tab.")
        session = Session(link(path, workspace.folder), self.colorizer, self.max_megapixels)
        session.reference, session.scale = workspace.reference, workspace.scale
        return session

    @shows_errors
    def choose(self, workspace, path, strength):
        """Show another of the photographs."""
        with workspace.lock:
            workspace.current = workspace.sessions[path]
        return self.show(workspace, strength)

    @shows_errors
    def click(self, workspace, colour, radius, strength, where: gr.SelectData):
        """Take a click on the photograph."""
        colour = rgb_of(colour)
        with workspace.lock:
            workspace.current.click(*where.index, colour, radius / 100)
        workspace.remember(colour)
        return self.show(workspace, strength)

    @shows_errors
    def recolour(self, workspace, colour, strength):
        """Give the picked point the chosen colour."""
        with workspace.lock:
            workspace.current.recolour(rgb_of(colour))
        return self.show(workspace, strength)

    @shows_errors
    def take_from_palette(self, workspace, strength, where: gr.SelectData):
        """Take a colour from the palette."""
        x, y = where.index
        colours = palette.palette(workspace.current.level(), *PALETTE_SIZE)
        return self.take(workspace, colours[y, x], strength)

    @shows_errors
    def take_swatch(self, workspace, swatch, strength):
        """Take a colour from a row of swatches."""
        return self.take(workspace, rgb_of(swatch[0]), strength)

    def take(self, workspace, colour, strength):
        """Use a colour for the picked or latest point, and for the next ones."""
        with workspace.lock:
            workspace.current.recolour(map(int, colour), latest=True)
        workspace.remember(colour)
        return hex_of(colour), *self.show(workspace, strength)

    @shows_errors
    def resize(self, workspace, radius, strength):
        """Give the picked point another size."""
        with workspace.lock:
            workspace.current.resize(radius / 100)
        return self.show(workspace, strength)

    @shows_errors
    def change(self, verb, workspace, strength):
        """Undo, remove or clear."""
        with workspace.lock:
            verb(workspace.current)
        return self.show(workspace, strength)

    @shows_errors
    def refer(self, workspace, path, strength):
        """Take colours from a photograph for all that are open, or from none."""
        reference = read_reference(Path(path), self.colorizer) if path else None
        with workspace.lock:
            workspace.reference = reference
            for session in workspace.sessions.values():
                session.reference = reference
        return self.show(workspace, strength)

    @shows_errors
    def improve(self, workspace, restore, enlarge, strength):
        """Restore or enlarge all photographs that are open, or leave them."""
        with workspace.lock:
            workspace.scale = scale_of(restore, enlarge)
            for session in workspace.sessions.values():
                session.scale = workspace.scale
        return self.show(workspace, strength)

    @shows_errors
    def show(self, workspace, strength):
        """Return all views of the current photograph."""
        session = workspace.current
        if session is None:
            return [None] * 2 + [gr.skip()] * 3 + [""]
        with workspace.lock:
            painted = session.painted(strength)
            pictures = {
                "before": session.preview,
                "after": painted,
                "marked": session.marked(painted),
                "palette": palette.palette(session.level(), *PALETTE_SIZE),
            }
            folder, files = workspace.new_folder(), {}
            for name, pixels in pictures.items():
                files[name] = str(folder / f"{name}.jpg")
                photos.write(files[name], photos.Photograph(pixels))
            likely = [[hex_of(colour)] for colour in session.likely()]
            message = session.summary()
        recent = [[text] for text in workspace.recent]
        return (
            files["marked"],
            (files["before"], files["after"]),
            files["palette"],
            gr.Dataset(samples=likely),
            gr.Dataset(samples=recent),
            message,
        )

    @shows_errors
    def write(self, workspace, strength):
        """Colorize the current photograph at its own size."""
        with workspace.lock:
            return str(workspace.current.write(workspace.new_folder(), strength))

    @shows_errors
    def write_hints(self, workspace):
        """Write the points of the current photograph as a picture."""
        with workspace.lock:
            return str(workspace.current.write_hints(workspace.new_folder()))


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
