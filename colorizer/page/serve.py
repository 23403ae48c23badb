"""Serve the page: its tabs in one Gradio app, the command line, and the end of it all."""

import argparse
import contextlib
import os
import signal
import tempfile
import threading

from colorizer import Colorizer
from colorizer.cli import megapixels, working_size
from colorizer.errors import UserError, run
from colorizer.files import photos
from colorizer.page.film import FilmTab
from colorizer.page.many import ManyTab
from colorizer.page.single import SingleTab

import cv2
import gradio as gr

DESCRIPTION = (
    "Colorize photographs and short films on a page in the browser; nothing leaves this machine."
)

# Larger files are refused before they are read.
MAX_FILE_SIZE = "1gb"
KEPT_SECONDS = 24 * 3600  # files that nobody asks for any more

# The page needs no font but the system's. Pictures must not be enlarged here: Gradio does not know
# that they are, and reports wrong places of clicks. Reports need room for the progress.
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


class Page:
    """The page: three tabs in a gr.Blocks."""

    def __init__(self, colorizer, folder, max_megapixels):
        """Build it for a Colorizer; `folder` takes uploads and results."""
        with gr.Blocks(
            title="Colorize photographs",
            analytics_enabled=False,
            delete_cache=(3600, KEPT_SECONDS),
        ) as self.blocks:
            gr.Markdown(
                "# Colorize black-and-white photographs\n"
                "Everything happens on this computer; no photograph leaves it."
            )
            workspace = gr.State(delete_callback=lambda known: known and known.remove())
            shared = colorizer, folder, max_megapixels, workspace
            with gr.Tab("One at a time"):
                SingleTab(*shared)
            with gr.Tab("Many at once"):
                ManyTab(*shared)
            with gr.Tab("A film"):
                self.film = FilmTab(*shared)
        self.blocks.queue(default_concurrency_limit=os.cpu_count() or 1)

    def end(self) -> None:
        """Stop serving, after a film that is under way."""
        with self.film.ended():
            self.blocks.close(verbose=False)


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
    parser = argparse.ArgumentParser(description=DESCRIPTION)
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
