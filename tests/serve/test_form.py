"""Forms: whatever the bytes are, fields or a refusal, within a bounded time and memory and
without a temporary file.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import FormData, UploadFile

from geco.serve.errors import Refusal
from geco.serve.form import read_form

TYPE = "multipart/form-data; boundary=b"


def part(head: str, data: bytes) -> bytes:
    return b"--b\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"


def picture(data: bytes, name: str = "p") -> bytes:
    return part(f'Content-Disposition: form-data; name="picture"; filename="{name}"', data)


def field(name: str, value: str) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', value.encode())


def refusal(body: bytes, kind: str = TYPE) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read_form(kind, body)
    return caught.value


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(max_size=4000),
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=100),
    name=st.text(st.characters(exclude_characters='"\\\r\n', exclude_categories=["Cs"]), max_size=50),
)
def test_what_was_sent_arrives(data: bytes, value: str, name: str) -> None:
    if b"\r\n--b" in data or "\r\n--b" in value:
        return
    form = read_form(TYPE, picture(data, name) + field("seed", value) + b"--b--\r\n")
    upload = form["picture"]
    assert isinstance(upload, UploadFile) and upload.file.read() == data and upload.size == len(data)
    assert form["seed"] == value


def test_no_temporary_folder_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("No usable temporary directory")

    for name in (
        "TemporaryFile",
        "NamedTemporaryFile",
        "mkstemp",
        "mkdtemp",
        "gettempdir",
        "_get_default_tempdir",
    ):
        monkeypatch.setattr(tempfile, name, none)
    data = bytes(3 << 20)
    upload = read_form(TYPE, picture(data) + b"--b--\r\n")["picture"]
    assert isinstance(upload, UploadFile) and len(upload.file.read()) == len(data)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_forms_give_fields_or_a_refusal(data: st.DataObject) -> None:
    body = bytearray(picture(b"some\r\nbytes" * 3) + field("seed", "7") + b"--b--\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        change = data.draw(st.sampled_from(("flip", "cut", "insert", "double")))
        if change == "flip":
            body[place] = data.draw(st.integers(0, 255))
        elif change == "cut":
            del body[place : place + data.draw(st.integers(1, 20))]
        elif change == "insert":
            body[place:place] = data.draw(
                st.sampled_from((b"\r\n", b"--b", b"\r\n--b\r\n", b"\x00", b":", b"--"))
            )
        else:
            body += body[place:]
        if not body:
            return
    outcome(bytes(body), TYPE)


@settings(max_examples=100, deadline=None)
@given(kind=st.text(st.characters(codec="latin-1"), max_size=80), body=st.binary(max_size=200))
def test_any_type_and_any_bytes(kind: str, body: bytes) -> None:
    outcome(body, kind)
    outcome(body, f"multipart/form-data; boundary={kind}")


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("abnm=;*'\"%0123456789ABCDEFutf-8 \\/:.\xe4"), max_size=60))
def test_any_disposition(text: str) -> None:
    for head in (
        f"form-data; {text}",
        f"form-data; name=a; {text}",
        f"form-data; name*={text}; filename*=UTF-8''{text}",
    ):
        outcome(part(f"Content-Disposition: {head}", b"x") + b"--b--\r\n", TYPE)


def outcome(body: bytes, kind: str) -> None:
    try:
        form = read_form(kind, body)
    except Refusal as error:
        assert error.status_code in (400, 415, 422)
    else:
        assert isinstance(form, FormData)


@pytest.mark.parametrize(
    "body",
    [
        b"".join(field(f"f{n}", "") for n in range(1000)),
        part(
            "\r\n".join(f"X-{n}: y" for n in range(500)) + '\r\nContent-Disposition: form-data; name="a"', b""
        ),
        part('Content-Disposition: form-data; name="' + "n" * 5000 + '"', b""),
        part('X: y\r\nContent-Disposition: attachment; name="a"', b""),
        part("Content-Disposition: form-data", b""),
        field("seed", "9" * 5000),
    ],
    ids=["many fields", "many headers", "long header", "no form-data", "no name", "long value"],
)
def test_too_much_of_anything_is_refused(body: bytes) -> None:
    assert refusal(body + b"--b--\r\n").status_code in (400, 422)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/mixed"]
)
def test_other_bodies_are_refused(kind: str) -> None:
    assert refusal(b"{}", kind).status_code == 415


@pytest.mark.parametrize("body", [b"", b"--b", picture(b"x"), b"--b\r\n", b"no form at all"])
def test_a_form_without_an_end_is_refused(body: bytes) -> None:
    assert refusal(body).status_code == 400


def test_a_large_hostile_form_costs_little() -> None:
    """Eight megabytes of what looks like boundaries, headers and line ends."""
    attacks = (b"\r\n--", b"\r", b"\r\n", b"\r\n--b\r\nA: b\r\n", b"a:b\r\n", b"--b\r\n\r\n")
    for attack in attacks:
        body = picture(b"")[:-2] + attack * ((8 << 20) // len(attack)) + b"\r\n--b--\r\n"
        tracemalloc.start()
        began = time.process_time()
        outcome(body, TYPE)
        seconds = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * len(body), attack
        assert seconds < 20, (attack, seconds)
