"""Each public model by its name, from a hub in the public layout to a textured GLB, by the real commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from geco.model_files.hub import INSTANTMESH, PINNED, ZERO123PLUS
from geco.model_files.products import GB, PRODUCTS, Product
from tests.hub import public
from tests.hub.commands import geco
from tests.hub.server import Hub, serving
from tests.mesh.gltf import parse_glb

NAMES = list(PRODUCTS)
PICTURE = Path(__file__).parent.parent / "cases" / "bugs" / "run" / "toy.png"
ONE_LINER = "triposr"  # got by the run itself
SMALL = ("--resolution", "16", "--texture-size", "64")


class Session:
    """A user's afternoon with every public model: what each command did, and where things are."""

    def __init__(self, hub: Hub, home: Path) -> None:
        self.hub, self.home = hub, home
        words: list[list[str | Path]] = [["run", PICTURE, "--model", NAMES[0], "-o", home / "none.glb"]]
        words.append(["run", PICTURE, "--model", ONE_LINER, "--get", "-o", self.glb("one"), *SMALL])
        for name in NAMES:
            words.append(["get", name])
            words.append(["run", PICTURE, "--model", name, "-o", self.glb(name), *SMALL])
        words.append(["get", NAMES[0]])
        words.append(["run", PICTURE, "--model", ZERO123PLUS, "-o", self.glb("id"), *SMALL])
        self.offered, self.one_line, *rest = geco(hub, home, *words, tiny=True)
        self.got = dict(zip(NAMES, rest[: 2 * len(NAMES) : 2]))
        self.ran = dict(zip(NAMES, rest[1 : 2 * len(NAMES) : 2]))
        self.again, self.by_id = rest[2 * len(NAMES) :]

    def glb(self, name: str) -> Path:
        return self.home / f"{name}.glb"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("public")
    with serving(public.repositories(folder)) as hub:
        yield Session(hub, folder)


def test_a_name_that_is_not_here_is_offered_in_one_line(session: Session) -> None:
    assert session.offered.code == 2 and session.offered.error.count("\n") == 1
    for part in ("geco get instantmesh ", "5.3 GB to fetch", "10.0 GB of disk", "CC-BY-NC-4.0"):
        assert part in session.offered.error
    assert not (session.home / "none.glb").exists()


def test_a_run_may_get_its_model_itself(session: Session) -> None:
    assert session.one_line.code == 0 and session.glb("one").exists(), session.one_line.error
    assert "licence: MIT" in session.one_line.error and "whole" in session.got[ONE_LINER].error


@pytest.mark.parametrize("name", NAMES)
def test_one_line_makes_it_ready_and_another_a_textured_mesh(session: Session, name: str) -> None:
    assert session.got[name].code == 0, session.got[name].error
    assert f"--model {name}" in session.got[name].out
    assert session.ran[name].code == 0, session.ran[name].error
    scene, _ = parse_glb(session.glb(name).read_bytes())
    assert len(scene["images"]) == 1 and "TEXCOORD_0" in scene["meshes"][0]["primitives"][0]["attributes"]


def test_licence_and_disk_are_said_before_anything_is_fetched(session: Session) -> None:
    lines = session.got["instantmesh"].error.splitlines()
    licence = next(n for n, line in enumerate(lines) if line.startswith("licence: views: CC-BY-NC-4.0"))
    disk = next(n for n, line in enumerate(lines) if line.startswith("disk: "))
    fetched = next(n for n, line in enumerate(lines) if ZERO123PLUS in line)
    assert licence < disk < fetched and "are free" in lines[disk]


def test_every_request_is_at_the_pinned_commit_and_the_unet_of_zero123plus_is_not_fetched(
    session: Session,
) -> None:
    wanted = [line for line in session.hub.seen if "/resolve/" in line]
    for repository in (ZERO123PLUS, INSTANTMESH):
        asked = [line for line in wanted if repository in line]
        assert asked and all(PINNED[repository].revision in line for line in asked)
    assert not session.hub.asked("unet/diffusion_pytorch_model.safetensors")
    assert session.hub.asked("diffusion_pytorch_model.bin") == [""]  # once for all of them


def test_the_card_says_sources_commits_and_half_precision(session: Session) -> None:
    folder = next((session.home / "cache" / "geco").glob("instantmesh-2*"))
    card = json.loads((folder / "config.json").read_text())
    assert card["licence"].startswith("views: CC-BY-NC-4.0") and "Apache-2.0" in card["licence"]
    views = json.loads((folder / "multiview" / "config.json").read_text())
    assert views["background"] == 1.0 and views["unet_source"] == INSTANTMESH
    assert views["revision"] == PINNED[ZERO123PLUS].revision
    assert views["unet_revision"] == PINNED[INSTANTMESH].revision
    assert dtypes(folder / "multiview" / "unet.safetensors") == {"F16"}
    assert dtypes(folder / "multiview" / "vae.safetensors") == {"F16"}
    assert dtypes(folder / "multiview" / "vision.safetensors") == {"F16"}
    assert dtypes(folder / "reconstructor" / "model.safetensors") == {"F32"}


def test_a_second_get_looks_through_the_folder_and_fetches_nothing(session: Session) -> None:
    assert session.again.code == 0 and session.again.error == "instantmesh is here and whole\n"


def test_the_hub_id_of_zero123plus_means_the_same_model(session: Session) -> None:
    """Finding F1 of the audit: an id with a dot in it never reached the hub."""
    assert session.by_id.code == 0 and session.glb("id").exists()
    assert "licence" not in session.by_id.error  # it was here


def dtypes(path: Path) -> set[str]:
    """Of the numbers in a safetensors file."""
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return {entry["dtype"] for name, entry in header.items() if name != "__metadata__"}


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=lambda product: product.name)
def test_the_tables_sizes_are_those_of_the_networks(product: Product) -> None:
    """By the number of parameters, without allocating any."""
    if product.reconstructor:
        from geco.reconstruct.instantmesh.config import RELEASED
        from geco.reconstruct.instantmesh.model import InstantMesh

        made = InstantMesh.on_meta(RELEASED[product.reconstructor])
        size = product.sources[-1].size
    else:
        from geco.reconstruct.triposr.config import RELEASED as TRIPOSR
        from geco.reconstruct.triposr.model import TripoSR

        made, size = TripoSR.on_meta(TRIPOSR), product.download
    assert size == pytest.approx(4 * sum(p.numel() for p in made.parameters()), abs=0.01 * GB)


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=lambda product: product.name)
def test_the_page_says_what_the_table_says(product: Product) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "public-models.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{product.name}` |")]
    _, _, what, fetched, folder, licence, _ = (cell.strip() for cell in row.split("|"))
    assert what == product.what
    assert (fetched, folder) == (f"{product.download / GB:.1f} GB", f"{product.folder_size / GB:.1f} GB")
    assert licence in ("as above", product.licence)
