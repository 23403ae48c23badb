"""Serve the page: its tabs in one Gradio app, the server behind its guard, the command line."""

import argparse
import contextlib
import getpass
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from pathlib import Path

from colorizer import Colorizer
from colorizer.cli import megapixels, working_size
from colorizer.errors import UserError, run
from colorizer.files import photos
from colorizer.page.film import FilmTab
from colorizer.page.guard import Guard
from colorizer.page.many import ManyTab
from colorizer.page.single import SingleTab
from colorizer.page.workspace import Workspaces

import cv2
import fastapi
import gradio as gr
import uvicorn

DESCRIPTION = (
    "Colorize photographs and short films on a page in the browser, on this machine alone."
)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORTS = range(7860, 7960)  # of which the first free one is taken
PASSWORD = "COLORIZER_PASSWORD"  # the environment variable

# Larger files are refused before they are read.
MAX_FILE_SIZE = "1gb"
KEPT_SECONDS = 24 * 3600  # files that nobody asks for any more
WORKERS = 8  # answers of one kind at once; long jobs have limits of their own
PREFIX = "colorizer-"

# The page needs no font but the system's.
FONTS = {"font": ["system-ui", "sans-serif"], "font_mono": ["monospace"]}
CSS, SCRIPT = (
    Path(__file__).with_name(f"page.{kind}").read_text("utf-8") for kind in ("css", "js")
)
# Kept by a tab over a reload, and known to nobody else.
TOKEN = """() => {
    sessionStorage.colorizer ||= Array.from(crypto.getRandomValues(new Uint32Array(6))).join("-");
    return [sessionStorage.colorizer, 1];
}"""


class Page:
    """The page: three tabs in a gr.Blocks."""

    def __init__(self, colorizer, folder, max_megapixels, place="this computer"):
        """Build it for a Colorizer; `folder` takes uploads and results, `place` is in the title."""
        self.workspaces = Workspaces(folder)
        with gr.Blocks(
            title="Colorize photographs",
            analytics_enabled=False,
            delete_cache=(3600, KEPT_SECONDS),
        ) as self.blocks:
            gr.Markdown(
                "# Colorize black-and-white photographs\n"
                f"Everything happens on {place}; no photograph leaves it.",
                elem_id="title",
            )
            shared = colorizer, self.workspaces, max_megapixels
            with gr.Tab("One photograph"):
                single = SingleTab(*shared)
            with gr.Tab("Many"):
                ManyTab(*shared)
            with gr.Tab("A film"):
                FilmTab(*shared)
            token, strength = gr.Textbox(visible=False), gr.Number(visible=False)

            def enter(token, strength, request: gr.Request):
                workspace = self.workspaces.enter(request.session_hash, token)
                return single.enter(workspace, strength)

            views = [*single.layout, *single.views]
            self.blocks.load(enter, [token, strength], views, js=TOKEN, show_progress="hidden")
            # With such an event, browsers hold a heartbeat, by which the guard knows open tabs.
            self.blocks.unload(lambda: None)
        self.blocks.queue(default_concurrency_limit=WORKERS)

    def app(self, **guarded):
        """Return the ASGI application, behind a Guard with these settings."""
        app = gr.mount_gradio_app(
            fastapi.FastAPI(openapi_url=None, docs_url=None, redoc_url=None),
            self.blocks,
            path="/",
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
            show_error=False,
            max_file_size=MAX_FILE_SIZE,
            theme=gr.themes.Default(**FONTS),
            css=CSS,
            head=f"<script>{SCRIPT}</script>",
        )
        return Guard(app, on_heartbeat=self.workspaces.beat, **guarded)

    def end(self) -> None:
        """End jobs that are under way, and let none start."""
        self.workspaces.end()
        self.blocks.close(verbose=False)


@contextlib.contextmanager
def serving(settings, password=None):
    """Serve the page in the background during the block; gives its address."""
    remove_stale()
    is_local = settings.host in LOOPBACK
    names = {*LOOPBACK, settings.host.lower()}
    if not is_local:
        names |= {name.lower() for name in (socket.gethostname(), socket.getfqdn())}
        names |= {f"{name}.local" for name in names if "." not in name}
    with folder_of_this_process() as folder, listening(settings.host, settings.port) as listener:
        # Gradio keeps uploads and results where this variable says.
        os.environ["GRADIO_TEMP_DIR"] = os.path.join(folder, "served")
        os.mkdir(os.environ["GRADIO_TEMP_DIR"], 0o700)
        colorizer = Colorizer(settings.model, settings.working_size)
        place = "this computer" if is_local else f"the computer {socket.gethostname()}"
        page = Page(colorizer, folder, settings.max_megapixels, place)
        app = page.app(folder=folder, hosts=names, any_address=not is_local, password=password)
        # Browsers that wait for news keep connections open: these are cut, without a word.
        config = uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=1, server_header=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=[[listener]], daemon=True)
        thread.start()
        host = settings.host if is_local else socket.gethostname()
        try:
            yield f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
        finally:
            page.end()
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def listening(host, port):
    """Listen at a port of a host, or at the first free one of PORTS; gives the socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in [port] if port else PORTS:
        try:
            listener = socket.create_server((host, number), family=family)
            break
        except OSError as error:
            reason = error
    else:
        raise UserError(
            f"the page cannot be served at {host}:{port or 'any port'} (another program may be "
            "there); give another --port"
        ) from reason
    with listener:
        yield listener


@contextlib.contextmanager
def folder_of_this_process():
    """Make a temporary folder for the block, which `remove_stale` leaves to this process."""
    temporary = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    with temporary as folder, open(os.path.join(folder, "lock"), "wb") as lock:
        _try_lock(lock)
        yield folder


def remove_stale() -> None:
    """Remove the folders of processes that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/lock"):
        try:
            with open(path, "r+b") as lock:
                if not _try_lock(lock):
                    continue
            shutil.rmtree(path.parent)
        except OSError:
            continue  # of somebody else


def _try_lock(file) -> bool:
    """Lock a file until it is closed, or its process ends; tell whether nobody else has."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def password_for(host) -> str | None:
    """Return the password of a page that others reach, None where only this machine does.

    Raises UserError where there is none and nobody to ask.
    """
    if host in LOOPBACK:
        return None
    password = os.environ.get(PASSWORD, "")
    if not password and sys.stdin and sys.stdin.isatty():
        password = getpass.getpass("Others reach the page at this --host. Its password: ")
    if not password:
        raise UserError(
            f"others reach the page at --host {host}, so it needs a password; set it as the "
            f"environment variable {PASSWORD}"
        )
    return password


def serve(settings) -> None:
    """Serve the page until it is stopped."""
    # However it is stopped, its files are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    password = password_for(settings.host)
    with serving(settings, password) as address:
        print(f"the page is at {address} (Ctrl-C ends it)", flush=True)
        if password:
            print(
                "Everybody who reaches this computer and knows the password can use it. What they "
                "upload crosses the network unencrypted.",
                flush=True,
            )
        if settings.browser:
            webbrowser.open(address)
        while True:  # in short steps, or Ctrl-C would not end it on Windows
            threading.Event().wait(1)


def arguments():
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default %(default)s: this machine alone can reach it); another "
        f"one asks for a password, or takes that of the environment variable {PASSWORD}",
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
