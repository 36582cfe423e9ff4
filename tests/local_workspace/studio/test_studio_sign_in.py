"""Who sees the web pages, and how a browser signs in."""

import os
import stat

import pytest
from studio_browser import Browser, form_of, new_ticket, open_command, text

from local_workspace.identity import sign_in
from local_workspace.identity.sign_in import Tickets, signed_in
from local_workspace.identity.tokens import TokenIssuer

PAGES = ["/studio", "/studio/", "/studio/experiments", "/studio/runs/any", "/studio/no-such-page"]


@pytest.fixture
def stranger(local_workspace):
    return Browser(local_workspace)


def session_cookie(browser):
    return next(cookie for cookie in browser.cookies if "studio" in cookie.name)


def test_the_command_signs_in_and_prints_no_secret(local_workspace, stranger):
    done, file = open_command(local_workspace)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    address, fields = form_of(file.read_text())
    assert address == f"{local_workspace.origin}/studio/sign-in"
    assert f"{local_workspace.origin}/studio/\n" in done.stdout and str(file) in done.stdout
    assert "authority.pem" in done.stdout
    assert fields["ticket"] not in done.stdout + done.stderr
    answer = stranger.post(address, data=fields)
    assert answer.history[0].status_code == 303
    assert (answer.status_code, answer.url) == (200, f"{local_workspace.origin}/studio/")
    assert not file.exists()
    set_cookie = answer.history[0].headers["set-cookie"].lower()
    for word in ("httponly", "secure", "samesite=lax", "path=/studio", "max-age=86400"):
        assert word in set_cookie
    assert stranger.get("/studio/sign-in").url == answer.url
    cookie = session_cookie(stranger)
    # Ports share cookies: the name tells the workspaces of one machine apart.
    assert local_workspace.settings.workspace_id[:8] in cookie.name


@pytest.mark.parametrize("address", PAGES)
def test_without_a_session_a_page_says_what_to_do(stranger, address):
    page = stranger.page(address, status=401)
    assert text(page.h1) == "Sign in"
    assert "python -m local_workspace open" in page.pre.text
    assert "certificates/authority.pem" in text(page)
    assert not page("nav")


def test_a_ticket_works_once(local_workspace, stranger):
    address, fields = new_ticket(local_workspace)
    assert stranger.post(address, data=fields).status_code == 200
    again = Browser(local_workspace)
    refused = again.post(address, data=fields)
    assert refused.status_code == 401 and "used already" in refused.text
    assert not again.cookies


def test_a_ticket_is_not_taken_from_an_address(local_workspace, stranger):
    address, fields = new_ticket(local_workspace)
    assert stranger.get(address, params=fields).status_code == 401
    assert not stranger.cookies
    assert stranger.post(address, data=fields).status_code == 200


def test_tickets_expire_and_belong_to_one_process(local_workspace, monkeypatch):
    tokens = TokenIssuer(local_workspace.settings)
    now = sign_in.time.time()
    ticket = Tickets(tokens, 1).make()
    assert not Tickets(tokens, 2).redeem(ticket)
    for bad in ("", "..", "x", ticket[:-1], ticket + "0", ticket.replace(".", "1.", 1), "é.b.c"):
        assert not Tickets(tokens, 1).redeem(bad)
    assert Tickets(tokens, 1).redeem(ticket)
    monkeypatch.setattr(sign_in.time, "time", lambda: now + sign_in.TICKET_SECONDS + 2)
    assert not Tickets(tokens, 1).redeem(ticket)


def test_a_session_expires(opened, browser, monkeypatch):
    cookie = session_cookie(browser)
    line = f"other=1; {cookie.name}={cookie.value}"
    scope = {"type": "http", "headers": [(b"host", b"localhost"), (b"cookie", line.encode())]}
    assert signed_in(scope, opened) and signed_in({"cookie": line}, opened)
    assert not signed_in({"type": "http", "headers": []}, opened)
    later = sign_in.time.time() + sign_in.SESSION_SECONDS + 2
    monkeypatch.setattr(sign_in.time, "time", lambda: later)
    assert not signed_in(scope, opened)


def test_a_changed_cookie_is_refused(local_workspace, stranger, browser):
    cookie = session_cookie(browser)
    expires, rest = cookie.value.split(".", 1)
    token, _ = TokenIssuer(local_workspace.settings).issue("https://localhost/")
    for value in (f"{int(expires) + 1}.{rest}", cookie.value[:-1], "", "a.b.c", token):
        answer = stranger.get("/studio/", headers={"Cookie": f"{cookie.name}={value}"})
        assert answer.status_code == 401
    right = stranger.get("/studio/", headers={"Cookie": f"{cookie.name}={cookie.value}"})
    assert right.status_code == 200


def test_a_session_is_no_token_of_the_services(local_workspace, browser):
    scope = local_workspace.settings.scope
    address = f"/history/v1.0{scope}/experiments"
    cookie = session_cookie(browser).value
    assert browser.get(address).status_code == 401
    refused = browser.get(address, headers={"Authorization": f"Bearer {cookie}"})
    assert refused.status_code == 401


def test_sign_out(local_workspace, stranger, browser):
    stranger.sign_in(local_workspace)
    token = stranger.form_token()
    cookie = session_cookie(stranger)
    # Neither a form of another site nor an address can do it.
    assert stranger.post("/studio/sign-out").status_code == 403
    assert stranger.post("/studio/sign-out", data={"form_token": "0" * 32}).status_code == 403
    assert stranger.get("/studio/sign-out").status_code == 404
    assert stranger.get("/studio/").status_code == 200
    answer = stranger.post("/studio/sign-out", data={"form_token": token})
    assert answer.status_code == 401
    assert not stranger.cookies
    # Who kept the cookie has no session either, and the others go on.
    kept = {"Cookie": f"{cookie.name}={cookie.value}"}
    assert stranger.get("/studio/", headers=kept).status_code == 401
    assert stranger.get("/studio/mlflow/", headers=kept).status_code == 401
    assert browser.get("/studio/").status_code == 200


def test_static_files_are_open_and_only_those(stranger):
    style = stranger.get("/studio/static/studio.css")
    assert style.status_code == 200 and style.headers["content-type"].startswith("text/css")
    script = stranger.get("/studio/static/studio.js")
    assert script.headers["content-type"].startswith("text/javascript")
    for name in ("nothing.css", "..%2frendering.py", "%2e%2e/routes.py"):
        assert stranger.get(f"/studio/static/{name}").status_code in (401, 404)


def test_pages_forbid_scripts_frames_and_other_hosts(browser):
    headers = browser.get("/studio/").headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
