"""Model folders of both families, tiny and with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR, Usage, write_model_card
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import save_small
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.small.model import SmallReconstructor
from geco.sampling import Sampling


def small_folder(folder: Path) -> Path:
    """A small-family model folder with random weights."""
    import torch

    torch.manual_seed(0)
    network = SmallMultiView(
        SmallConfig(size=16, patch=2, channels=16, width=24, stages=1, fine_up=1, heads=2, embedding=16)
    )
    # starts at zero, which would make every view the same
    torch.nn.init.normal_(network.head.weight, std=0.1)
    config = SmallReconstructorConfig(
        view_size=16,
        widths=(8, 8, 16),
        depths=(1, 1, 1),
        volume_size=8,
        volume_widths=(8, 8, 8),
        volume_channels=4,
        lift_channels=4,
    )
    model = SmallReconstructor(config)
    with torch.no_grad():  # an untrained field may hold nothing: make half of the points inside
        model.eval()
        features = model.encode(torch.rand(1, 6, 3, 16, 16), torch.rand(1, 3, 16, 16))
        middle = model.sdf(features, torch.rand(1, 500, 3) * 1.2 - 0.6).median()
        last = [m for m in model.field.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 1]
        if last:
            last[-1].bias -= middle
    save_small(network, folder / MULTIVIEW)
    model.save(folder / RECONSTRUCTOR)
    write_model_card(folder, "small", "test", Usage(16, 64, Sampling("ddim", 2, clip=1.0)).to_dict())
    return folder


def full_folder(folder: Path, kind: Literal["mesh", "nerf"] = "mesh") -> Path:
    """A full-family model folder made from a diffusers folder and a checkpoint, views of 32 px; the field of
    "nerf" is dense all over its cube.
    """
    from geco.public_weights import instantmesh
    from geco.public_weights.zero123plus import convert_zero123plus
    from geco.public_weights.zero123plus_folder import load_zero123plus, save_zero123plus
    from tests.public_weights import instantmesh_checkpoint, zero123plus_folder
    from tests.reconstruct import tiny

    zero123plus_folder.write(folder / "source")
    convert_zero123plus(folder / "source", folder / "converted")
    model = load_zero123plus(folder / "converted")
    model.network.sample_shape = (4, 48, 32)  # 96 x 64 pixels behind the tiny VAE
    save_zero123plus(folder / "model" / MULTIVIEW, model)
    reconstructor = tiny.model(kind)
    if kind == "nerf":
        reconstructor.synthesizer.decoder.net[-1].bias.data[0] += 1000
    checkpoint = instantmesh_checkpoint.write(folder / "tiny.ckpt", reconstructor)
    instantmesh.convert(checkpoint, folder / "model" / RECONSTRUCTOR, reconstructor.config)
    write_model_card(
        folder / "model", "full", "test", Usage(16, 64, Sampling("euler-ancestral", 2, 4.0)).to_dict()
    )
    return folder / "model"
