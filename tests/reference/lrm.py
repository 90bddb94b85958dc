"""What the two InstantMesh variants share: the tiny model from the file, tokens, planes, and
plane features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tests.reference.result import Result, largest_error
from tests.reference.weights import fill

if TYPE_CHECKING:
    import torch

    from geco.reconstruct.instantmesh.config import InstantMeshConfig
    from geco.reconstruct.instantmesh.model import InstantMesh

BOUND = 2e-5
Tensors = dict[str, np.ndarray]


def build(tensors: Tensors, meta: dict[str, Any], kind: Literal["nerf", "mesh"]) -> InstantMesh:
    """The model of the file: settings from the description, weights from ``sd.*``."""
    from geco.reconstruct.instantmesh.model import InstantMesh

    more: dict[str, Any] = {name: tuple(meta[name]) for name in ("image_mean", "image_std") if name in meta}
    flexicubes = meta.get("flexicubes", {})
    if kind == "mesh":
        more |= {
            "flexicubes_weight_scale": flexicubes.get("weight_scale", 0.5),
            "deformation_multiplier": flexicubes.get("deformation_multiplier", 4.0),
            "grid_res": flexicubes.get("grid_res", meta["model_params"].get("grid_res", 128)),
            "grid_scale": flexicubes.get("grid_scale", meta["model_params"].get("grid_scale", 2.0)),
        }
    config = config_of(kind, meta["model_params"], meta["vit_config"], **more)
    model = InstantMesh(config)
    fill(model, tensors, meta)
    return model


def config_of(
    kind: Literal["nerf", "mesh"], model_params: Mapping[str, Any], vit: Mapping[str, Any], **more: Any
) -> InstantMeshConfig:
    """From the ``model_config.params`` of an InstantMesh yaml and a transformers ViT config; other keys are
    ignored.
    """
    from geco.reconstruct.instantmesh.config import InstantMeshConfig
    from geco.reconstruct.vit_config import ViTConfig

    params = {f.name: model_params[f.name] for f in fields(InstantMeshConfig) if f.name in model_params}
    encoder = ViTConfig(**{f.name: vit[f.name] for f in fields(ViTConfig) if f.name in vit})
    if model_params.get("encoder_feat_dim", encoder.hidden_size) != encoder.hidden_size:
        raise ValueError(f"encoder_feat_dim {model_params['encoder_feat_dim']}, ViT {encoder.hidden_size}")
    return InstantMeshConfig(**{**params, **more, "kind": kind, "vit": encoder})


def has(tensors: Tensors, module: str) -> bool:
    """Whether the file holds weights of ``module``."""
    return any(name.startswith(f"sd.{module}.") for name in tensors)


def planes_of(tensors: Tensors) -> torch.Tensor:
    """The stored planes, so that decoders are compared by themselves."""
    import torch

    return torch.from_numpy(tensors["planes"])


def backbone(model: InstantMesh, tensors: Tensors) -> Iterator[Result]:
    """Everything from pixels to planes whose weights are there, stage after stage, in float32 and
    once in float64.
    """
    import torch

    with torch.no_grad():
        if has(tensors, "encoder"):
            yield from _encoder(model, tensors)
        if has(tensors, "transformer"):
            yield from _transformer(model, tensors)
        if has(tensors, "encoder") and has(tensors, "transformer"):
            images = torch.from_numpy(tensors["images_u8"])[None].float() / 255
            cameras = torch.from_numpy(tensors["cameras16"])
            if "planes" in tensors:
                yield Result("planes", largest_error(model(images, cameras), tensors["planes"]), BOUND)
            if "planes_f64" in tensors:
                double = model.double()
                ours = double(torch.from_numpy(tensors["images_u8"])[None].double() / 255, cameras.double())
                model.float()
                yield Result("planes_f64", largest_error(ours, tensors["planes_f64"]), BOUND)


def plane_features(tensors: Tensors) -> Iterator[Result]:
    """The bilinear look-up at the stored points."""
    import torch

    from geco.reconstruct.triplane import sample_planes

    if {"pts_plane_features", "planes", "pts"} <= tensors.keys():
        ours = sample_planes(planes_of(tensors), torch.from_numpy(tensors["pts"]))
        yield Result("pts_plane_features", largest_error(ours, tensors["pts_plane_features"]), BOUND)


def _encoder(model: InstantMesh, tensors: Tensors) -> Iterator[Result]:
    import torch

    encoder, vit = model.encoder, model.encoder.model
    images = torch.from_numpy(tensors["images_u8"]).float() / 255
    pixels = encoder.normalize(images)
    camera = encoder.camera_embedder(torch.from_numpy(tensors["cameras16"])[0])
    seen = {
        "pixel_values": pixels,
        "camera_embedding": camera,
        "vit_patch_tokens": vit.embeddings.patch_embeddings(pixels),
    }
    tokens = seen["vit_embeddings"] = vit.embeddings(pixels)
    for i, block in enumerate(vit.encoder.layer):
        tokens = seen[f"vit_layer{i}"] = block(tokens, camera)
    # The whole encoder, so that its joining of views is compared too.
    whole = encoder(images[None], torch.from_numpy(tensors["cameras16"]))
    seen["image_feats"] = whole.reshape(len(images), -1, whole.shape[-1])
    yield from _compare(seen, tensors)


def _transformer(model: InstantMesh, tensors: Tensors) -> Iterator[Result]:
    import torch

    if "image_feats" not in tensors:
        return
    transformer = model.transformer
    context = torch.from_numpy(tensors["image_feats"]).flatten(0, 1)[None]
    x, seen = transformer.pos_embed, {}
    for i, layer in enumerate(transformer.layers):
        x = seen[f"tri_layer{i}"] = layer(x, context)
    seen["tri_norm"] = transformer.norm(x)
    yield from _compare(seen, tensors)
    if "planes" in tensors:
        yield Result("planes from image_feats", largest_error(transformer(context), tensors["planes"]), BOUND)


def _compare(ours: dict[str, Any], tensors: Tensors) -> Iterator[Result]:
    for name, value in ours.items():
        if name in tensors:
            yield Result(name, largest_error(value, tensors[name]), BOUND)
