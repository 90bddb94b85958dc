"""The page's files: what is bundled is what it says it is, and nothing comes from elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from geco.serve.page_files import KINDS, PageFile, page_files, policy

FILES = page_files(viewing=True) | page_files()
PAGE = Path(__file__).parents[2] / "src" / "geco" / "serve" / "page"
OWN = [path for path in FILES if not path.startswith("vendor/")]


def test_every_file_of_the_folder_is_served_and_packaged() -> None:
    there = {file.relative_to(PAGE).as_posix() for file in PAGE.rglob("*") if file.is_file()}
    assert there == set(FILES)
    packaged = (PAGE.parents[3] / "pyproject.toml").read_text()
    assert '"serve/page/**/*"' in packaged, "package-data"


def test_what_is_bundled_is_the_release_that_its_record_names_with_its_licence() -> None:
    (record,) = json.loads(FILES["vendor/SOURCES.json"].body)
    bundled = FILES[f"vendor/{record['file']}"].body
    assert hashlib.sha256(bundled).hexdigest() == record["sha256"]
    assert record["package"] == "npm @google/model-viewer" and record["version"] == "4.4.0"
    licence = FILES[f"vendor/{record['licence_file']}"].body.decode()
    assert "Apache License" in licence and "Version 2.0" in licence
    assert b"SPDX-License-Identifier: MIT" in bundled and b"SPDX-License-Identifier: BSD-3" in bundled


@pytest.mark.parametrize("path", OWN)
def test_the_page_s_own_files_load_nothing_from_elsewhere(path: str) -> None:
    if FILES[path].kind.startswith("image/webp"):
        return
    text = FILES[path].body.decode()
    outside = set(re.findall(r"https?://[^\"'\s)>]+", text))
    assert outside <= {"https://arxiv.org/abs/2405.20327", "http://www.w3.org/2000/svg"}
    for address in re.findall(r'(?:src|href)="([^"#]*)"', text):
        assert address in FILES or address in ("openapi.json", "https://arxiv.org/abs/2405.20327"), address


def test_the_page_has_no_script_and_no_style_of_its_own_inside() -> None:
    text = FILES["index.html"].body.decode()
    assert re.findall(r"<script(?![^>]*\ssrc=)", text) == []
    assert "<style" not in text and " style=" not in text and not re.search(r"\son\w+=", text)
    assert "unsafe-inline" not in policy() and "'unsafe-eval'" not in policy()


def test_examples_are_small_pictures() -> None:
    examples = [file for path, file in FILES.items() if path.startswith("examples/")]
    assert 4 <= len(examples) <= 6
    for file in examples:
        assert len(file.body) <= 15_000
        assert max(Image.open(io.BytesIO(file.body)).size) == 320
    names = {file.path.removeprefix("examples/").removesuffix(".webp") for file in examples}
    (listed,) = re.findall(r"EXAMPLES = \[(.*)\]", FILES["picture.js"].body.decode())
    assert set(re.findall(r'"(\w+)"', listed)) == names


@pytest.mark.parametrize(
    "path", ["", "main.js", "page.css", "vendor/model-viewer.min.js", "examples/mug.webp"]
)
def test_a_file_comes_with_its_type_and_policy_and_only_once(client: TestClient, path: str) -> None:
    answer = client.get(f"/{path}")
    file = FILES[path or "index.html"]
    assert answer.status_code == 200 and answer.content == file.body
    assert answer.headers["content-type"] == file.kind
    assert answer.headers["content-security-policy"] == policy()
    assert "default-src 'none'" in policy() and "frame-ancestors 'none'" in policy()
    again = client.get(f"/{path}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304 and again.content == b""


def test_text_is_sent_packed_to_those_that_can_unpack_it() -> None:
    file = FILES["vendor/model-viewer.min.js"]
    status, headers, body = file.answer("gzip, br")
    assert status == 200 and headers["Content-Encoding"] == "gzip" and len(body) < 300_000
    assert gzip.decompress(body) == file.body == file.answer("")[2]
    assert "Content-Encoding" not in FILES["examples/mug.webp"].answer("gzip")[1]
    assert "Content-Encoding" not in PageFile("a.js", KINDS[".js"], b"short").answer("gzip")[1]


def test_sites_that_are_named_may_show_the_page_in_a_frame() -> None:
    headers = FILES["index.html"].answer(frames=("https://example.org",))[1]
    assert headers["Content-Security-Policy"].endswith("frame-ancestors https://example.org")
