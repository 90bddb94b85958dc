"""Forms read in memory, within limits: no temporary file, no list that a client can make as long
as it likes.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from typing import Any

from fastapi import Request, Response, params
from fastapi.routing import APIRoute
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from geco.serve.admission import Ticket
from geco.serve.errors import Refusal
from geco.serve.uploads import TICKET

MOST_PARTS = 64  # of a form; the API has about twenty fields
MOST_HEADERS = 2048  # bytes of a part's headers: a name, a file name and a type
MOST_TEXT = 1024  # bytes of a field that is no file
PIECE = 1 << 18  # bytes handed to the parser at once


class FormRequest(Request):
    """A request whose form is parsed from the body that :class:`geco.serve.uploads.Uploads` has read."""

    known: frozenset[str] = frozenset()

    async def form(self, **limits: Any) -> FormData:  # type: ignore[override]
        """The fields; a file's bytes are in memory.

        Raises:
            Refusal: 415 for another kind of body, 400 for a broken one, 422 for fields that are unknown or
                given twice.
        """
        ticket: Ticket = self.scope[TICKET]
        form = await run_in_threadpool(read_form, self.headers.get("content-type", ""), ticket.body)
        ticket.body = bytearray()
        names = [name for name, _ in form.multi_items()]
        for name in names:
            if name not in self.known:
                remedy = f"Known ones: {', '.join(sorted(self.known))}."
                raise Refusal(422, "InvalidRequest", f"no field is called {name[:100]!r}", remedy)
            if names.count(name) > 1:
                raise Refusal(
                    422, "InvalidRequest", f"the field {name} is given more than once", "Give it once."
                )
        return form


class FormRoute(APIRoute):
    """A route that reads its form so."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """FastAPI's own place to put another kind of request in."""
        handler = super().get_route_handler()
        known = names_of(self.endpoint)

        async def handle(request: Request) -> Response:
            read = FormRequest(request.scope, request.receive)
            read.known = known
            return await handler(read)

        return handle


def names_of(function: Callable[..., Any]) -> frozenset[str]:
    """The form fields that a route's function, or what it depends on, asks for."""
    names: set[str] = set()
    for name, parameter in inspect.signature(function).parameters.items():
        for about in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(about, params.Form):
                names.add(name)
            elif isinstance(about, params.Depends) and about.dependency is not None:
                names |= names_of(about.dependency)
    return frozenset(names)


def read_form(content_type: str, body: bytes | bytearray) -> FormData:
    """A body of the type multipart/form-data (RFC 7578) to its fields; raises as :meth:`FormRequest.form`."""
    kind, options = parse_options_header(content_type)
    if kind.lower() != b"multipart/form-data":
        raise Refusal(415, "NoForm", "the body is no multipart/form-data", "Send a form, as `curl -F` does.")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise Refusal(
            400, "BrokenForm", "the form's boundary is missing or too long", "Use a library for forms."
        )
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())  # type: ignore[arg-type]
        for start in range(0, len(body), PIECE):
            parser.write(bytes(body[start : start + PIECE]))
        parser.finalize()
    except FormParserError as error:
        raise Refusal(400, "BrokenForm", "the form cannot be parsed", "Use a library for forms.") from error
    if not reader.ended:
        raise Refusal(400, "BrokenForm", "the form has no end", "Use a library for forms.")
    return FormData(reader.fields)


class _Reader:
    """Collects the parts; refuses what is too much of anything."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, UploadFile | str]] = []
        self.ended = False
        self._header = bytearray()
        self._value = bytearray()
        self._headers = 0
        self._disposition = b""
        self._data = bytearray()
        self._name: str | None = None
        self._file: str | None = None

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """For the parser."""
        names = (
            "part_begin",
            "header_field",
            "header_value",
            "header_end",
            "headers_finished",
            "part_data",
            "part_end",
            "end",
        )
        return {f"on_{name}": getattr(self, f"_on_{name}") for name in names}

    def _on_part_begin(self) -> None:
        if len(self.fields) >= MOST_PARTS:
            raise Refusal(400, "BrokenForm", f"the form has more than {MOST_PARTS} fields", "Send fewer.")
        self._headers, self._disposition, self._data, self._name, self._file = 0, b"", bytearray(), None, None

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, size: int) -> None:
        self._headers += size
        if self._headers > MOST_HEADERS:
            raise Refusal(
                400, "BrokenForm", "a field's headers are too long", "Give the picture a shorter name."
            )

    def _on_header_end(self) -> None:
        self._count(16)  # a header takes room even where it is empty
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind.lower() != b"form-data" or b"name" not in options:
            raise Refusal(400, "BrokenForm", "a field of the form has no name", "Use a library for forms.")
        self._name = options[b"name"].decode("utf-8", "replace")
        if b"filename" in options:
            self._file = options[b"filename"].decode("utf-8", "replace")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None and len(self._data) + end - start > MOST_TEXT:
            raise Refusal(
                422, "InvalidRequest", f"the field {self._name} is too long", "Send the picture as a file."
            )
        self._data += data[start:end]

    def _on_part_end(self) -> None:
        assert self._name is not None
        if self._file is None:
            self.fields.append((self._name, self._data.decode("utf-8", "replace")))
        else:
            self.fields.append(
                (self._name, UploadFile(io.BytesIO(self._data), size=len(self._data), filename=self._file))
            )
        self._data = bytearray()

    def _on_end(self) -> None:
        self.ended = True
