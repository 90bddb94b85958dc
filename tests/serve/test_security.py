"""Host, Origin, token, and what no answer may tell. The model is not needed: nothing here comes
as far as the worker.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.errors import ConfigError
from geco.serve import Access, Settings, create_app
from geco.serve.security import is_public, served_names

TOKEN = "correct-horse-battery"


def client_of(**access: Any) -> TestClient:
    """A server that was never started: its routes answer, no model is loaded."""
    return TestClient(
        create_app(settings=Settings(access=Access(**access))), base_url="http://localhost:8000"
    )


def send(client: TestClient, **headers: str) -> Any:
    return client.post(
        "/api/v1/mesh", files={"picture": ("p", b"x")}, headers={k.title(): v for k, v in headers.items()}
    )


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "localhost.", "geco.example"]
)
def test_the_servers_own_names_are_answered(host: str) -> None:
    assert client_of(hosts=("geco.example",)).get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:8000", "192.168.1.1", "xlocalhost"]
)
@pytest.mark.parametrize("route", ["/", "/healthz", "/metrics", "/openapi.json"])
def test_a_host_name_that_was_bound_to_this_address_anew_is_refused(host: str, route: str) -> None:
    answer = client_of().get(route, headers={"Host": host})
    assert answer.status_code == 421 and answer.json()["error"]["type"] == "UnknownHost"
    assert send(client_of(), host=host).status_code == 421


@pytest.mark.parametrize(
    "host", ["", "a b", "localhost:99999999", "[::1", "a@localhost", "localhost/x", "localhost#"]
)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    assert client_of().get("/healthz", headers={"Host": host}).status_code in (400, 421)


def test_where_all_addresses_are_listened_on_every_address_is_a_name_and_no_other_name_is() -> None:
    client = client_of(hosts=served_names("0.0.0.0"))
    assert client.get("/healthz", headers={"Host": "192.168.1.7:8000"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "[2001:db8::1]"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 421
    assert client_of(hosts=("*",)).get("/healthz", headers={"Host": "any.example"}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost:8001",
        "http://127.0.0.1:8000",
        "file://",
        "http://localhost",
    ],
)
def test_a_page_of_another_site_may_not_post(origin: str) -> None:
    answer = send(client_of(), origin=origin)
    assert answer.status_code == 403 and answer.json()["error"]["type"] == "ForeignOrigin"
    assert "access-control-allow-origin" not in answer.headers


def test_its_own_page_a_program_and_an_allowed_site_may_post() -> None:
    client = client_of(origins=("https://site.example",))
    assert send(client, origin="http://localhost:8000").status_code == 503, "as far as the missing model"
    assert send(client).status_code == 503
    answer = send(client, origin="https://site.example")
    assert (
        answer.status_code == 503 and answer.headers["access-control-allow-origin"] == "https://site.example"
    )
    assert "origin" in answer.headers["vary"].lower()
    assert send(client, origin="http://site.example").status_code == 403, "another scheme is another origin"
    behind_tls = client_of(hosts=("geco.example",))
    assert send(behind_tls, host="geco.example", origin="https://geco.example").status_code == 503


def test_a_preflight_is_answered_for_allowed_sites_only() -> None:
    client = client_of(origins=("https://site.example",), token=TOKEN)
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = client.options("/api/v1/mesh", headers={**asking, "Origin": "https://site.example"})
    assert answer.status_code == 204 and "Authorization" in answer.headers["access-control-allow-headers"]
    refused = client.options("/api/v1/mesh", headers={**asking, "Origin": "https://evil.example"})
    assert refused.status_code == 403 and "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"]
)
def test_without_the_token_the_api_is_closed(given: str) -> None:
    client = client_of(token=TOKEN, origins=("https://site.example",))
    for answer in (
        send(client, authorization=given),
        client.get("/metrics", headers={"Authorization": given}),
    ):
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["type"] == "Unauthorized" and TOKEN not in answer.text
    readable = send(client, authorization=given, origin="https://site.example")
    assert readable.headers["access-control-allow-origin"] == "https://site.example"


def test_with_the_token_it_is_open_and_health_needs_none() -> None:
    client = client_of(token=TOKEN)
    assert send(client, authorization=f"Bearer {TOKEN}").status_code == 503
    assert send(client, authorization=f"bearer {TOKEN}").status_code == 503
    assert client.get("/healthz").status_code == 200 and client.get("/").status_code == 200
    assert client.get("/readyz").status_code == 503, "no model is loaded"


@settings(max_examples=60, deadline=None)
@given(host=st.text(max_size=30), origin=st.text(max_size=30), token=st.text(max_size=30))
def test_whatever_the_headers_hold_the_answer_is_ours(host: str, origin: str, token: str) -> None:
    headers = {"host": host.encode(), "origin": origin.encode(), "authorization": f"Bearer {token}".encode()}
    answer = CLIENT.post("/api/v1/mesh", content=b"x", headers=headers)
    assert answer.status_code in (400, 401, 403, 421), answer.text
    assert answer.json()["error"]["problem"] and answer.headers["x-request-id"]


CLIENT = client_of(token=TOKEN)


@settings(max_examples=60, deadline=None)
@given(given=st.text(st.characters(codec="latin-1"), max_size=80))
def test_a_request_id_is_kept_only_where_it_is_short_and_plain(given: str) -> None:
    answer = CLIENT.get("/healthz", headers={"x-request-id": given.encode("latin-1")})
    known = answer.headers["x-request-id"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", known)


@pytest.mark.parametrize(
    "access",
    [
        {"token": ""},
        {"token": "a\nb"},
        {"token": "ключ"},
        {"origins": ("*",)},
        {"origins": ("x",)},
        {"frames": ("*",)},
        {"frames": ("https://a; script-src *",)},
    ],
)
def test_access_that_means_nothing_is_refused(access: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Access(**access)


def test_only_named_sites_may_show_the_page_in_a_frame() -> None:
    policy = client_of().get("/").headers["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors 'none'")
    policy = (
        client_of(frames=("https://hub.example", "https://b.example"))
        .get("/")
        .headers["Content-Security-Policy"]
    )
    assert policy.endswith("frame-ancestors https://hub.example https://b.example")


def test_public_addresses_are_known_as_such() -> None:
    assert [is_public(host) for host in ("127.0.0.1", "::1", "localhost", "127.0.0.9")] == [False] * 4
    assert [is_public(host) for host in ("0.0.0.0", "::", "192.168.1.4", "example.org", "fe80::1%eth0")] == [
        True
    ] * 5
