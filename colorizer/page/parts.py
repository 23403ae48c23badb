"""Parts that several tabs of the page have: choices, a reference, names and archives of results."""

import zipfile
from pathlib import Path

from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.files.source import sha256
from colorizer.jobs.request import Reference
from colorizer.pixels import high_bits, is_gray, shrink

import gradio as gr

# What may be done to a photograph before it is colorized: scales, as `enlarger_of` takes them.
CLEANING = {
    "Leave it as it is": 0,
    "Clean: without grain, with tones that have not faded": 1,
    "Clean, at twice the size": 2,
    "Clean, at four times the size": 4,
}


def clean_up_choice(tab):
    """Return a choice of CLEANING."""
    return gr.Dropdown(list(CLEANING), label="Cleaning", elem_id=f"clean-{tab}")


def strength_slider(tab):
    """Return a slider of the strength of colours."""
    return gr.Slider(0, 1, 1, step=0.05, label="Strength of all colours", elem_id=f"strength-{tab}")


def read_reference(path, colorizer) -> Reference | None:
    """Read an upload to take colours from, or none; raises UserError where it has no colours."""
    if not path:
        return None
    path = Path(path)
    try:
        picture = photos.read_rgb(path)
    except photos.PhotographError as error:
        raise UserError(f"{path.name}: {error}. Choose a photograph in colour.") from error
    if is_gray(picture):
        raise UserError(f"{path.name} is black-and-white. Choose a photograph in colour.")
    return Reference(path.name, sha256(path), colorizer.reference(picture))


def thumbnail(path, target, size, max_megapixels=photos.MAX_MEGAPIXELS) -> str:
    """Write a JPEG of a photograph, `size` pixels long; raises PhotographError."""
    with photos.opened(path, max_megapixels) as image:
        if image.format == "JPEG":
            image.draft(None, (2 * size, 2 * size))  # decodes an eighth of a large one
        pixels = photos.load(image).pixels
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    small = shrink(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
    photos.write(target, photos.Photograph(high_bits(small)))
    return str(target)


def named(path) -> Path:
    """Rename a result to NAME-colorized, which stands apart from the original."""
    return path.rename(path.with_stem(f"{path.stem}-colorized"))


def pack(folder, path) -> Path:
    """Pack the results below a folder into a ZIP file and return its path."""
    # Pictures do not become smaller.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for result in sorted(folder.rglob("*")):
            if result.is_file() and result.suffix != ".jsonl":
                archive.write(result, result.relative_to(folder))
    return path
