"""App: pages, their JSON twins, and what is refused."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from board_runs import HOME, HOSTILE, TOKEN

from lensmill.board.app import STATIC, create_app
from lensmill.board.arrange import Query
from lensmill.board.guard import keep_token

SECRETS = ("/etc/passwd", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/run.json")


def first(client, **query):
    return client.get("/objects.json", params={"limit": 1, **query}).json()["objects"][0]


def mark(value="A", **changes):
    return {"uuid": "u1", "grader": "ana", "round": 1, "field": "grade", "value": value, **changes}


@pytest.mark.parametrize("page", ["/objects", "/grades", "/objects/{key}"])
def test_every_page_has_a_json_twin_and_holds_nothing_of_a_file(client, page):
    page = page.format(key=first(client)["key"])
    html, twin = client.get(page), client.get(f"{page}.json")
    assert html.status_code == twin.status_code == 200
    assert html.headers["content-type"].startswith("text/html")
    assert isinstance(twin.json(), dict)
    assert "object 0" not in html.text


def test_everything_a_page_asks_for_is_there(client):
    for page in ("board.html", "grades.html"):
        text = (STATIC / page).read_text(encoding="utf-8")
        for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
            assert client.get(address).status_code == 200
    for script in (path for path in STATIC.iterdir() if path.name.endswith(".js")):
        for name in re.findall(r'from "\./(\w+\.js)"', script.read_text(encoding="utf-8")):
            assert (
                client.get(f"/static/{name}").headers["content-type"].startswith("text/javascript")
            )


def test_scripts_make_no_html_of_text():
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|\bFunction\(", text
        )
        assert not re.search(r"https?://(?!www\.w3\.org)", text), "nothing comes from elsewhere"
        assert not re.search(r"\son\w+=|style=|<script>|<style", text), "nothing inline"


def test_scripts_ask_for_nothing_that_plain_http_has_not():
    """Browsers give these to pages of this machine and of https alone; there is --host."""
    secure = r"crypto\.(randomUUID|subtle)|navigator\.(clipboard|serviceWorker|locks)|\bcaches\."
    for path in STATIC.iterdir():
        assert not re.search(secure, path.read_text(encoding="utf-8"))


def test_every_answer_says_what_a_browser_may_do(client, stranger):
    for answer in (
        client.get("/objects"),
        client.get("/nonsense"),
        client.get("/objects.json?n=x"),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_token_is_asked_for_and_remembered(stranger):
    assert stranger.get("/objects").status_code == 403
    assert stranger.get("/objects.json", params={"token": "wrong"}).status_code == 403
    assert stranger.get("/static/main.js").status_code == 403
    welcome = stranger.get("/objects", params={"token": TOKEN, "where": "p_lens > 0.5"})
    assert welcome.status_code == 303
    assert welcome.headers["location"] == "/objects?where=p_lens+%3E+0.5"
    assert "HttpOnly" in welcome.headers["set-cookie"]
    assert stranger.get("/objects.json").status_code == 200


def test_the_token_leads_nowhere_else(stranger):
    welcome = stranger.get(f"{HOME}//elsewhere.org/x", params={"token": TOKEN})
    assert welcome.headers["location"].startswith("/elsewhere.org")


@pytest.mark.parametrize("left", ["", "\n"])
def test_an_empty_token_lets_nobody_in(stranger, desk, tmp_path, left):
    """What a full disk, or a kill at the wrong moment, once left behind."""
    path = tmp_path / "token"
    path.write_text(left)
    assert len(keep_token(path)) > 20
    assert path.stat().st_mode & 0o077 == 0
    assert {each.name for each in tmp_path.iterdir()} == {"run", "token"}
    anyone = type(stranger)(create_app(desk, ""), base_url=HOME, follow_redirects=False)
    for address in ("/objects", "/objects?token="):
        assert anyone.get(address).status_code == 403
    assert anyone.get("/objects", headers={"authorization": "Bearer "}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "rebound.example:8765"}, 400),
        ({"host": "127.0.0.1.example:8765"}, 400),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"authorization": "Bearer wrong"}, 403),
        ({"content-length": "99999999"}, 413),
        ({"host": "localhost:1"}, 200),
    ],
)
def test_others_are_refused(client, headers, status):
    assert client.get("/objects.json", headers=headers).status_code == status


def test_a_token_is_kept_and_only_its_owners(tmp_path):
    token = keep_token(tmp_path / "board" / "token")
    assert len(token) > 20
    assert keep_token(tmp_path / "board" / "token") == token
    assert (tmp_path / "board" / "token").stat().st_mode & 0o077 == 0


def test_a_filter_and_an_order_come_from_the_address(client):
    asked = {"where": "p_lens < 0.1 and id contains object", "sort": "p_lens", "limit": 3}
    answer = client.get("/objects.json", params=asked).json()
    assert answer["total"] == 31
    assert [each["id"] for each in answer["objects"]] == ["object 044", "object 039", "object 038"]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("/objects.json?where=p_lenz>1", "did you mean 'p_lens'"),
        ("/objects.json?sort=zzz", "no column 'zzz'"),
        ("/objects.json?offset=1e9", "no whole number"),
        ("/objects.json?limit=99999999999999999999", "no whole number"),
        ("/objects.json?rows=-4&offset=-9", None),
        ("/next.json?n=-3", None),
    ],
)
def test_nonsense_in_the_address_is_told(client, address, message):
    answer = client.get(address)
    assert answer.status_code == (400 if message else 200)
    assert message is None or message in answer.json()["error"]


def test_images_are_pictures(client):
    key = first(client, where="id = 'object 001'")["key"]
    for name in ("input", "denoised", "source", "lens_light", "residual"):
        answer = client.get(
            f"/objects/{key}/{name}.png", params={"stretch": "sqrt", "white": "0.5"}
        )
        assert answer.content.startswith(b"\x89PNG")
        assert answer.headers["content-type"] == "image/png"
    assert client.get(f"/objects/{key}/secret.png").status_code == 404
    assert client.get(f"/objects/{key}/input.png?stretch=x").status_code == 400
    assert client.get(f"/objects/{key}/input.png?white=nan").status_code == 400
    other = first(client, where="id = 'object 002'")["key"]
    assert client.get(f"/objects/{other}/input.png").status_code == 404


@pytest.mark.parametrize("name", [*SECRETS, *map(quote, HOSTILE), "%00", "x" * 3000])
def test_no_path_leaves_the_folder(client, name):
    for address in (
        "/static/{}",
        "/objects/{}",
        "/objects/{}.json",
        "/objects/{}/input.png",
        "/{}",
    ):
        answer = client.get(address.format(name))
        assert answer.status_code in (200, 404)
        assert "root:" not in answer.text
        assert "entries" not in answer.text


def test_a_mark_is_kept_and_seen(client):
    shown = first(client, grader="ana")
    assert client.post(f"/objects/{shown['key']}/marks", json=mark()).json() == {"revision": 1}
    assert first(client, grader="ana")["my_grade"] == "A"
    assert client.get("/state.json?grader=ana").json()["graded"] == 1
    assert client.get("/next.json?grader=ana").json()["place"] == 1
    assert client.get("/grades.json").json()["graders"][0]["A"] == 1
    assert b"object 000" in client.get("/grades.csv").content
    assert client.get("/grades.parquet").content.startswith(b"PAR1")
    assert client.get("/grades.exe").status_code == 400


def test_a_page_and_its_twin_mean_the_same_grader(client):
    """The page leaves out of its address what is its default."""
    state = (STATIC / "state.js").read_text(encoding="utf-8")
    assert f'grader: "{Query.grader}"' in state
    assert f'sort: "{Query.sort}"' in state
    client.post(f"/objects/{first(client)['key']}/marks", json=mark(grader=Query.grader))
    assert first(client)["my_grade"] == "A"
    assert client.get("/state.json").json()["graded"] == 1


def test_notes_may_say_anything(client):
    shown = first(client, grader="ana")
    note = "'; DROP TABLE marks; -- <b>θ</b> \0 \U0001f52d"
    client.post(f"/objects/{shown['key']}/marks", json=mark(note, field="note"))
    assert first(client, grader="ana")["my_note"] == note


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (mark("D"), 400),
        (mark(round="1"), 400),
        (mark(round=True), 400),
        (mark(grader=["ana"]), 400),
        (mark(grader=""), 400),
        ([], 400),
        ("A", 400),
        ({}, 400),
    ],
)
def test_a_mark_that_is_none_is_refused(client, body, status):
    key = first(client)["key"]
    assert client.post(f"/objects/{key}/marks", json=body).status_code == status
    assert client.get("/state.json").json()["revision"] == 0


def test_marks_are_json_from_here_about_what_is_here(client):
    key = first(client)["key"]
    marks = f"/objects/{key}/marks"
    assert client.post(marks, data=mark()).status_code == 415
    json = {"content-type": "application/json"}
    for broken in (b"{", b"\xff", b"[" * 50_000):
        assert client.post(marks, content=broken, headers=json).status_code == 400
    assert client.post(marks, content=b"x" * 70_000, headers=json).status_code == 413
    assert (
        client.post(marks, json=mark(), headers={"origin": "http://x.example"}).status_code == 403
    )
    assert client.post("/objects/nonsense/marks", json=mark()).status_code == 404
    assert client.get(marks).status_code == 405
    assert client.post(marks, json=mark(), headers={"origin": HOME}).status_code == 200


def test_two_tabs_at_once(client):
    keys = [each["key"] for each in client.get("/objects.json").json()["objects"]]
    said = [(key, mark("AB"[tab], uuid=f"{key} {tab}")) for key in keys[:20] for tab in (0, 1)]
    with ThreadPoolExecutor(2) as tabs:
        answers = list(
            tabs.map(lambda each: client.post(f"/objects/{each[0]}/marks", json=each[1]), said)
        )
    assert {answer.status_code for answer in answers} == {200}
    assert client.get("/state.json?grader=ana").json()["graded"] == 20


def test_grades_go_into_the_catalogue_by_a_button(client):
    assert "not finished" in client.post("/catalogue").json()["error"]
    assert client.get("/catalogue").status_code == 405
