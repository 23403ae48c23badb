"""What one tab of a browser works on, how long it is kept, and what stops its jobs."""

import contextlib
import functools
import html
import os
import re
import shutil
import tempfile
import threading
import time
from pathlib import Path

from colorizer.errors import UserError

import gradio as gr

KEPT_ANSWERS = 3  # folders of earlier answers; Gradio copies what it serves
RECENT_COLOURS = 8
MOST_WORKSPACES = 50  # of tabs that are open or were
KEPT_SECONDS = 3600  # of a workspace whose tab is closed; a reload brings it back
GRACE_SECONDS = 5  # until a job ends whose tab is closed; a connection may break for a moment
PROGRESS = gr.Progress()  # Gradio finds it among a handler's defaults


class Workspace:
    """Photographs, colours and a reference of one tab of a browser, and its job under way.

    `sessions` are session.Sessions by the path of the upload; one that was not looked at
    yet is None. `current` is the path of the one that is shown, or None. The folder holds the
    photographs and the latest answers.
    """

    def __init__(self, folder):
        self.sessions, self.current, self.recent = {}, None, []
        self.reference, self.scale = None, 0
        self.lock = threading.RLock()
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.answers = []
        self.tabs, self.left = set(), time.monotonic()
        self.job, self.stop = threading.Lock(), threading.Event()

    def new_folder(self) -> Path:
        """Make a folder for an answer, and remove the oldest above KEPT_ANSWERS."""
        with self.lock:
            self.answers.append(Path(tempfile.mkdtemp(dir=self.folder)))
            while len(self.answers) > KEPT_ANSWERS:
                shutil.rmtree(self.answers.pop(0), ignore_errors=True)
            return self.answers[-1]

    def remember(self, colour) -> None:
        """Put a colour, sRGB, before the recent ones."""
        text = hex_of(colour)
        others = [each for each in self.recent if each != text]
        self.recent = [text, *others][:RECENT_COLOURS]

    @contextlib.contextmanager
    def working(self):
        """Hold the one long job of a tab; gives a function that stops the job when it must end.

        The function raises KeyboardInterrupt, once: after Stop, when the tab has been closed for
        GRACE_SECONDS, and when the page ends. Raises UserError where another job is under way.
        """
        if not self.job.acquire(blocking=False):
            raise UserError("Something is under way here already. Stop it, or wait for its end.")
        stopped = False

        def check():
            nonlocal stopped
            gone = not self.tabs and time.monotonic() - self.left > GRACE_SECONDS
            if not stopped and (gone or self.stop.is_set()):
                stopped = True
                raise KeyboardInterrupt

        try:
            self.stop.clear()
            yield check
        finally:
            self.job.release()


class Workspaces:
    """The Workspace of each tab: of its session in Gradio, and of its token that a reload keeps."""

    def __init__(self, folder):
        self.folder, self.lock = folder, threading.Lock()
        self.by_session, self.by_token = {}, {}

    def of(self, session) -> Workspace:
        """Return the workspace of a session of Gradio, a new one where there is none."""
        with self.lock:
            if session not in self.by_session:
                self._remove_old()
                self.by_session[session] = Workspace(self.folder)
            return self.by_session[session]

    def enter(self, session, token) -> Workspace:
        """Return the workspace of a tab that was loaded: the one that it had before, if any.

        `token` is a secret of the tab.
        """
        fresh = self.of(session)
        with self.lock:
            known = fresh
            if re.fullmatch(r"[\w-]{20,}", token or ""):
                known = self.by_token.setdefault(token, fresh)
            self.by_session[session] = known
            known.tabs.add(session)
        if known is not fresh:
            shutil.rmtree(fresh.folder, ignore_errors=True)
        return known

    def beat(self, session, alive) -> None:
        """Note that a tab is there, or gone."""
        with contextlib.suppress(UserError):
            workspace = self.of(session)
            workspace.left = time.monotonic()
            (workspace.tabs.add if alive else workspace.tabs.discard)(session)

    def end(self) -> None:
        """Stop all jobs and wait for their ends: their threads would crash Python at its exit."""
        for workspace in set(self.by_session.values()):
            while not workspace.job.acquire(timeout=0.1):
                workspace.stop.set()

    def _remove_old(self) -> None:
        """Remove workspaces whose tabs are closed: long ago, or longest where there are many."""
        known = set(self.by_session.values())
        closed = sorted((each for each in known if not each.tabs), key=lambda each: each.left)
        for each in closed:
            old = time.monotonic() - each.left > KEPT_SECONDS
            if (old or len(known) >= MOST_WORKSPACES) and each.job.acquire(blocking=False):
                for table in (self.by_session, self.by_token):
                    for key in [key for key, value in table.items() if value is each]:
                        del table[key]
                shutil.rmtree(each.folder, ignore_errors=True)
                known.discard(each)
        if len(known) >= MOST_WORKSPACES:
            raise UserError("Too many people use this page now. Try again later.")


def handler(method):
    """Decorate a method that answers an event: the page shows the sentence of a UserError.

    The parameter `workspace: gr.Request` makes Gradio give the request; the method gets the
    Workspace of its session from `self.workspaces`. After an error, everything stays as it is.
    """

    @functools.wraps(method)
    def handling(self, request, *inputs, **more):
        try:
            return method(self, self.workspaces.of(request.session_hash), *inputs, **more)
        except UserError as error:
            warn(str(error))
            return gr.skip()

    return handling


def warn(message, title="This does not work") -> None:
    """Show a message until it is closed."""
    gr.Warning(html.escape(message), duration=None, title=title)


def markdown(text) -> str:
    """Escape what has a meaning in Markdown, in names and reasons."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~-])", r"\\\1", text)


def rgb_of(text) -> tuple:
    """Read a colour as a browser writes it: #4a6fb5, or rgba(74, 111, 181, 1)."""
    if text.startswith("#"):
        return tuple(bytes.fromhex(text[1:7]))
    return tuple(round(float(number)) for number in re.findall(r"[\d.]+", text)[:3])


def hex_of(colour) -> str:
    """Write a colour, sRGB, as #4a6fb5."""
    return "#" + bytes(map(int, colour)).hex()


def link(path, folder) -> Path:
    """Link a file into a folder, under a name that is free there, and return the link."""
    path = Path(path)
    folder.mkdir(exist_ok=True, parents=True)
    target, number = folder / path.name, 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{number}{path.suffix}"
    try:
        os.link(path, target)
    except OSError:  # a disk without links
        shutil.copyfile(path, target)
    return target
