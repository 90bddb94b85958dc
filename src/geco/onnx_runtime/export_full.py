"""Export a model of the full family (``geco export``): its folder with graphs beside the weights, which are
there once.

Graphs hold no numbers: each tensor is external data, at its place in the model's own safetensors file, so
that ONNX Runtime opens a graph by its name alone, and a graph stays small whatever the model's size. Each is
run beside the torch module that it came from, and the export fails if they differ.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from geco.cameras import camera_vectors, rig
from geco.errors import OutputError, WeightsError
from geco.files import atomic_write
from geco.model_files.card import CARD, MULTIVIEW, ONNX, RECONSTRUCTOR, Usage, read_model_card, usage_of
from geco.model_files.manifest import FILES, Manifest, entry
from geco.model_files.part import read_arrays, read_part_card
from geco.model_files.publish import round_halves
from geco.model_files.swap import swapped
from geco.onnx_runtime.export_external import places, traced
from geco.onnx_runtime.export_full_modules import (
    CubesPass,
    DecodePass,
    EncodePass,
    FieldsPass,
    PlanesPass,
    UnetPass,
    VisionPass,
)
from geco.onnx_runtime.export_trace import Graph, compare
from geco.onnx_runtime.full_card import FORMAT, FULL_HALVES
from geco.outputs import check_folder
from geco.public_weights import instantmesh
from geco.public_weights.zero123plus_folder import Zero123Plus, load_zero123plus
from geco.reconstruct.instantmesh.mesh import MeshSynthesizer
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.version import __version__

TOKENS = "tokens_{}"  # of a self-attention: stored ones in, own ones out as "own_..."
PICTURE = 512  # side of the condition picture, where the preprocessing leaves it as it is


def export_full(
    model: Path,
    output: Path,
    usage: Usage | None = None,
    facts: dict[str, Any] | None = None,
    half: bool = False,
) -> dict[str, Any]:
    """Write the exported folder, its card last; returns the card of the graphs.

    Args:
        model: a model folder of the full family with InstantMesh's mesh variant.
        usage: in place of what the model's own card says.
        facts: about the training, for ``geco info``.
        half: store the weights as ``geco publish`` does; else they are copied as they are.

    Raises:
        WeightsError: a part is missing or broken, or a graph does not give what torch gives.
        OutputError: the folder cannot be written, or holds the model itself or something else's config.json.
    """
    about = read_model_card(model)
    usage = usage or usage_of(about, model)
    check_folder(output, [CARD], lambda folder: (folder / ONNX / CARD).is_file())
    if output.exists() and output.samefile(model):
        raise OutputError(f"{output} is the model itself", "Choose another folder with -o.")
    with swapped(output) as work:
        if half:
            round_halves(model, [MULTIVIEW, RECONSTRUCTOR], work, "full")
        else:
            _copied(model, work)
        views, reconstructor = load_zero123plus(work / MULTIVIEW), instantmesh.load(work / RECONSTRUCTOR)
        data, errors = {}, {}
        for name, graph in graphs(views, reconstructor).items():
            folder, stem = FULL_HALVES[name]
            stored = read_arrays(work / folder, read_part_card(work / folder), stem)
            data[name] = traced(graph, stored, places(work / folder / f"{stem}.safetensors", folder))
            errors[name] = compare(data[name], graph, stored, name)
        card = {"format": FORMAT, "version": __version__, "export_error": errors}
        files = {}
        for name, graph_bytes in data.items():
            atomic_write(work / f"{name}.onnx", graph_bytes)
            files[f"{name}.onnx"] = entry(work / f"{name}.onnx")
        atomic_write(work / ONNX / CARD, (json.dumps({**card, FILES: files}) + "\n").encode())
        told = {**about["facts"], **usage.to_dict(), **(facts or {})}
        atomic_write(work / CARD, (json.dumps({**about, "facts": told}, indent=1) + "\n").encode())
    return card


def graphs(views: Zero123Plus, model: InstantMesh) -> dict[str, Graph]:
    """Every graph, with example inputs."""
    if not isinstance(model.synthesizer, MeshSynthesizer):
        raise WeightsError(
            "InstantMesh's NeRF variant has no graphs", "Export a model with one of its mesh variants."
        )
    rng = torch.Generator().manual_seed(0)
    codec, network = views.codec, views.network

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=rng)

    seen_by = codec.for_vae.crop or codec.for_vae.exact or (PICTURE, PICTURE)
    side = codec.for_vision.crop[0] if codec.for_vision.crop else 224
    cameras = rig(views.card["rig"])
    vectors = torch.from_numpy(camera_vectors(cameras.poses(), cameras.fov))[None]
    factor = 2 ** (len(codec.vae.config["block_out_channels"]) - 1)
    size = network.sample_shape[1] // 3 * factor
    with torch.no_grad():
        seen = rand(1, 6, 3, size, size)
        planes = model(seen, vectors)
    asked = [{"planes": planes, "points": rand(count, 3) * 2 - 1} for count in (301, 70)]
    cubes = torch.randint(0, 50, (20, 8), generator=rng)
    free = {"planes": "one", "points": "n", "sdf": "n", "deformation": "n", "color": "n"}
    return {
        "unet": _unet(network, codec.text_states.shape, rand),
        "encode": Graph(EncodePass(codec.vae), [{"image": rand(1, 3, *seen_by)}], ["latent"]),
        "decode": Graph(DecodePass(codec.vae), [{"x0": rand(1, *network.sample_shape)}], ["sheet"]),
        "vision": Graph(VisionPass(codec.vision), [{"picture": rand(1, 3, side, side)}], ["embedding"]),
        "planes": Graph(PlanesPass(model), [{"views": seen, "cameras": vectors}], ["planes"]),
        "fields": Graph(FieldsPass(model), asked, ["sdf", "deformation", "color"], (), free),
        "cubes": Graph(
            CubesPass(model),
            [{"planes": planes, "corners": rand(50, 3) * 2 - 1, "cubes": cubes}],
            ["weights"],
            (),
            {"corners": "n", "cubes": "k", "weights": "k"},
        ),
    }


def _unet(network: Any, text: torch.Size, rand: Any) -> Graph:
    """Both passes; examples of another batch, size and count of stored tokens each."""
    module = UnetPass(network)
    factor = 2 ** (len(network.unet.config["block_out_channels"]) - 1)
    examples: list[dict[str, Tensor]] = []
    for batch, rows, columns in ((2, 2, 3), (1, 3, 2)):
        size = (rows * factor, columns * factor)
        told = {"sample": rand(batch, network.sample_shape[0], *size), "t": torch.tensor([400] * batch)}
        examples.append(told | {"text": rand(batch, *text[1:])})
    with torch.no_grad():
        for example, stored in zip(examples, (True, False)):
            width_of = [_width(network.unet, name) for name in module.names]
            counts = [5 + index for index in range(len(module.names))] if stored else [0] * len(module.names)
            batch = len(example["sample"])
            for index, (count, channels) in enumerate(zip(counts, width_of)):
                example[TOKENS.format(index)] = rand(batch, count, channels)
    outputs = ["v", *(f"own_{index}" for index in range(len(module.names)))]
    axes = {
        "sample": {0: "b", 2: "h", 3: "w"},
        "t": {0: "b"},
        "text": {0: "b"},
        "v": {0: "b", 2: "h", 3: "w"},
    }
    for index in range(len(module.names)):
        axes[TOKENS.format(index)] = {0: "b", 1: f"m{index}"}
        axes[f"own_{index}"] = {0: "b", 1: f"n{index}"}
    return Graph(module, examples, outputs, (), {}, axes)


def _width(unet: nn.Module, name: str) -> int:
    return int(cast(Any, unet.get_submodule(name)).to_q.in_features)


def _copied(model: Path, work: Path) -> None:
    """The halves as they are, compared with their manifests."""
    for half in (MULTIVIEW, RECONSTRUCTOR):
        listed = Manifest(read_part_card(model / half))
        (work / half).mkdir(parents=True)
        for name in listed.entries:
            listed.check(model / half / name)
            shutil.copyfile(model / half / name, work / half / name)
        shutil.copyfile(model / half / CARD, work / half / CARD)
