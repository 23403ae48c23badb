"""The tab for many photographs at once."""

import shutil
import zipfile
from pathlib import Path

from colorizer.enlarge import enlarger_of
from colorizer.errors import UserError
from colorizer.films.formats import is_film
from colorizer.jobs.request import Request, read_reference
from colorizer.jobs.run import Report
from colorizer.page.workspace import (
    PROGRESS,
    Workspace,
    link,
    restore_switches,
    scale_of,
    shows_errors,
)
from colorizer.session import colorize

import gradio as gr


class ManyTab:
    """Layout and handlers of the tab; `workspace` is the gr.State of a Workspace."""

    def __init__(self, colorizer, folder, max_megapixels, workspace):
        self.colorizer, self.folder, self.max_megapixels = colorizer, folder, max_megapixels
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
            directory = gr.File(
                label="Or choose a folder", file_count="directory", height=180, elem_id="folder"
            )
        strength = gr.Slider(
            0, 1, 1, step=0.05, label="Strength of all colours", elem_id="strength-many"
        )
        with gr.Row():
            improved = restore_switches("many")
        with gr.Accordion("Take colours from another photograph", open=False):
            reference = gr.File(
                label="A photograph in colour", height=110, elem_id="reference-many"
            )
        start = gr.Button("Colorize all", variant="primary", elem_id="start")
        report = gr.Markdown(elem_id="report")
        archive = gr.File(label="All results", visible=False, interactive=False, elem_id="archive")
        inputs = [workspace, files, directory, reference, *improved, strength]
        start.click(self.colorize_all, inputs, [workspace, report, archive])

    @shows_errors
    def colorize_all(
        self, workspace, files, directory, reference, restore, enlarge, strength, progress=PROGRESS
    ):
        """Colorize many photographs and pack the results."""
        paths = [*(files or []), *(directory or [])]
        if not paths:
            raise UserError("There are no photographs yet; drop some, or choose a folder.")
        workspace = workspace or Workspace(self.folder)
        folder = workspace.new_folder()
        films = [Path(path).name for path in paths if is_film(path)]
        # In one folder, hints lie beside their photographs.
        for path in paths:
            if not is_film(path):
                link(path, folder / "photographs")
        results = folder / "colorized"
        request = Request(
            inputs=(folder / "photographs",),
            output=results,
            strength=strength,
            max_megapixels=self.max_megapixels,
            reference=read_reference(Path(reference), self.colorizer) if reference else None,
            enlarger=enlarger_of(scale_of(restore, enlarge)),
        )
        progress(0, desc="Colorizing")
        report = Report()
        if len(films) < len(paths):
            report = colorize(
                request,
                self.colorizer,
                lambda done, of: progress((done, of), desc="Colorizing", unit="photographs"),
            )
        failures = [(name, "it is a film, and films have their own tab") for name in films]
        lines = [f"{report.done} photographs are in colour."]
        lines += [f"- **{name}** is not: {reason}." for name, reason in report.failures + failures]
        lines += [f"- {name}: {remark}." for name, remark in report.remarks]
        archive = None
        if report.done:
            archive = str(pack(results, folder / "colorized.zip"))
        shutil.rmtree(results, ignore_errors=True)
        return workspace, "\n".join(lines), gr.File(archive, visible=archive is not None)


def pack(folder, path) -> Path:
    """Pack the results below a folder into a ZIP file and return its path."""
    # Pictures do not become smaller.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for result in sorted(folder.rglob("*")):
            if result.is_file() and result.suffix != ".jsonl":
                archive.write(result, result.relative_to(folder))
    return path
