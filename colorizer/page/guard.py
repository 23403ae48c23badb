"""Who may ask the page's server for what: hosts, origins, routes, sizes, URLs and the password.

The server listens on a machine on which browsers show pages of other sites, which may send requests
to it. The guard stands before Gradio and answers those by itself.
"""

import asyncio
import base64
import hmac
import ipaddress
import json
import re
import secrets
import shutil
from pathlib import Path
from urllib.parse import unquote

# Bytes of uploads that the server holds for one browser, for all, and leaves free on the disk.
BROWSER_QUOTA, QUOTA, LEFT_FREE = 8 << 30, 24 << 30, 1 << 30
MAX_BODY = 16 << 20  # bytes of other requests

COOKIE = "colorizer-browser-"
MOST_BROWSERS = 1000  # whose cookies are known at once
WRONG_PASSWORD_SECONDS = 1

# Gradio has many more routes: none of them is for this page.
ROUTES = {
    "GET": re.compile(
        r"/(|config|theme\.css|favicon\.ico|manifest\.json|(static|assets|svelte)/.*)"
        r"|/gradio_api/(app_id|startup-events|upload_progress|queue/data|heartbeat/\w+|"
        r"file=(/|[A-Za-z]:).*)"
    ),
    "POST": re.compile(r"/gradio_api/(upload|queue/join|cancel|reset)/?"),
}
UPLOAD, HEARTBEAT = "/gradio_api/upload", "/gradio_api/heartbeat/"

SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]+:|//)", re.IGNORECASE)

# Gradio evaluates scripts of its own, and styles are inline.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Refused(Exception):
    """An answer of the guard: a status and one sentence, with more headers."""

    def __init__(self, status, sentence, **headers):
        super().__init__(sentence)
        self.status, self.headers = status, headers


