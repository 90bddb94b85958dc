"""Run by ``check.py`` in a Python that has bpy, and in nothing else: the extension as a user has it.

python -I inside.py ARCHIVE FOLDER [ADDRESS]
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

# -I leaves the script's own folder out
sys.path.insert(0, str(Path(__file__).resolve().parent))
from driving import EXAMPLES, bad_edges, clear, positions, quiet, refusal, run, shape_in

NAME = "bl_ext.user_default.geco"
ARCHIVE, OUT = Path(sys.argv[1]), Path(sys.argv[2])
ADDRESS = sys.argv[3] if len(sys.argv) > 3 else ""
CHECKS: list[Callable[[], None]] = []


def check(function: Callable[[], None]) -> Callable[[], None]:
    """Its name is the sentence that is printed."""
    CHECKS.append(function)
    return function


@check
def blenders_own_validator_accepts_the_archive() -> None:
    from bl_pkg import cli

    tool = Path(cli.__path__[0] if hasattr(cli, "__path__") else cli.__file__) / "blender_ext.py"
    done = subprocess.run([sys.executable, tool, "validate", ARCHIVE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@check
def it_installs_from_the_file_and_its_start_loads_no_network() -> None:
    start = time.perf_counter()
    with quiet():
        done = bpy.ops.extensions.package_install_files(
            repo="user_default", filepath=str(ARCHIVE), enable_on_install=True
        )
    assert done == {"FINISHED"} and NAME in bpy.context.preferences.addons.keys()  # noqa: SIM118
    print(f"   installed and enabled in {time.perf_counter() - start:.1f} s")
    assert not {"onnxruntime", "PIL", "geco.pipeline"} & sys.modules.keys()


@check
def nothing_of_blenders_own_is_replaced() -> None:
    import geco

    ours = Path(geco.__file__).parent.parent
    assert ".local" in ours.parts and ours.parent.name.startswith("python3.")
    assert not (ours / "numpy").exists() and not Path(np.__file__).is_relative_to(ours)
    tops = {path.name for path in ours.iterdir() if path.suffix in ("", ".py")} - {"__pycache__"}
    others = [
        Path(folder) for folder in sys.path if folder and Path(folder) != ours and Path(folder).is_dir()
    ]
    both = {name for name in tops for folder in others if (folder / name).exists() and "-info" not in name}
    assert not both, both


@check
def a_picture_becomes_an_object_with_material_normals_and_packed_texture() -> None:
    bpy.context.scene.cursor.location = (1, 2, 3)
    start = time.perf_counter()
    clear()
    bpy.context.scene.cursor.location = (1, 2, 3)
    with quiet():
        bpy.ops.geco.from_files(directory=f"{EXAMPLES}/", files=[{"name": "mug.png"}])
    print(f"   the first picture, with loading the model: {time.perf_counter() - start:.1f} s")
    (made,) = bpy.data.objects
    mesh = made.data
    assert made.name == mesh.name == "mug" and tuple(made.location) == (1, 2, 3)
    assert bad_edges(mesh) == 0 and mesh.has_custom_normals and not mesh.validate()
    assert np.abs(positions(mesh)[:, 2].min()) < 1e-6, "it stands on its pivot"
    uvs = np.empty(2 * len(mesh.loops), np.float32)
    mesh.uv_layers[0].uv.foreach_get("vector", uvs)
    assert uvs.min() >= 0 and uvs.max() <= 1
    nodes = mesh.materials[0].node_tree.nodes
    (texture,) = [node for node in nodes if node.type == "TEX_IMAGE"]
    assert texture.image.packed_file is not None and tuple(texture.image.size) == (512, 512)
    assert texture.outputs["Color"].links[0].to_socket.name == "Base Color"
    assert made.select_get() and bpy.context.view_layer.objects.active == made
    assert made["geco_seed"] == 0 and made["geco_model"] == "small" and 0 < made["geco_agreement"] <= 1


@check
def seeds_stand_side_by_side_and_do_not_touch() -> None:
    first, second, third = run("mug.png", samples=3, seed=5)
    assert [one["geco_seed"] for one in (first, second, third)] == [5, 6, 7]
    right = [one.location.x + positions(one.data)[:, 0].max() for one in (first, second)]
    left = [one.location.x + positions(one.data)[:, 0].min() for one in (second, third)]
    assert right[0] < left[0] and right[1] < left[1]
    shapes = {positions(one.data).tobytes() for one in (first, second, third)}
    assert len(shapes) == 3


@check
def choices_of_the_panel_reach_the_mesh() -> None:
    (made,) = run("bus.png", faces=2000, texture_size=256, size=0.5, pivot="center")
    assert len(made.data.polygons) <= 2000 and bpy.data.images[0].size[0] == 256
    sides = np.ptp(positions(made.data), axis=0)
    assert abs(sides.max() - 0.5) < 1e-5 and np.allclose(positions(made.data).min(axis=0), -sides / 2)
    (made,) = run("bus.png", vertex_colors=True, watertight=True, resolution=48)
    mesh = made.data
    assert not mesh.uv_layers and mesh.color_attributes[0].domain == "POINT" and not bpy.data.images
    assert bad_edges(mesh) == 0
    nodes = mesh.materials[0].node_tree.nodes
    assert any(node.type == "VERTEX_COLOR" and node.outputs["Color"].links for node in nodes)


@check
def a_normal_map_bends_the_light_of_few_faces() -> None:
    (made,) = run("bull.png", faces=1500, normal_map=True, symmetry="on")
    nodes = made.data.materials[0].node_tree.nodes
    (bent,) = [node for node in nodes if node.type == "NORMAL_MAP"]
    image = bent.inputs["Color"].links[0].from_node.image
    assert bent.outputs["Normal"].links[0].to_socket.name == "Normal" and bent.uv_map == "UVMap"
    assert image.colorspace_settings.name == "Non-Color" and image.packed_file is not None
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    middle = np.median(pixels.reshape(-1, 4)[:, :3], axis=0)
    assert np.allclose(middle, (0.5, 0.5, 1), atol=0.05) and pixels.reshape(-1, 4)[:, 0].std() > 0.02
    plain = refusal(lambda: run("bull.png", normal_map=True))
    assert "normal map" in plain or "normal_map" in plain, plain


@check
def what_is_wrong_is_said_in_one_line() -> None:
    assert "faces" in refusal(lambda: run("bus.png", faces=50))
    clear()
    text = OUT / "no-picture.png"
    text.write_text("this is a letter")
    ask = bpy.ops.geco.from_files
    assert "no-picture.png" in refusal(lambda: ask(directory=f"{OUT}/", files=[{"name": text.name}]))
    text.unlink()
    assert "no folder" in refusal(lambda: bpy.ops.geco.from_folder(directory=f"{OUT}/nowhere/"))
    assert "choose an image" in refusal(bpy.ops.geco.from_image)
    assert not bpy.data.objects


@check
def a_folder_becomes_a_collection_and_one_bad_picture_does_not_end_it() -> None:
    clear()
    folder = OUT / "shelf"
    folder.mkdir(exist_ok=True)
    for name in ("mug", "boot", "bull"):
        (folder / f"{name}.png").write_bytes((EXAMPLES / f"{name}.png").read_bytes())
    (folder / "bad.png").write_bytes(b"GIF89a, or so it says")
    with quiet() as told:
        assert bpy.ops.geco.from_folder(directory=f"{folder}/") == {"FINISHED"}
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert {one.name for one in bpy.data.collections["shelf"].objects} == {"boot", "bull", "mug"}
    assert "bad.png" in told.getvalue(), told.getvalue()


@check
def an_image_of_the_blend_file_makes_what_its_file_makes() -> None:
    (of_file,) = run("bull.png")
    shape = positions(of_file.data)
    clear()
    image = bpy.data.images.load(str(EXAMPLES / "bull.png"))
    with quiet():
        bpy.ops.geco.from_image(image=image.name)
    (made,) = bpy.data.objects
    assert made.name == "bull", made.name
    # pixels of an array are rounded otherwise than those of a file: the last bit
    assert np.allclose(np.ptp(positions(made.data), axis=0), np.ptp(shape, axis=0), atol=1e-3)


@check
def it_is_one_step_of_undo() -> None:
    clear()
    bpy.ops.ed.undo_push(message="before")
    with quiet():
        bpy.ops.geco.from_files(
            "EXEC_DEFAULT", True, directory=f"{EXAMPLES}/", files=[{"name": "mug.png"}, {"name": "bus.png"}]
        )
    assert len(bpy.data.objects) == 2
    bpy.ops.ed.undo()
    assert not bpy.data.objects
    bpy.ops.ed.redo()
    assert {one.name for one in bpy.data.objects} == {"mug", "bus"}


@check
def a_cancel_keeps_what_is_ready() -> None:
    clear()
    from bl_ext.user_default.geco import operators, running, work

    jobs = [work.Job(name, EXAMPLES / f"{name}.png", (0,)) for name in ("mug", "bus", "boot", "bull")]
    placing = running.Placing(None, "base", None, 4)
    going = running.Run(work.Work(operators.maker_of(bpy.context), jobs), placing)
    going.start(bpy.context)
    texts = set()
    while going.tick(bpy.context):
        texts.add(going.work.text)
        if going.work.made:
            bpy.ops.geco.cancel()
        time.sleep(0.005)
    assert not bpy.ops.geco.from_files.poll() and len(texts) > 3, texts
    created = going.finish(bpy.context)
    assert 1 <= len(created) <= 2 and bpy.ops.geco.from_files.poll()


@check
def a_saved_file_holds_the_object_and_its_texture() -> None:
    run("strawberry.png")
    path = OUT / "saved.blend"
    with quiet():
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
        bpy.ops.wm.open_mainfile(filepath=str(path))
    pixels = np.empty(512 * 512 * 4, np.float32)
    bpy.data.images[0].pixels.foreach_get(pixels)
    assert "strawberry" in bpy.data.objects and pixels.reshape(-1, 4)[:, :3].std() > 0.05
    path.unlink()


@check
def a_server_makes_the_same_object() -> None:
    if not ADDRESS:
        print("   left out: no server")
        return
    (here,) = run("bull.png", faces=3000)
    shape = positions(here.data)
    ours = bpy.context.preferences.addons[NAME].preferences
    ours.place, ours.address = "SERVER", ADDRESS
    try:
        first, second = run("bull.png", faces=3000, samples=2)
        assert np.array_equal(positions(first.data), shape) and second["geco_seed"] == 1
        assert first.data.has_custom_normals and bpy.data.images[0].packed_file is not None
        (colored,) = run("bull.png", vertex_colors=True)
        assert colored.data.color_attributes and not bpy.data.images
        assert "100" in refusal(lambda: run("bull.png", faces=50))
        ours.address = "http://127.0.0.1:9"
        assert "no answer" in refusal(lambda: run("bull.png"))
        ours.address = "http://model.example:8000"
        assert bpy.app.online_access or "Online Access" in refusal(lambda: run("bull.png"))
    finally:
        ours.property_unset("place")


@check
def the_front_view_shows_the_pictures_side() -> None:
    (made,) = run("bull.png")
    image = bpy.data.images.load(str(EXAMPLES / "bull.png"))
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    wanted = shape_in(pixels.reshape(image.size[1], image.size[0], 4)[..., 3] > 0.5)
    corners = np.array([list(face.vertices) for face in made.data.polygons])
    spread = np.random.default_rng(0).dirichlet((1, 1, 1), 40)  # points on each face, seen along y
    points = (spread @ positions(made.data)[corners])[..., [2, 0]].reshape(-1, 2)
    cells = np.round((points - points.min(axis=0)) * 200).astype(int)
    mask = np.zeros(cells.max(axis=0) + 1, bool)
    mask[cells[:, 0], cells[:, 1]] = True
    front = shape_in(mask)
    iou, behind = [(x & wanted).sum() / (x | wanted).sum() for x in (front, front[:, ::-1])]
    print(f"   outline against the picture's: IoU {iou:.2f}, from behind {behind:.2f}")
    assert iou > 0.7 and iou > behind + 0.1


@check
def cycles_renders_what_was_made() -> None:
    names = ("bus.png", "mug.png", "bull.png", "strawberry.png")
    run(*names, size=1.0)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples = "CPU", 16
    scene.render.resolution_x, scene.render.resolution_y = 960, 320
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    middle = sum(one.location.x for one in bpy.data.objects if one.type == "MESH") / len(names)
    camera.location, camera.rotation_euler = (middle, -10.5, 2.9), (np.radians(77), 0, 0)
    camera.data.lens = 85
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 2.5, (np.radians(50), 0, np.radians(-25))
    scene.collection.objects.link(sun)
    bpy.ops.mesh.primitive_plane_add(size=60)
    scene.world = scene.world or bpy.data.worlds.new("world")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.8, 0.85, 0.9, 1)
    scene.camera = camera
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = str(OUT / f"render-{bpy.app.version[0]}.{bpy.app.version[1]}.png")
    with quiet():
        bpy.ops.render.render(write_still=True)
    shown = bpy.data.images.load(scene.render.filepath)
    pixels = np.empty(960 * 320 * 4, np.float32)
    shown.pixels.foreach_get(pixels)
    red, green, blue = pixels.reshape(-1, 4)[:, :3].T
    # a yellow bus and a red strawberry
    assert ((red > 0.5) & (green > 0.3) & (blue < 0.3)).sum() > 2000
    assert ((red > 0.4) & (red > 2 * green) & (red > 2 * blue)).sum() > 2000
    print(f"   {scene.render.filepath}")


@check
def it_can_be_disabled_and_enabled_and_removed() -> None:
    import addon_utils

    addon_utils.disable(NAME, default_set=True)
    assert not hasattr(bpy.types.Scene, "geco") and not hasattr(bpy.types, "VIEW3D_PT_geco")
    addon_utils.enable(NAME, default_set=True)
    assert hasattr(bpy.types.Scene, "geco")
    with quiet():
        bpy.ops.extensions.package_uninstall(repo_index=1, pkg_id="geco")
    assert not hasattr(bpy.types.Scene, "geco")


def main() -> int:
    import addon_utils

    addon_utils.enable("bl_pkg")
    failed = 0
    for one in CHECKS:
        try:
            one()
            print(f"ok: {one.__name__.replace('_', ' ')}", flush=True)
        except Exception:
            import traceback

            failed += 1
            traceback.print_exc()
            print(f"FAILED: {one.__name__.replace('_', ' ')}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
