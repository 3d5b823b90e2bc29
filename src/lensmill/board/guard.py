"""Guard: who may ask, from where, and what a browser may do with the answer."""

import secrets
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
LARGEST_BODY = 65536
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def keep_token(path: Path) -> str:
    """The token in a file only its owner reads; a new one where there is none, or nothing in it."""
    if not path.is_file() or not path.read_text(encoding="ascii").strip():
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".part-{path.name}")
        aside.touch(mode=0o600)
        aside.write_text(secrets.token_urlsafe(24), encoding="ascii")
        aside.replace(path)
    return path.read_text(encoding="ascii").strip()


class Guard:
    """Lets through who knows the token and asks this machine by its own name.

    The token comes once in the address and is kept in a cookie, or comes as `Authorization:
    Bearer`. `hosts`: the names by which the board may be asked for, so that no other site can
    have its own name point here; none: any.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: tuple[str, ...] = LOOPBACK) -> None:
        self.app = app
        self.token = token
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._refusal(scope) or self._welcome(scope) or self.app
        await answer(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered to those who may not, whoever they are."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts and host.rsplit(":", 1)[0] not in self.hosts:
            return PlainTextResponse("not a name of this board", 400)
        if headers.get("origin", f"http://{host}") != f"http://{host}":
            return PlainTextResponse("asked from another site", 403)
        size = headers.get("content-length", "0")
        if not size.isdigit() or int(size) > LARGEST_BODY or "transfer-encoding" in headers:
            return PlainTextResponse("too large", 413)
        return None

    def _welcome(self, scope: Scope) -> Response | None:
        """The cookie for who brings the token, nothing for who is known, else a hint."""
        headers = Headers(scope=scope)
        name = f"lensmill-board-{headers.get('host', '').rpartition(':')[2]}"
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["method"] == "GET" and self._is_token(dict(pairs).get("token", "")):
            rest = urlencode([pair for pair in pairs if pair[0] != "token"])
            answer = RedirectResponse(f"/{scope['path'].lstrip('/')}?{rest}".rstrip("?"), 303)
            answer.set_cookie(name, self.token, httponly=True, samesite="lax", max_age=30 * 86400)
            return answer
        if self._is_token(_cookie(headers, name)) or self._is_bearer(headers):
            return None
        return PlainTextResponse("Open the address that `lensmill board` printed.", 403)

    def _is_bearer(self, headers: Headers) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self._is_token(token)

    def _is_token(self, word: str) -> bool:
        """Nothing is none, even where the token were nothing: what is missing is passed on so."""
        return word != "" and secrets.compare_digest(word.encode(), self.token.encode())


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
