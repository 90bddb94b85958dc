"""The nodes: a model, further choices, and a picture (or many) to meshes.

They call GECO's public face alone (``GecoPipeline``, ``geco.choices``) and bring no torch, CUDA or
compiler of their own. An error is GECO's: one line that says what to do.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from geco import GecoPipeline

from . import fields, tensors
from .files import Place, workflow
from .work import Work, outputs

CATEGORY = "3d/GECO"
MODEL, CHOICES = "GECO_MODEL", "GECO_CHOICES"


class LoadModel:
    """A model, loaded once: ComfyUI keeps what a node gave until its inputs change."""

    CATEGORY, FUNCTION = CATEGORY, "load"
    RETURN_TYPES = (MODEL,)
    RETURN_NAMES = ("model",)
    DESCRIPTION = "Loads one of GECO's models. Without this node the embedded one is used, on the CPU."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """``model`` as ``geco run --model`` takes it, ``device`` as ``--device``."""
        about = "small (embedded), a model folder, the name of a public model that 'geco get' made ready"
        where = "empty: the CPU for models with graphs, else the best there is; or cpu, cuda, cuda,fp16, ..."
        return {
            "required": {"model": ("STRING", {"default": "small", "tooltip": about})},
            "optional": {"device": ("STRING", {"default": "", "tooltip": where})},
        }

    @classmethod
    def IS_CHANGED(cls, model: str, device: str = "") -> str:
        """Other text once a file of the model's folder has changed, so that it is loaded anew."""
        digest = hashlib.sha256()
        files = (
            sorted(path for path in Path(model).rglob("*") if path.is_file()) if Path(model).is_dir() else []
        )
        for path in files:
            stat = path.stat()
            digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
        return digest.hexdigest()

    def load(self, model: str, device: str = "") -> tuple[GecoPipeline]:
        """Raises WeightsError, MissingExtraError."""
        return (GecoPipeline.from_pretrained(model.strip() or "small", device.strip() or None),)


class MoreChoices:
    """Every choice of ``geco run`` that is not on the main node."""

    CATEGORY, FUNCTION = CATEGORY, "choose"
    RETURN_TYPES = (CHOICES,)
    RETURN_NAMES = ("more",)
    DESCRIPTION = "Further choices of how GECO makes a mesh; connect it to 'more'."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Made of GECO's table of choices."""
        return {"required": {}, "optional": fields.more()}

    def choose(self, **given: Any) -> tuple[dict[str, Any]]:
        """What was chosen, by name."""
        return (given,)


class PictureToMesh:
    """Pictures to textured meshes: GLB files, MESHes, the six views, and the object as it was cut out."""

    CATEGORY, FUNCTION = CATEGORY, "make"
    RETURN_TYPES = ("STRING", "MESH", "IMAGE", "IMAGE", "MASK", "STRING")
    RETURN_NAMES = ("glb", "mesh", "views", "cutout", "cutout_mask", "facts")
    # One file, mesh and text a result: what follows runs once for each.
    OUTPUT_IS_LIST = (True, True, False, False, False, True)
    OUTPUT_TOOLTIPS = (
        "path in the output folder, for Preview 3D",
        "vertices and faces, y up",
        "six views a mesh",
        "what was cut out of each picture, over white",
        "1 where nothing of the object is",
        "JSON: seed, model, faces, agreement with the picture, seconds",
    )
    OUTPUT_NODE = True
    DESCRIPTION = "One picture of an object to a textured mesh within a second. A batch gives a mesh each."

    def __init__(self) -> None:
        self._embedded: GecoPipeline | None = None  # ComfyUI keeps the node, so it is loaded once

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Made of GECO's table of choices, but for the picture and the place."""
        means = {"default": tensors.HIDES, "tooltip": "what 1 in the mask stands for"}
        prefix = {"default": "3d/GECO", "tooltip": "of the files; numbered, nothing is written over"}
        return {
            "required": {
                "image": ("IMAGE",),
                **fields.of(*fields.NEEDED),
                "filename_prefix": ("STRING", prefix),
            },
            "optional": {
                "mask": ("MASK",),
                "mask_means": ([tensors.HIDES, tensors.SHOWS], means),
                "model": (MODEL,),
                "more": (CHOICES,),
                **fields.of(*fields.FURTHER),
            },
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    def make(self, image: Any, filename_prefix: str, **given: Any) -> dict[str, Any]:
        """All meshes of all pictures; raises what GECO raises, and ComfyUI's interruption."""
        means = given.get("mask_means", tensors.HIDES)
        pictures = tensors.pictures(image, given.get("mask"), means)
        asked, seeds = fields.asked({**given, **(given.get("more") or {})})
        kept = workflow(given.get("prompt"), given.get("extra_pnginfo"))
        work = Work(
            given.get("model") or self._small(), asked, seeds, Place(filename_prefix, asked.file, kept)
        )
        made = work.meshes(pictures)
        files = [entry for each in made for entry in each.entries]
        return {"ui": {"3d": files}, "result": outputs(made)}

    def _small(self) -> GecoPipeline:
        if self._embedded is None:
            self._embedded = GecoPipeline.from_pretrained("small")
        return self._embedded


NODE_CLASS_MAPPINGS = {
    "GecoPictureToMesh": PictureToMesh,
    "GecoMoreChoices": MoreChoices,
    "GecoLoadModel": LoadModel,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "GecoPictureToMesh": "GECO: picture to mesh",
    "GecoMoreChoices": "GECO: more choices",
    "GecoLoadModel": "GECO: load model",
}
