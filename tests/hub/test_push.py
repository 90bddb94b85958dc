"""``geco publish --push`` to a hub of our own, and the model from there: the folder's own views and bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from geco.loading import EMBEDDED
from tests.hub.commands import geco
from tests.hub.server import Hub, files_of, serving
from tests.hub.uploads import TOKEN

ID = "acme/small-geco"
PICTURE = Path(__file__).parent.parent / "cases" / "bugs" / "run" / "toy.png"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving({}) as server:
        yield server


def test_a_pushed_model_is_what_was_published_and_runs_as_it(hub: Hub, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = ["run", PICTURE, "--seed", "3", "--quiet"]
    done = geco(
        hub,
        tmp_path,
        ["publish", EMBEDDED, "-o", out, "--push", ID, "--private"],
        [*run, "--model", out, "-o", tmp_path / "a.obj"],
        [*run, "--model", ID, "-o", tmp_path / "b.obj"],
        ["publish", out, "--push", ID],
        HF_TOKEN=TOKEN,
        HF_HUB_DISABLE_XET="1",
    )
    assert [each.code for each in done] == [0, 0, 0, 0], done
    assert hub.files[ID] == files_of(out)
    assert hub.uploads.made[ID]["visibility"] == "private"
    one, other = (_shape(tmp_path / name) for name in ("a.obj", "b.obj"))
    assert one == other and len(one) > 1000
    assert sum(line.startswith("PUT") for line in hub.seen) == 2  # once, though it was pushed twice
    page = hub.files[ID]["README.md"].decode()
    front = yaml.safe_load(page.split("---\n")[1])
    assert front["library_name"] == "geco" and front["pipeline_tag"] == "image-to-3d"
    assert front["license"] == "apache-2.0" and f'from_pretrained("{ID}")' in page


def _shape(path: Path) -> list[str]:
    """Vertices, texture coordinates and faces; what stands before them names model and picture."""
    return [line for line in path.read_text().splitlines() if line.startswith(("v", "f"))]


def test_nothing_is_pushed_without_a_token_or_what_is_not_whole(hub: Hub, tmp_path: Path) -> None:
    out, damaged = tmp_path / "out", tmp_path / "damaged"
    (done,) = geco(hub, tmp_path, ["publish", EMBEDDED, "-o", out, "--push", ID], HF_TOKEN="")
    assert done.code == 2 and "hf auth login" in done.line and not out.exists()
    assert geco(hub, tmp_path, ["publish", EMBEDDED, "-o", damaged])[0].code == 0
    weights = damaged / "reconstructor" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    hub.uploads.refused.add("others/model")
    found = geco(
        hub,
        tmp_path,
        ["publish", damaged, "--push", ID],
        ["publish", EMBEDDED, "--push", ID],
        ["publish", EMBEDDED, "--push", "no-owner"],
        ["publish", EMBEDDED, "-o", tmp_path / "fine", "--push", "others/model"],
        HF_TOKEN=TOKEN,
        HF_HUB_DISABLE_XET="1",
    )
    assert [each.code for each in found] == [2, 2, 2, 2]
    said = ["is damaged", "was not published", "no hub repository", "403"]
    assert all(word in each.line for word, each in zip(said, found, strict=True)), found
    assert ID not in hub.files and not any(line.startswith("PUT") for line in hub.seen)
