"""Settings of an InstantMesh reconstructor from a file: the public code's .yaml, or a card of ours (.json).

    model_config:
      params:
        transformer_dim: 1024
        ...

The names are those of :class:`geco.reconstruct.instantmesh.config.InstantMeshConfig`, but for what the public
code says of its image encoder and of its class.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geco.errors import WeightsError
from geco.foreign import Fields, read_fields
from geco.public_weights.yaml_file import read_yaml
from geco.reconstruct.instantmesh.config import InstantMeshConfig
from geco.reconstruct.vit_config import ViTConfig

_REMEDY = "Give the .yaml of InstantMesh's configs that the checkpoint was trained with."
ENCODER = "facebook/dino-vitb16"  # the only image encoder that any released config names
ENCODER_SETTINGS, _ENCODER_WIDTH = ViTConfig(), 768
CLASS_GRID_SCALE = 2.0  # where a .yaml says none: the public class' own default (the released ones say 2.1)


def settings_beside(checkpoint: Path) -> InstantMeshConfig | None:
    """Of the .yaml that is named as the checkpoint is (``a_b.yaml`` or ``a-b.yaml`` for ``a_b.ckpt``); None
    where there is none. Raises WeightsError where it is no settings of a reconstructor.
    """
    for name in (checkpoint.stem, checkpoint.stem.replace("_", "-")):
        if (path := checkpoint.with_name(f"{name}.yaml")).is_file():
            return read_settings(path)
    return None


def read_settings(path: Path) -> InstantMeshConfig:
    """The settings in a .yaml of the public code, or in a .json of ours (a reconstructor's card, or its
    "config" alone).

    Raises:
        WeightsError: it cannot be read, or says something that the network does not have.
    """
    if path.suffix == ".json":
        fields = read_fields(path, WeightsError, _REMEDY)
        return InstantMeshConfig.from_fields(fields.fields("config") if "config" in fields else fields)
    model = read_yaml(path, WeightsError, _REMEDY).fields("model_config")
    kind = "nerf" if "nerf" in model.text("target", default="").lower() else "mesh"
    values = dict(model.fields("params").values)
    where = f"{path}: model_config: params"
    _check_encoder(Fields(values, where, WeightsError, _REMEDY))
    own = {name: value for name, value in values.items() if not name.startswith("encoder_")}
    if kind == "mesh":
        own.setdefault("grid_scale", CLASS_GRID_SCALE)
    own |= {"kind": kind, "vit": ENCODER_SETTINGS.to_dict()}
    return InstantMeshConfig.from_fields(Fields(own, where, WeightsError, _REMEDY))


def _check_encoder(params: Fields) -> None:
    """Only the released encoder is known by name; whether it was frozen changes nothing here."""
    name: Any = params.text("encoder_model_name", default=ENCODER)
    width = params.integer("encoder_feat_dim", 1, 100_000, _ENCODER_WIDTH)
    if Path(name).name != Path(ENCODER).name or width != _ENCODER_WIDTH:
        raise params.wrong(f"names the image encoder {name} of width {width}, which is not {ENCODER}")
