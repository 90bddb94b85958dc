"""The full family on torch: Zero123++ and InstantMesh, joined."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from geco.backend import ModelCard
from geco.cameras import camera_vectors, rig
from geco.device import Placement, Way, channels_last, tf32
from geco.full_model import described
from geco.model_files.card import CARD, MULTIVIEW, RECONSTRUCTOR, usage_of
from geco.passes import Wrap
from geco.reconstruct.fields import SurfaceFields
from geco.sampling import Sampling
from geco.torch_runtime.backend import TorchBackend
from geco.torch_runtime.captured import Compiled, CudaGraphs, Graphs
from geco.torch_runtime.offload import Turns
from geco.torch_runtime.pictures import DevicePictures

if TYPE_CHECKING:
    from geco.public_weights.zero123plus_folder import Zero123Plus
    from geco.reconstruct.instantmesh.model import InstantMesh

# Bytes of a card's memory below which the networks take turns: 5.6 GB while all are there (simulated), and
# what the device's context and workspaces take.
SMALL_CARD = 7_000_000_000


@dataclass(frozen=True)
class FullNetworks:
    """Both halves, loaded, on one device."""

    views: Zero123Plus
    reconstructor: InstantMesh

    def to(self, device: torch.device) -> FullNetworks:
        """These networks, moved in place."""
        for part in (self.views.network, self.views.codec, self.reconstructor):
            part.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Where they work."""
        return self.reconstructor.device

    def run_by(self, ways: Collection[Way], device: torch.device) -> int:
        """Run the passes in these ways from now on, on ``device``.

        Returns:
            Bytes of the largest network that comes to it and goes.
        """
        if "tiled" in ways:
            self.views.codec.tile()
        if "offload" in ways:
            turns = Turns(device)
            self.through(turns)
            self.reconstructor.synthesizer.to(device)
            for name, tensor in self.views.codec.named_buffers(recurse=False):
                setattr(self.views.codec, name, tensor.to(device))
            return 0 if device.type == "cpu" else turns.largest
        if "compiled" in ways:
            self.through(Compiled(then=Graphs(CudaGraphs()) if "graphs" in ways else None))
        elif "graphs" in ways:
            self.through(Graphs(CudaGraphs()))
        return 0

    def through(self, wrap: Wrap) -> None:
        """Run every pass of the three through ``wrap`` from now on."""
        for part in (self.views.network, self.views.codec, self.reconstructor):
            part.through(wrap)


def _is_small(placement: Placement) -> bool:
    """Whether all networks at once do not fit the device."""
    if placement.device.type != "cuda" or placement.ways & {"graphs", "compiled"}:
        return False
    return torch.cuda.get_device_properties(placement.device).total_memory < SMALL_CARD


def full_backend(folder: Path, card: dict[str, Any], placement: Placement, name: str) -> TorchBackend:
    """Zero123++ in the placement's format; InstantMesh's products in bfloat16 where that is asked for, else
    in float32, on CUDA in TF32 (as exact as float16, and without its narrow range).
    """
    from geco.public_weights import instantmesh
    from geco.public_weights.zero123plus_folder import load_zero123plus

    small: frozenset[Way] = frozenset({"offload"} if _is_small(placement) else ())
    ways = placement.ways | small
    resting = torch.device("cpu") if "offload" in ways else placement.device
    views = load_zero123plus(folder / MULTIVIEW, resting, placement.dtype)
    products = placement.dtype if placement.dtype == torch.bfloat16 else torch.float32
    networks = FullNetworks(views, instantmesh.load(folder / RECONSTRUCTOR, resting, products))
    for network in (views.network.unet, views.codec.vae):
        channels_last(network)
    coming = networks.run_by(ways, placement.device)
    usage = usage_of(card, folder)
    told = described(name, card, views.card, usage, {"ways": sorted(ways)} if ways else {})
    sampling = usage.drawing(f"{folder / CARD}: facts")
    if sampling.reference is None and not sampling.is_generator:
        sampling = replace(
            sampling, reference="noised" if networks.views.network.noised_reference else "clean"
        )
    backend = joined(networks, told, sampling)
    backend.coming, backend.keeps = coming, backend.keeps or "graphs" in ways
    return backend


def joined(networks: FullNetworks, card: ModelCard, sampling: Sampling) -> TorchBackend:
    """The backend of ``networks``, with ``card.facts["rig"]`` as their cameras."""
    views, device = networks.views, networks.device
    cameras = rig(card.facts["rig"])
    vectors = torch.from_numpy(camera_vectors(cameras.poses(), cameras.fov))[None].to(device)

    def reconstruct(pictures: Tensor, _: DevicePictures) -> SurfaceFields:
        with tf32(device):
            return networks.reconstructor.surfaces(pictures, vectors)[0]

    return TorchBackend(card, views.network, views.codec, sampling, reconstruct, device, lambda: tf32(device))