class Guard:
    """An ASGI application before another one; refuses what is not for it.

    `hosts` are the names under which the page is served; with `any_address`, addresses count as
    well. A `password`, or None, is asked for by HTTP's Basic authentication. `folder` is where
    uploads lie. `on_heartbeat(session, alive)` is called when a tab opens and when it is gone.
    """

    def __init__(self, app, folder, hosts, any_address, password, on_heartbeat):
        self.app, self.folder, self.hosts, self.any_address = app, Path(folder), hosts, any_address
        self.password, self.on_heartbeat = password, on_heartbeat
        self.uploads = {}  # of each browser, by its cookie: paths
        self.arriving = {}  # and bytes that are on their way

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            raise ValueError(f"{scope['type']} is not served")
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        try:
            self._check_host(headers)
            self._check_origin(scope, headers)
            await self._check_password(headers)
            path = self._check_route(scope)
            if path.rstrip("/") == UPLOAD:
                return await self._upload(scope, headers, receive, send)
            if scope["method"] == "POST":
                receive = await self._checked_body(headers, receive)
        except Refused as refused:
            return await _answer(send, refused)
        if path == "/" and not self._browser(headers):
            send = _with_headers(send, f"{_cookie(headers)}={self._new_browser()}")
        if not path.startswith(HEARTBEAT):
            return await self.app(scope, receive, _with_headers(send))
        session = path.removeprefix(HEARTBEAT)
        self.on_heartbeat(session, True)
        try:
            await self.app(scope, receive, _with_headers(send))
        finally:
            self.on_heartbeat(session, False)

    def _check_host(self, headers) -> None:
        """Refuse a name that somebody else's DNS leads here."""
        name = re.sub(r":\d+$", "", headers.get("host", "")).strip("[]").lower()
        if name in self.hosts or (self.any_address and _is_address(name)):
            return
        raise Refused(400, f"The page is not served as {name!r}.")

    def _check_origin(self, scope, headers) -> None:
        """Refuse requests that a page of another site sends."""
        site = headers.get("sec-fetch-site", "same-origin")
        opened = scope["method"] == "GET" and scope["path"] == "/"
        if site not in ("same-origin", "none") and not opened:
            raise Refused(403, "This is not for pages of other sites.")
        if scope["method"] in ("GET", "HEAD"):
            return
        # Browsers say the origin of every POST.
        if headers.get("origin", "").lower() not in (f"http://{headers['host'].lower()}",):
            raise Refused(403, "This is not for pages of other sites.")

    async def _check_password(self, headers) -> None:
        if self.password is None:
            return
        kind, _, encoded = headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded).partition(b":")[2] if kind.lower() == "basic" else b""
        except ValueError:
            given = b""
        if hmac.compare_digest(given, self.password.encode()):
            return
        if encoded:
            await asyncio.sleep(WRONG_PASSWORD_SECONDS)
        realm = {"www-authenticate": 'Basic realm="Colorize photographs", charset="UTF-8"'}
        raise Refused(401, "The page asks for its password; any user name will do.", **realm)

    def _check_route(self, scope) -> str:
        """Return the path of a request for a route of the page; a file's path is no URL."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = unquote(scope["path"])
        if method not in ROUTES or not ROUTES[method].fullmatch(path):
            raise Refused(404, "There is nothing here.")
        return path

    async def _checked_body(self, headers, receive):
        """Read the JSON of a request, which may name no URL of a file; return a new `receive`."""
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                raise Refused(413, "The request is too large.")
            if not message.get("more_body"):
                break
        try:
            content = json.loads(body or b"null")
            own = f"http://{headers['host']}/"
            foreign = _names_a_foreign_file(content, self.folder.resolve().parent, own)
        except (ValueError, RecursionError) as error:
            raise Refused(400, "The request is no JSON.") from error
        if foreign:
            raise Refused(400, "Files are uploaded; the page fetches none.")
        sent = [{"type": "http.request", "body": bytes(body)}]

        async def again():
            return sent.pop() if sent else await receive()

        return again

    # ------------------------------------------------------------------------- uploads

    def _new_browser(self) -> str:
        """Return a cookie for a browser that opens the page."""
        if len(self.uploads) >= MOST_BROWSERS:
            self.uploads.pop(min(self.uploads, key=lambda name: len(self.uploads[name])))
        cookie = secrets.token_urlsafe(16)
        self.uploads[cookie] = set()
        return cookie

    def _browser(self, headers) -> str:
        """Return the cookie of a browser that opened the page, or an empty text."""
        for cookie in headers.get("cookie", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == _cookie(headers) and value in self.uploads:
                return value
        return ""

    async def _upload(self, scope, headers, receive, send) -> None:
        """Take an upload while there is room for it; it is refused before a byte is written."""
        browser = self._browser(headers)
        if not browser:
            raise Refused(403, "Open the page first.")
        length = headers.get("content-length", "")
        if not length.isdecimal():
            raise Refused(411, "An upload says how long it is.")
        length = int(length)
        held = {name: sum(map(_size, paths)) for name, paths in self.uploads.items()}
        held = {name: held[name] + self.arriving.get(name, 0) for name in held}
        free = shutil.disk_usage(self.folder).free - sum(self.arriving.values())
        if held[browser] + length > BROWSER_QUOTA:
            raise Refused(
                413,
                f"The page takes {BROWSER_QUOTA >> 30} GB in all; remove what is done, or use "
                "colorize.py, which takes any number.",
            )
        if sum(held.values()) + length > QUOTA or free - length < LEFT_FREE:
            raise Refused(507, "There is no room left on the computer that serves the page.")
        self.arriving[browser] = self.arriving.get(browser, 0) + length
        answer = bytearray()

        async def note(message):
            if message["type"] == "http.response.body":
                answer.extend(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, _with_headers(note))
        finally:
            self.arriving[browser] -= length
            try:
                paths = json.loads(answer)
            except ValueError:  # Gradio refused it, and said why
                paths = []
            self.uploads[browser].update(path for path in paths if isinstance(path, str))
            self.uploads[browser] = {path for path in self.uploads[browser] if _size(path)}


def _cookie(headers) -> str:
    """Return the name of the page's cookie; browsers do not tell ports of a host apart."""
    return COOKIE + headers["host"].rpartition(":")[2]


def _size(path) -> int:
    """Return the bytes of a file, 0 where it is gone."""
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _is_address(name) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _names_a_foreign_file(data, folder, own) -> bool:
    """Tell whether JSON names a file, as Gradio does, that is not the page's.

    That is a `path` outside of a folder, or a `url` elsewhere than below the page's `own`.
    """
    if isinstance(data, list):
        return any(_names_a_foreign_file(each, folder, own) for each in data)
    if not isinstance(data, dict):
        return False
    path, url = data.get("path"), data.get("url")
    # A relative path may be an address, and would be looked for from where the page was started.
    if isinstance(path, str):
        path = Path(path)
        if not (path.is_absolute() and path.resolve().is_relative_to(folder)):
            return True
    if isinstance(url, str) and SCHEME.match(url) and not url.startswith((own, "blob:", "data:")):
        return True
    return any(_names_a_foreign_file(each, folder, own) for each in data.values())


def _with_headers(send, cookie=""):
    """Return a `send` that adds HEADERS, and sets a cookie, NAME=VALUE."""

    async def sending(message):
        if message["type"] == "http.response.start":
            own = [
                (name, value) for name, value in message["headers"] if name.decode() not in HEADERS
            ]
            own += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            if cookie:
                own.append((b"set-cookie", f"{cookie}; Path=/; HttpOnly; SameSite=Strict".encode()))
            message = message | {"headers": own}
        await send(message)

    return sending


async def _answer(send, refused) -> None:
    """Answer with the sentence of a Refused."""
    body = str(refused).encode()
    headers = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body))}
    headers |= {"connection": "close"} | refused.headers
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    send = _with_headers(send)
    await send({"type": "http.response.start", "status": refused.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
