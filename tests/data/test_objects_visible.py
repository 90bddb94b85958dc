"""What cannot be seen is neither framed nor drawn; what is black, or coloured by its own light, is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.data.objects import Limits, ObjectError, load_object
from geco.data.objects.soup import SoupPart
from geco.data.objects.visible import CutoutTexture
from tests.cases import BUGS
from tests.cli_command import geco
from tests.data.glb import GlbWriter, box

HIDDEN = BUGS / "objects" / "hidden"


def with_collider(**material: object) -> GlbWriter:
    """A red box of side 1, and one of side 10 around it."""
    writer = GlbWriter()
    writer.mesh(*box(), material=writer.material(factor=[1.0, 0, 0, 1]))
    extra = {name: value for name, value in material.items() if name not in ("factor", "texture", "colors")}
    texture = writer.texture(material["texture"]) if "texture" in material else None  # type: ignore[arg-type]
    around = writer.material(texture, material.get("factor"), **extra)  # type: ignore[arg-type]
    writer.mesh(*box((10, 10, 10)), uvs=np.full((8, 2), 0.3), colors=material.get("colors"), material=around)
    return writer


CLEAR = np.zeros((4, 4, 4), np.uint8)
HALF = np.concatenate([CLEAR[:2], np.full((2, 4, 4), 255, np.uint8)])  # its lower half can be seen
FAINT = np.full((8, 4), [255, 255, 255, 0], np.uint8)
INVISIBLE = {
    "blended, factor 0": {"alphaMode": "BLEND", "factor": [0, 1, 0, 0]},
    "blended, clear picture": {"alphaMode": "BLEND", "texture": CLEAR},
    "blended, a clear part of a picture": {
        "alphaMode": "BLEND",
        "texture": np.kron(HALF, np.ones((8, 8, 1), np.uint8)),
    },
    "blended, clear vertices": {"alphaMode": "BLEND", "colors": FAINT},
    "masked, factor below": {"alphaMode": "MASK", "factor": [1, 1, 1, 0.4]},
    "masked, clear picture": {"alphaMode": "MASK", "texture": CLEAR},
    "masked, clear vertices": {"alphaMode": "MASK", "alphaCutoff": 0.1, "colors": FAINT},
    "masked, cutoff above all": {"alphaMode": "MASK", "alphaCutoff": 1.1, "factor": [1, 1, 1, 1]},
}
VISIBLE = {
    "opaque, whatever its alpha": {"factor": [0, 1, 0, 0]},
    "opaque, clear vertices": {"colors": FAINT},
    "blended, half": {"alphaMode": "BLEND", "factor": [0, 1, 0, 0.5]},
    "blended, faint": {"alphaMode": "BLEND", "factor": [0, 1, 0, 0.01]},
    "masked, cutoff 0": {"alphaMode": "MASK", "alphaCutoff": 0, "factor": [0, 1, 0, 0]},
    "masked, above": {"alphaMode": "MASK", "factor": [0, 1, 0, 0.6]},
}


@pytest.mark.parametrize("case", [*INVISIBLE, *VISIBLE])
def test_what_has_no_alpha_is_left_out_before_framing(tmp_path: Path, case: str) -> None:
    obj = load_object(with_collider(**(INVISIBLE | VISIBLE)[case]).save(tmp_path / "a.glb"))
    if case in INVISIBLE:
        assert len(obj.faces) == 12 and obj.notes == {"invisible-faces": 12}
        assert obj.scale == pytest.approx(0.95 / (np.sqrt(3) / 2), rel=1e-5)
    else:
        assert len(obj.faces) == 24 and not obj.notes


@pytest.mark.parametrize("case", INVISIBLE)
def test_an_object_of_nothing_else_is_refused(tmp_path: Path, case: str) -> None:
    writer = with_collider(**INVISIBLE[case])
    writer.document["scenes"][0]["nodes"] = [1]
    with pytest.raises(ObjectError, match="all of its 12 triangles are transparent") as caught:
        load_object(writer.save(tmp_path / "a.glb"))
    assert caught.value.reason == "invisible"


def test_an_obj_and_a_ply(tmp_path: Path) -> None:
    square = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 9 9 9\nusemtl seen\nf 1 2 3\nusemtl hidden\nf 1 2 4\n"
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\n{square}")
    for text, faces in (
        ("d 0", 1),
        ("Tr 1", 1),
        ("d 1\nTr 1", 2),
        ("Tr 0", 2),
        ("d -halo 0", 1),
        ("d 0.01", 2),
        ("d", 2),
    ):
        (tmp_path / "a.mtl").write_text(f"newmtl seen\nKd 1 0 0\nTr 0\nnewmtl hidden\nKd 0 1 0\n{text}\n")
        assert len(load_object(tmp_path / "a.obj").faces) == faces, text
    # Old exporters mean "opaque" by Tr 1, and then write it everywhere.
    (tmp_path / "a.mtl").write_text("newmtl seen\nKd 1 0 0\nTr 1\nnewmtl hidden\nKd 0 1 0\nTr 1\n")
    assert len(load_object(tmp_path / "a.obj").faces) == 2
    pytest.importorskip("trimesh")
    head = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    head += "".join(f"property uchar {name}\n" for name in ("red", "green", "blue", "alpha"))
    head += "element face 2\nproperty list uchar int vertex_indices\nend_header\n"
    rows = "0 0 0 9 9 9 {}\n1 0 0 9 9 9 {}\n0 1 0 9 9 9 {}\n9 9 9 9 9 9 {}\n3 0 1 2\n3 0 1 3\n"
    (tmp_path / "a.ply").write_text(head + rows.format(0, 0, 255, 0))
    assert len(load_object(tmp_path / "a.ply").faces) == 1


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    cutoff=st.floats(0.004, 1.0),
)
def test_nothing_that_any_pixel_could_show_is_left_out(
    seed: int, shape: tuple[int, int], cutoff: float
) -> None:
    """Random triangles, partly beyond [0, 1], on pictures with few opaque texels: every texel
    inside one is looked up.
    """
    rng = np.random.default_rng(seed)
    texture = np.full((*shape, 4), 255, np.uint8)
    texture[..., 3] = np.where(
        rng.random(shape) < 0.1, 255, rng.integers(0, max(int(cutoff * 255), 1), shape)
    )
    uvs = (rng.uniform(-2, 2, (30, 1, 2)) + rng.normal(0, 0.2, (30, 3, 2))).reshape(-1, 2).astype(np.float32)
    alphas = rng.choice([0.0, 0.5, 1.0], 90).astype(np.float32) if seed % 2 else None
    part = SoupPart(
        np.zeros((90, 3)), np.arange(90).reshape(-1, 3), uvs, np.ones((90, 3), np.float32), 0, alphas
    )
    seen = CutoutTexture(texture, cutoff).visible(part)
    kept = np.ones(30, bool) if seen is None else seen
    weights = rng.dirichlet(np.ones(3), 300)
    for face in range(30):
        places = weights @ uvs.reshape(30, 3, 2)[face]
        cell = np.floor((places - np.floor(places)) * np.array([shape[1], shape[0]])).astype(int)
        alpha = texture[np.minimum(cell[:, 1], shape[0] - 1), np.minimum(cell[:, 0], shape[1] - 1), 3] / 255
        if alphas is not None:
            alpha = alpha * (weights @ alphas.reshape(30, 3)[face])
        assert kept[face] or alpha.max() < cutoff


def test_a_black_base_takes_the_colour_of_its_light(tmp_path: Path) -> None:
    obj = load_object(HIDDEN / "emissive_only.glb")
    # linear 1, 0.3, 0
    np.testing.assert_allclose(np.unique(np.rint(obj.colors * 255), axis=0), [[255, 149, 0]])
    assert obj.notes == {"emission-as-colour": 1}
    writer = GlbWriter()
    baked = writer.texture(np.full((2, 2, 3), (10, 200, 30), np.uint8))
    black = writer.texture(np.zeros((2, 2, 3), np.uint8))
    shines = {"emissiveTexture": {"index": baked}, "emissiveFactor": [1, 1, 1]}
    vertices, faces = box()
    writer.mesh(
        vertices, faces, uvs=np.zeros((8, 2)), material=writer.material(factor=[0, 0, 0, 1], **shines)
    )
    writer.mesh(vertices + 2, faces, uvs=np.zeros((8, 2)), material=writer.material(black, **shines))
    writer.mesh(
        vertices + 4, faces, uvs=np.zeros((8, 2)), material=writer.material(factor=[1, 0, 0, 1], **shines)
    )
    obj = load_object(writer.save(tmp_path / "baked.glb"))
    assert [tuple(texture[0, 0, :3]) for texture in obj.textures] == [(10, 200, 30)] * 2 + [(255, 255, 255)]
    assert obj.notes == {"emission-as-colour": 2}
    (tmp_path / "a.obj").write_text("mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl m\nf 1 2 3\n")
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 0 0 0\nKe 0 1 0\n")
    obj = load_object(tmp_path / "a.obj")
    assert obj.colors[0].tolist() == [0, 1, 0] and obj.notes == {"emission-as-colour": 1}


def test_what_is_black_for_good_is_noted(tmp_path: Path) -> None:
    writer = GlbWriter()
    writer.mesh(*box(), material=writer.material(factor=[0, 0, 0, 1]))
    assert load_object(writer.save(tmp_path / "a.glb")).notes == {"black": 1}
    writer.mesh(*box(), material=writer.material(factor=[0, 0.5, 0, 1]))
    assert load_object(writer.save(tmp_path / "a.glb"), Limits()).notes == {}


def test_the_run_says_what_it_read_otherwise(tmp_path: Path) -> None:
    done = geco(
        "data",
        "render",
        HIDDEN,
        "-o",
        tmp_path / "s",
        "--views",
        "zero123plus-v1.2",
        "--size",
        "32",
        "--workers",
        "1",
    )
    assert (
        done.returncode == 0 and "emission-as-colour 1" in done.stdout and "invisible-faces 1" in done.stdout
    )
    from geco.data.shards import Shards

    shards = Shards(tmp_path / "s")
    assert shards.info("invisible_collider")["notes"] == {"invisible-faces": 12}
    covered = (shards.pictures("invisible_collider", "zero123plus-v1.2")[..., 3] > 0).mean()
    orange = shards.pictures("emissive_only", "zero123plus-v1.2")
    assert covered > 0.15 and orange[orange[..., 3] == 255][:, 0].min() > 150
