"""InstantMesh in training: six views to a mesh whose places and colours carry gradients to every weight."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from geco.cameras import camera_vectors, rig
from geco.errors import ConfigError
from geco.reconstruct.instantmesh.grid import sign_change_penalty
from geco.reconstruct.instantmesh.mesh import POINTS_AT_ONCE, MeshSynthesizer
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.training.halves import EmptyShapeError, MakeMesh, MakeShape, Shape
from geco.training.machine import Machine


def trained_shape(
    model: InstantMesh, rig_name: str, resolution: int, machine: Machine | None = None
) -> MakeShape:
    """Six views (6, 3, H, W) in [0, 1] to a mesh, and InstantMesh's penalties of its shape.

    Where gradients are taken, quads are split as FlexiCubes does in training, and the way to the planes is
    computed again in the backward pass, as InstantMesh's training does. ``machine`` gives its autocast to
    encoder and transformer; the fields stay in float32.

    Raises:
        ConfigError: ``model`` is the NeRF variant. EmptyShapeError, from what is returned: there is no
            surface.
    """
    synthesizer = model.synthesizer
    if not isinstance(synthesizer, MeshSynthesizer):
        raise ConfigError(
            "InstantMesh's NeRF variant has no differentiable mesh", "Convert instant-mesh-large or -base."
        )
    cameras = rig(rig_name)
    vectors = torch.from_numpy(camera_vectors(cameras.poses(), cameras.fov))[None].to(model.device)

    def planes_of(views: Tensor, told: Tensor) -> Tensor:
        with contextlib.nullcontext() if machine is None else machine.autocast():
            return model.planes(views[None], told)

    def shape(views: Tensor, off: Tensor | None) -> Shape:
        training, views = torch.is_grad_enabled(), views.to(model.device).float()
        told = vectors if off is None else vectors + off.to(vectors)
        planes = (
            checkpoint(planes_of, views, told, use_reentrant=False) if training else planes_of(views, told)
        ).float()
        geometry = synthesizer.geometry(planes, resolution, training=training)
        fields = geometry.fields
        if float(fields.empty_penalty.detach()[0]) > 0 or not len(geometry.faces[0]):
            raise EmptyShapeError(fields.empty_penalty[0])

        def color(points: Tensor) -> Tensor:
            return torch.cat(
                [synthesizer.color(planes, part[None])[0] for part in points.split(POINTS_AT_ONCE)]
            )

        penalties = {
            "sdf": sign_change_penalty(fields.sdf[0, :, 0], resolution),
            "surface": geometry.surface_penalty,
            "weights": fields.weight_penalty,
        }
        return Shape(geometry.vertices[0], geometry.faces[0], color, penalties)

    return shape


def differentiable_mesh(
    model: InstantMesh, rig_name: str, resolution: int, machine: Machine | None = None
) -> MakeMesh:
    """:func:`trained_shape` without its penalties, of the cameras as they are."""
    shape = trained_shape(model, rig_name, resolution, machine)

    def mesh(views: Tensor, _: Tensor) -> tuple[Tensor, Tensor, object]:
        made = shape(views, None)
        return made.vertices, made.faces, made.color

    return mesh  # type: ignore[return-value]
