"""Whole model folders of tiny size, as files: what the fuzzer of weights damages."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

Files = dict[str, bytes]
SIDE = 16  # pixels of the tiny models' views


@functools.cache
def seed(family: str) -> Files:
    """The files of a whole, valid folder of a family; made once a process, always the same."""
    with tempfile.TemporaryDirectory() as folder:
        FAMILIES[family](Path(folder))
        paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _onnx(folder: Path) -> None:
    from benchmarks.fuzzing.small_graphs import write

    write(folder)


def _small(folder: Path) -> None:
    from tests.torch_runtime.build import small_folder

    small_folder(folder)


def _diffusers(folder: Path) -> None:
    from tests.public_weights import zero123plus_folder

    zero123plus_folder.write(folder)


def _full(folder: Path) -> None:
    from tests.public_weights import instantmesh_checkpoint, zero123plus_folder
    from tests.reconstruct import tiny

    from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR, Usage, write_model_card
    from geco.public_weights import instantmesh
    from geco.public_weights.zero123plus import convert_zero123plus
    from geco.public_weights.zero123plus_folder import load_zero123plus, save_zero123plus
    from geco.sampling import Sampling

    with tempfile.TemporaryDirectory() as other:
        zero123plus_folder.write(Path(other, "source"))
        convert_zero123plus(Path(other, "source"), Path(other, "converted"))
        model = load_zero123plus(Path(other, "converted"))
        reconstructor = tiny.model("mesh")
        checkpoint = instantmesh_checkpoint.write(Path(other, "tiny.ckpt"), reconstructor)
        instantmesh.convert(checkpoint, folder / RECONSTRUCTOR, reconstructor.config)
    model.network.sample_shape = (4, 48, 32)  # 96 x 64 pixels behind the tiny VAE
    save_zero123plus(folder / MULTIVIEW, model)
    write_model_card(folder, "full", "test", Usage(16, 64, Sampling("euler-ancestral", 1, 4.0)).to_dict())


def _checkpoint(folder: Path) -> None:
    from tests.public_weights import instantmesh_checkpoint
    from tests.reconstruct import tiny

    instantmesh_checkpoint.write(folder / "tiny.ckpt", tiny.model("nerf"))


def _old_checkpoint(folder: Path) -> None:
    import torch
    from tests.reconstruct import tiny

    state = {f"lrm_generator.{key}": value for key, value in tiny.model("nerf").state_dict().items()}
    torch.save({"state_dict": state}, folder / "tiny.ckpt", _use_new_zipfile_serialization=False)


def _autoencoder(folder: Path) -> None:
    from tests.metrics.features.build import network

    from geco.metrics.features.weights import save_autoencoder
    from geco.model_files.card import AUTOENCODER

    save_autoencoder(network(), folder / AUTOENCODER, "CC0-1.0", {"stage": "autoencoder"})


def _clip(folder: Path) -> None:
    import torch
    from tests.multiview import tiny
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    CLIPVisionModelWithProjection(CLIPVisionConfig(**tiny.VISION)).save_pretrained(folder)


def _shards(folder: Path) -> None:
    from geco.cameras import orbit_poses
    from geco.data.render import lens
    from geco.data.shards import PictureSet, ShardWriter, encode_object

    poses = orbit_poses([0.0, 90.0], [10.0, 20.0], [4.0, 4.0])
    rgba = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 4)).astype(np.uint8)
    pictures = {"rgba": rgba, "depth": rgba[..., 3].astype(np.float32) / 64}
    sets = {"condition": PictureSet(poses, lens(30.0, 2), pictures)}
    settings = {"size": 8, "channels": ["rgba", "depth"], "sets": [{"name": "condition", "count": 2}]}
    keys = ["one", "two"]
    writer = ShardWriter(folder, settings, keys, objects_a_shard=1)
    for key in keys:
        writer.add(key, encode_object(key, {}, sets))
    writer.finish()


def _report(folder: Path) -> None:
    from tests.evaluate.build import ROWS, SETTINGS

    from geco.evaluate.settings import FORMAT

    common = {
        **SETTINGS["common"],
        "protocol": "A",
        "size": 64,
        "variants": ["bare"],
        "mesh_light": "bare",
        "alignment": "box",
    }
    settings = {**SETTINGS, "format": FORMAT, "seeds": 2, "common": {**common, "versions": {"geco": "1"}}}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def _pairs(folder: Path) -> None:
    from dataclasses import asdict

    from geco.training.pair_files import encode_pair
    from geco.training.pair_folder import CHUNK, CHUNKS, Chunk, chunk_name, keep, pair_name, write_index
    from geco.training.pairs import FORMAT, PairOptions

    noise = np.random.default_rng(0)
    size, renders = 8, 2
    files = {}
    for number in range(2):
        item = {
            "picture": noise.integers(0, 256, (3, size, size), np.uint8),
            "views": noise.integers(0, 256, (6, 3, size, size), np.uint8),
            "x0": np.zeros((6, 3, size, size), np.float16),
            "rgb": noise.integers(0, 256, (renders, size, size, 3), np.uint8),
            "mask": noise.integers(0, 256, (renders, size, size), np.uint8),
            "poses": np.zeros((renders, 4, 4), np.float32),
            "normal": np.zeros((renders, size, size, 3), np.float32),
            "depth": noise.random((renders, size, size), np.float32),
        }
        files |= {f"{pair_name(number)}/{name}": data for name, data in encode_pair(item).items()}
    chunk = Chunk(chunk_name(range(2)), (0, 1), ("a", "b"), 0, 4096)
    keep(folder / ".work", folder / CHUNKS / chunk.name, files | {CHUNK: chunk.described()})
    write_index(folder, {chunk.name: chunk})
    options = PairOptions(chunk=2, renders=renders, size=size, geometry=True)
    settings = {"format": FORMAT, "fov": 30.0, **asdict(options), "truth": "teacher", "truncation": 1.0}
    (folder / "pairs.json").write_text(json.dumps({"settings": settings}))


def _run(folder: Path) -> None:
    from tests.training.line import Line

    from geco.training.loop import LoopOptions, train
    from geco.training.machine import Machine

    machine = Machine(device="cpu", threads=1)
    train(Line(machine), LoopOptions(folder, steps=2, decay_part=0.0, log_steps=1), machine, quiet=True)


FAMILIES: dict[str, Callable[[Path], None]] = {
    "onnx": _onnx, "small": _small, "diffusers": _diffusers, "full": _full, "checkpoint": _checkpoint,
    "old checkpoint": _old_checkpoint, "autoencoder": _autoencoder, "clip": _clip, "shards": _shards,
    "pairs": _pairs, "run": _run, "report": _report,
}  # fmt: skip
