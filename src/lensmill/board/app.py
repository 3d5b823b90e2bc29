"""App: the board's addresses. Every page has a JSON twin, and its address is its whole state."""

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from lensmill.board import export
from lensmill.board.arrange import Query
from lensmill.board.candidates import UnknownObjectError
from lensmill.board.desk import Desk
from lensmill.board.grades import Mark
from lensmill.board.guard import LOOPBACK, Guard
from lensmill.board.images import PANELS, Look, panel

STATIC = resources.files(__package__) / "static"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
FRESH = {"Cache-Control": "no-store"}
KEPT = {"Cache-Control": "private, max-age=3600"}
"""Images of an object do not change, but for those of a part that was done again."""


def create_app(desk: Desk, token: str, hosts: tuple[str, ...] = LOOPBACK) -> Starlette:
    """The pages of a desk, for who knows `token`; `hosts` as `Guard`'s."""
    pages = _Pages(desk)
    routes = [
        Route("/", lambda request: RedirectResponse("/objects")),
        Route("/static/{name}", _static),
        Route("/state.json", pages.state),
        Route("/objects", _page("board.html")),
        Route("/objects.json", pages.objects),
        Route("/next.json", pages.next_ungraded),
        Route("/grades", _page("grades.html")),
        Route("/grades.json", pages.summary),
        Route("/grades.{kind:str}", pages.download),
        Route("/catalogue", pages.into_catalogue, methods=["POST"]),
        Route("/objects/{key}.json", pages.single),
        Route("/objects/{key}", _page("board.html")),
        Route("/objects/{key}/marks", pages.mark, methods=["POST"]),
        Route("/objects/{key}/{name}.png", pages.panel),
    ]
    handlers = {ValueError: _bad, UnknownObjectError: _missing}
    guard = Middleware(Guard, token=token, hosts=hosts)
    return Starlette(routes=routes, middleware=[guard], exception_handlers=handlers)


class _Pages:
    """Requests in, answers of the desk out."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def state(self, request: Request) -> Response:
        return JSONResponse(
            self.desk.state(request.query_params.get("grader", Query.grader)), headers=FRESH
        )

    def objects(self, request: Request) -> Response:
        offset, limit = _number(request, "offset", 0), _number(request, "limit", 100)
        return JSONResponse(self.desk.page(_query(request), offset, limit), headers=FRESH)

    def single(self, request: Request) -> Response:
        key, place = request.path_params["key"], _number(request, "n", -1)
        return JSONResponse(self.desk.single(_query(request), key, place), headers=FRESH)

    def next_ungraded(self, request: Request) -> Response:
        found = self.desk.next_ungraded(_query(request), _number(request, "n", 0))
        return JSONResponse(found, headers=FRESH)

    def summary(self, request: Request) -> Response:
        return JSONResponse(self.desk.summary(), headers=FRESH)

    async def mark(self, request: Request) -> Response:
        mark = _mark(request.path_params["key"], await _body(request))
        return JSONResponse(self.desk.mark(mark), headers=FRESH)

    def panel(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in PANELS:
            raise HTTPException(404, f"no panel of this name; choices: {', '.join(PANELS)}")
        row = self.desk.row(request.path_params["key"])
        image = panel(self.desk.products, row, name, _look(request))
        if image is None:
            raise HTTPException(404, "the run kept no such image")
        return Response(image, media_type="image/png", headers=KEPT)

    def download(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        data = export.exported(self.desk.candidates, self.desk.grades, f".{kind}")
        name = {"Content-Disposition": f'attachment; filename="grades.{kind}"'}
        return Response(data, media_type="application/octet-stream", headers={**FRESH, **name})

    def into_catalogue(self, request: Request) -> Response:
        rows = export.into_catalogue(self.desk.run, self.desk.grades)
        return JSONResponse({"graded": rows}, headers=FRESH)


def _page(name: str) -> Callable[[Request], Response]:
    """Pages hold no data: their scripts ask for it, so nothing of a file's is ever in HTML."""
    return lambda request: _file(name)


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in {path.name for path in STATIC.iterdir()}:
        raise HTTPException(404, "no such file")
    return _file(name)


def _file(name: str) -> Response:
    text = (STATIC / name).read_text(encoding="utf-8")
    return Response(
        text, media_type=TYPES[Path(name).suffix], headers={"Cache-Control": "no-cache"}
    )


def _query(request: Request) -> Query:
    asked = request.query_params
    return Query(
        where=asked.get("where", ""),
        sort=asked.get("sort", Query.sort),
        grader=asked.get("grader", Query.grader),
        repeats=_number(request, "repeats", 0),
        rows=_number(request, "rows", None),
        revision=_number(request, "revision", None),
    )


def _number(request: Request, name: str, default: Any) -> Any:
    word = request.query_params.get(name)
    if not word:
        return default
    if len(word) > 15 or not word.removeprefix("-").isdecimal():
        raise ValueError(f"{name}: {word[:20]!r} is no whole number")
    return int(word)


def _look(request: Request) -> Look:
    asked = request.query_params
    try:
        white = float(asked.get("white", "1"))
    except ValueError:
        raise ValueError("white: no number") from None
    return Look(asked.get("band", Look.band), asked.get("stretch", Look.stretch), white)


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise HTTPException(415, "marks are JSON")
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise ValueError("the mark is not JSON") from None
    return body if isinstance(body, dict) else {}


def _mark(key: str, body: dict[str, Any]) -> Mark:
    texts = {name: body.get(name) for name in ("uuid", "grader", "field", "value")}
    wrong = [name for name, value in texts.items() if not isinstance(value, str)]
    if wrong or type(body.get("round")) is not int:
        raise ValueError(f"a mark has texts {', '.join(texts)}, and a whole number as round")
    return Mark(key=key, round=body["round"], **{k: str(v) for k, v in texts.items()})


def _bad(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400, headers=FRESH)


def _missing(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "no such object in this run"}, 404, headers=FRESH)
