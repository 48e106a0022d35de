"""The door of programs: no page headers, their language, and a connection that went away."""

import io

import psycopg2
import pytest
from django.db import connection

from marketing import wsgi
from marketing.core import auth, passing


@pytest.fixture
def secret(transactional_db) -> str:
    passing.forget()
    return auth.create_key(name="shop", scopes=["recommendations:read"], user=None)[1]


def ask(path: str, secret: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    told: list[tuple[str, list[tuple[str, str]]]] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http",
    }  # fmt: skip
    if secret:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    body = b"".join(wsgi.application({**environ, **headers}, lambda *said: told.append(said)))
    [(line, found)] = told
    return int(line[:3]), dict(found), body


def test_a_key_is_answered_without_what_pages_need_and_in_its_language(secret) -> None:
    path = "/api/v1/customers/nobody/recommendations/"
    status, headers, body = ask(path, secret)
    assert (status, "no customer" in body.decode()) == (404, True)
    assert "Content-Security-Policy" not in headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    status, _headers, body = ask(path, secret, HTTP_ACCEPT_LANGUAGE="zh-Hans, en;q=0.5")
    assert (status, "no customer" in body.decode()) == (404, False)
    # An address with a zero byte, and one without a key, go where all others go.
    assert ask("/api/v1/customers/a\0b/recommendations/", secret)[0] == 400
    status, headers, _body = ask(path)
    assert status in (401, 403)
    assert "Content-Security-Policy" in headers


def test_a_connection_that_the_server_closed_is_noticed_before_it_is_asked(secret) -> None:
    path = "/api/v1/customers/nobody/recommendations/"
    assert ask(path, secret)[0] == 404
    before = connection.connection
    with psycopg2.connect(**connection.get_connection_params()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [before.info.backend_pid])
    assert ask(path, secret)[0] == 404
    assert connection.connection is not before
    kept = connection.connection
    assert ask(path, secret)[0] == 404
    assert connection.connection is kept
