"""The nodes against the description of ComfyUI's contract, with the real model and real tensors."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geco import GecoPipeline
from geco.choices import CHOICES
from geco.errors import ConfigError, InputImageError, WeightsError
from geco.surface_to_asset import AssetOptions
from geco.version import __version__
from tests.comfyui import contract, workflows

torch = pytest.importorskip("torch")
trimesh = pytest.importorskip("trimesh")
ROOT = Path(__file__).parent.parent.parent
QUICK = {"texture_size": 64, "resolution": 32}  # of a mesh


@pytest.fixture
def comfy(tmp_path: Path) -> contract.Comfy:
    return contract.Comfy(tmp_path / "output")


@pytest.fixture
def pack(comfy: contract.Comfy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    yield contract.load(comfy, monkeypatch)
    contract.ProgressBar.made.clear()


@pytest.fixture
def node(pack: Any) -> Any:
    made = pack.NODE_CLASS_MAPPINGS["GecoPictureToMesh"]()
    made._embedded = small()  # loaded once for all of these tests
    return made


@cache
def small() -> GecoPipeline:
    return GecoPipeline.from_pretrained("small")


def loaded(name: str) -> tuple[Any, Any]:
    """IMAGE and MASK as LoadImage gives them: the mask is 1 where the picture is transparent."""
    rgba = np.asarray(Image.open(ROOT / "examples" / name).convert("RGBA"), np.float32) / 255
    return torch.from_numpy(rgba[None, ..., :3].copy()), torch.from_numpy(1 - rgba[None, ..., 3])


def with_alpha(name: str) -> tuple[Any, Any]:
    """The same of a picture that is certain to have alpha: a disc of it."""
    image, _ = loaded(name)
    y, x = np.mgrid[-1 : 1 : image.shape[1] * 1j, -1 : 1 : image.shape[2] * 1j]
    return image, torch.from_numpy(((x * x + y * y) > 0.6).astype(np.float32))[None]


@pytest.mark.parametrize("name", ["GecoPictureToMesh", "GecoMoreChoices", "GecoLoadModel"])
def test_a_node_is_as_comfyui_wants_it(pack: Any, name: str) -> None:
    assert contract.faults(pack.NODE_CLASS_MAPPINGS[name]) == []
    assert pack.NODE_DISPLAY_NAME_MAPPINGS.keys() == pack.NODE_CLASS_MAPPINGS.keys()


def test_the_check_of_a_node_finds_faults() -> None:
    class Wrong:
        RETURN_TYPES, RETURN_NAMES, FUNCTION = ("IMAGE",), ("a", "b"), "do"

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:
            return {"required": {"faces": ("INT", {"default": 5, "min": 9, "max": 10}), "x": (["a"], {})}}

        def do(self, faces: int) -> None: ...

    said = " ".join(contract.faults(Wrong))
    assert all(each in said for each in ("takes no x", "out of range", "none of", "RETURN_NAMES", "CATEGORY"))


def test_every_choice_is_on_one_of_the_two_nodes_but_the_format(pack: Any) -> None:
    found = []
    for name in ("GecoPictureToMesh", "GecoMoreChoices"):
        inputs = pack.NODE_CLASS_MAPPINGS[name].INPUT_TYPES()
        found += [*inputs["required"], *inputs["optional"]]
    for row in CHOICES:
        assert found.count(row.name) == (row.name != "format"), row.name


def test_a_batch_of_pictures_and_seeds_gives_a_mesh_each(
    comfy: contract.Comfy, node: Any, tmp_path: Path
) -> None:
    image, mask = with_alpha("mug.png")
    both = torch.cat([image, image.flip(2)])
    shown, (paths, meshes, views, cutout, cutout_mask, facts) = contract.execute(
        node, image=both, mask=mask, seed=3, samples=2, more=QUICK, texture_size=64
    )
    assert paths == [f"3d/GECO_0000{number}_.glb" for number in (1, 2, 3, 4)]
    assert [entry["filename"] for entry in shown["3d"]] == [Path(path).name for path in paths]
    assert views.shape == (4 * 6, *views.shape[1:3], 3) and views.dtype == torch.float32
    assert cutout.shape == (2, *cutout_mask.shape[1:], 3) and cutout.min() >= 0 and cutout.max() <= 1
    assert 0.1 < cutout_mask.mean() < 0.9 and (cutout[cutout_mask == 1] == 1).all()
    assert [json.loads(each)["seed"] for each in facts] == [3, 4, 3, 4]
    for path, mesh in zip(paths, meshes):
        assert mesh.vertices.ndim == 3 and mesh.faces.dtype == torch.int64
        file = trimesh.load(comfy.output / path, force="mesh", process=False)
        np.testing.assert_allclose(file.vertices, mesh.vertices[0].numpy(), atol=1e-6)
        np.testing.assert_array_equal(file.faces, mesh.faces[0].numpy())
    (bar,) = contract.ProgressBar.made
    assert [value for value, _ in bar.told][-1] == bar.total
    assert sum(preview is not None for _, preview in bar.told) == 4


def test_the_best_of_several_seeds_is_one_mesh_a_sample(comfy: contract.Comfy, node: Any) -> None:
    image, mask = with_alpha("mug.png")
    _, (paths, _, views, *_, facts) = contract.execute(
        node, image=image, mask=mask, seed=4, samples=2, best_of=2, more=QUICK, texture_size=64
    )
    assert len(paths) == 2 and len(views) == 12
    assert [json.loads(each)["seed"] in seeds for each, seeds in zip(facts, [(4, 5), (6, 7)])] == [True, True]
    (bar,) = contract.ProgressBar.made
    assert bar.told[-1][0] == bar.total and sum(preview is not None for _, preview in bar.told) == 4


@pytest.mark.parametrize("count", [1, 4, 6])
def test_the_preview_shows_as_many_views_as_a_model_draws(pack: Any, count: int) -> None:
    from the_node_pack import tensors

    views = np.full((count, 8, 8, 3), 0.25, np.float32)
    shown = np.asarray(tensors.sheet(views))
    assert (shown == 64).sum() == views.size


def test_a_mask_is_alpha_whichever_way_round_and_of_whichever_size_it_is(pack: Any) -> None:
    from the_node_pack import tensors

    image, hides = with_alpha("mug.png")
    (one,) = tensors.pictures(image, hides, tensors.HIDES)
    (other,) = tensors.pictures(image, 1 - hides, tensors.SHOWS)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one[..., 3], 1 - hides[0].numpy())
    (small,) = tensors.pictures(image, hides[:, ::4, ::4], tensors.HIDES)
    assert small.shape == one.shape and abs(small - one).mean() < 0.02


def test_no_mask_and_the_empty_one_of_an_opaque_picture_are_the_same(pack: Any) -> None:
    from the_node_pack import tensors

    image, _ = loaded("bus.png")
    for mask in (None, torch.zeros(1, 64, 64)):  # LoadImage gives the second
        (found,) = tensors.pictures(image, mask, tensors.HIDES)
        np.testing.assert_array_equal(found, image[0].numpy())


def test_no_file_is_ever_written_over(comfy: contract.Comfy, node: Any, monkeypatch: Any) -> None:
    image, mask = with_alpha("mug.png")
    theirs = comfy.output / "3d" / "GECO_00001_.glb"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    import folder_paths  # type: ignore[import-not-found]

    folder = (str(theirs.parent), "GECO", 1, "3d", "3d/GECO")
    monkeypatch.setattr(folder_paths, "get_save_image_path", lambda *_: folder)  # counted before theirs came
    _, (paths, *_) = contract.execute(node, image=image, mask=mask, more=QUICK, texture_size=64)
    assert paths == ["3d/GECO_00002_.glb"] and theirs.read_bytes() == b"theirs"


def test_a_file_holds_its_workflow_unless_the_user_wants_none(comfy: contract.Comfy, node: Any) -> None:
    image, mask = with_alpha("mug.png")
    given = {"prompt": {"2": {}}, "extra_pnginfo": {"workflow": {"nodes": []}}, "more": QUICK}
    extras = []
    for comfy.arguments.disable_metadata in (False, True):
        _, (paths, *_) = contract.execute(node, image=image, mask=mask, texture_size=64, **given)
        data = (comfy.output / paths[0]).read_bytes()
        length = int.from_bytes(data[12:16], "little")
        extras.append(json.loads(data[20 : 20 + length])["asset"]["extras"])
    assert json.loads(extras[0]["prompt"]) == {"2": {}} and json.loads(extras[0]["workflow"]) == {"nodes": []}
    assert "workflow" not in extras[1]


@pytest.mark.parametrize("look", [1, 2, 3])
def test_a_node_stops_between_stages_and_keeps_what_is_whole(
    comfy: contract.Comfy, node: Any, look: int
) -> None:
    image, mask = with_alpha("mug.png")
    comfy.stop_at = look
    with pytest.raises(contract.InterruptProcessingException):
        contract.execute(node, image=image, mask=mask, samples=2, more=QUICK, texture_size=64)
    assert len(list(comfy.output.rglob("*.glb"))) == (look == 3)
    assert all(path.stat().st_size > 1000 for path in comfy.output.rglob("*.glb"))


def test_bad_input_is_one_line_and_leaves_no_file(comfy: contract.Comfy, pack: Any, node: Any) -> None:
    image, _ = with_alpha("mug.png")
    blank = torch.ones_like(image)
    for given, error, said in [
        ({"image": blank}, InputImageError, "."),
        ({"image": torch.cat([image, blank])}, InputImageError, "picture 2 of 2: "),
        ({"image": image, "mask": torch.ones(1, 8, 8)}, InputImageError, "the mask shows nothing"),
        ({"image": image, "mask": torch.zeros(3, 8, 8)}, InputImageError, "3 masks came with 1 pictures"),
        ({"image": image, "faces": 7}, ConfigError, "faces 7 is out of range"),
        ({"image": image, "more": {"steps": 4}}, ConfigError, "one-step generator"),
    ]:
        with pytest.raises(error, match=said) as raised:
            contract.execute(node, **{"mask": None, "more": QUICK, "texture_size": 64, **given})
        assert len(str(raised.value).splitlines()) == 1
    loader = pack.NODE_CLASS_MAPPINGS["GecoLoadModel"]()
    with pytest.raises(WeightsError):
        contract.execute(loader, model="/nowhere/at all")
    assert not [path for path in comfy.output.rglob("*.glb") if path.stat().st_size == 0]


def test_a_model_is_loaded_anew_once_its_folder_has_changed(pack: Any, tmp_path: Path) -> None:
    loader = pack.NODE_CLASS_MAPPINGS["GecoLoadModel"]
    (tmp_path / "model").mkdir()
    before = loader.IS_CHANGED(str(tmp_path / "model"))
    assert loader.IS_CHANGED(str(tmp_path / "model")) == before
    (tmp_path / "model" / "model.json").write_text("{}")
    assert loader.IS_CHANGED(str(tmp_path / "model")) != before
    (model,) = contract.execute(loader())[1]
    assert model.card.name == "small"


def test_the_mesh_carries_what_the_type_has_a_place_for(pack: Any) -> None:
    from the_node_pack import tensors

    class Newer:
        def __init__(self, vertices: Any, faces: Any, uvs: Any = None, texture: Any = None) -> None:
            self.vertices, self.uvs, self.texture = vertices, uvs, texture

    made = small()(str(ROOT / "examples" / "mug.png"), options=AssetOptions(**QUICK))
    mesh = tensors.mesh(made.mesh, Newer)
    assert mesh.uvs.shape == (1, mesh.vertices.shape[1], 2) and mesh.texture.shape == (1, 64, 64, 3)


def test_the_example_is_the_same_in_both_forms_and_asks_for_what_is_there(pack: Any) -> None:
    nodes = pack.NODE_CLASS_MAPPINGS
    asked = workflows.asked()
    assert workflows.in_api_form(workflows.drawn(), nodes) == asked
    assert (ROOT / "examples" / asked["1"]["inputs"]["image"]).is_file()
    inputs = nodes["GecoPictureToMesh"].INPUT_TYPES()
    known = {**inputs["required"], **inputs["optional"]}
    assert inputs["required"].keys() <= asked["2"]["inputs"].keys() <= known.keys()


def test_the_nodes_call_the_public_face_alone_and_name_no_device() -> None:
    """Torch is ComfyUI's own, and only tensors of it are made: so no release or card can break the nodes."""
    wanted: dict[str, set[str]] = {}
    for path in contract.NODES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                wanted.setdefault(name.partition(".")[0], set()).add(name)
    assert wanted["geco"] == {"geco", "geco.choices", "geco.errors"} and wanted["torch"] == {"torch"}
    theirs = {"comfy", "comfy_api", "comfy_extras", "folder_paths"}
    assert wanted.keys() - sys.stdlib_module_names - theirs == {"geco", "torch", "numpy", "PIL"}
    code = "".join(path.read_text() for path in contract.NODES.glob("*.py"))
    assert not re.search(r"\.cuda\b|\.to\(|torch\.device|compile\(", code)


def test_the_registrys_file_names_this_version_and_our_package_alone() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 and later read pyproject.toml")
    about = tomllib.loads((contract.NODES / "pyproject.toml").read_text())
    assert about["project"]["version"] == __version__ and about["project"]["dependencies"] == ["geco3d"]
    assert (contract.NODES / "requirements.txt").read_text().split() == ["geco3d"]
    assert {"PublisherId", "DisplayName"} <= about["tool"]["comfy"].keys()
