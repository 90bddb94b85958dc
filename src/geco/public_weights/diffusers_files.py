"""A model's views as a diffusers folder: the files that travel, the components' weights, the page.

    FOLDER/model_index.json          components, and how the model samples
    FOLDER/geco_full_pipeline.py     our pipeline; runs without this package (trust_remote_code=True)
    FOLDER/unet/ vae/ ...            as diffusers and transformers write them

The code is put together from :mod:`geco.public_weights.shipped`: one file a pipeline, since diffusers fetches
no second one from a hub.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from geco.errors import OutputError, WeightsError
from geco.files import atomic_path, atomic_write
from geco.foreign import Fields, read_fields
from geco.model_files.manifest import Manifest
from geco.model_files.markdown import front_matter, licence_id
from geco.model_files.part import read_part_card
from geco.model_files.stream import rewrite, tensor_formats

REMEDY = "Export the model again: geco export MODEL --to diffusers -o FOLDER."
INDEX, README, WORK = "model_index.json", "README.md", ".making"
WEIGHTS = "diffusion_pytorch_model.safetensors"  # diffusers' name; transformers' is model.safetensors
SHIPPED = Path(__file__).parent / "shipped"
OWN = "geco.public_weights.shipped."
# class of our pipelines -> the file in which it travels, by whose name diffusers finds it
PIPELINES = {"GecoFullPipeline": "geco_full_pipeline", "GecoSmallPipeline": "geco_small_pipeline"}


@dataclass(frozen=True)
class Component:
    """One folder of a pipeline.

    Attributes:
        library, kind: where its class is: a library's, or ``library`` is the name of ``code`` in its folder.
        config: its JSON; config_name: the file of that.
        source: of its weights in our model folder: half's folder and stem; None for no weights.
        weights: name of the weights' file. rename: names of tensors that are kept -> their new ones; None
            keeps all. more: tensors beside them.
        code: shipped files that become ``library``.py.
    """

    library: str
    kind: str
    config: Mapping[str, Any]
    config_name: str = "config.json"
    source: tuple[Path, str] | None = None
    weights: str = WEIGHTS
    rename: Mapping[str, str] | None = None
    more: Mapping[str, torch.Tensor] = field(default_factory=dict)
    code: Sequence[str] = ()


@dataclass(frozen=True)
class Exported:
    """A pipeline to be written: the class, its components by name, its own settings, its shipped files, and
    what its licence is.
    """

    kind: str
    components: Mapping[str, Component]
    settings: Mapping[str, Any]
    code: Sequence[str]
    licence: str


def is_ours(folder: Path) -> bool:
    """Whether a folder is a pipeline that :func:`write` wrote."""
    return pipeline_of(folder) is not None


def pipeline_of(folder: Path) -> str | None:
    """The class of our pipeline in a diffusers folder; None where it is somebody else's, or none."""
    if not (folder / INDEX).is_file():
        return None
    named = read_fields(folder / INDEX, WeightsError).values.get("_class_name")
    return named[1] if isinstance(named, list) and len(named) == 2 and named[1] in PIPELINES else None


def write(exported: Exported, folder: Path, precision: torch.dtype | None = None) -> int:
    """Write the folder, its model_index.json last; bytes of the weights.

    Args:
        folder: new, empty, or what this wrote before; after a failure it is as it was.
        precision: of all components' weights; None: as the model has them, float32 where a file holds
            several formats, which loses nothing.

    Raises:
        WeightsError: a weights file is missing or damaged. OutputError: the folder cannot be written, or
            holds something else.
    """
    known = {path.name for path in folder.iterdir()} - {".lock", WORK} if folder.is_dir() else set()
    if known and not is_ours(folder):
        raise OutputError(f"{folder} is not empty", "Give a new folder with -o.")
    with _exchanged(folder) as work:
        for name, component in exported.components.items():
            _write_component(component, work / name, precision)
        module = PIPELINES[exported.kind]
        atomic_write(work / f"{module}.py", joined(exported.code).encode())
        index = {"_class_name": [module, exported.kind], "_diffusers_version": _version("diffusers")}
        index |= {name: [part.library, part.kind] for name, part in exported.components.items()}
        atomic_write(work / README, _page(exported).encode())
        atomic_write(work / INDEX, (json.dumps(index | dict(exported.settings), indent=2) + "\n").encode())
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


def _write_component(component: Component, folder: Path, precision: torch.dtype | None) -> None:
    about = dict(component.config)
    atomic_write(folder / component.config_name, (json.dumps(about, indent=2) + "\n").encode())
    if component.code:
        atomic_write(folder / f"{component.library}.py", joined(component.code).encode())
    if component.source is None:
        return
    half, stem = component.source
    source = half / f"{stem}.safetensors"
    Manifest(read_part_card(half)).check(source)
    formats = {dtype for _, dtype in tensor_formats(source).values() if dtype.is_floating_point}
    wanted = precision or (formats.pop() if len(formats) == 1 else torch.float32)
    with atomic_path(folder / component.weights) as temporary:
        rewrite(
            source,
            temporary,
            lambda name, shape, dtype: wanted if dtype.is_floating_point else dtype,
            component.rename,
            component.more,
        )


@contextlib.contextmanager
def _exchanged(folder: Path) -> Iterator[Path]:
    """A place to write in, whose content replaces an earlier export's at the end, the index last."""
    work, new = folder / WORK, not folder.exists()
    shutil.rmtree(work, ignore_errors=True)
    try:
        yield work
        try:
            (folder / INDEX).unlink(missing_ok=True)  # from now on the folder is not complete
            for part in sorted(work.iterdir(), key=lambda path: (path.name == INDEX, path.name)):
                if (folder / part.name).is_dir():
                    shutil.rmtree(folder / part.name)
                os.replace(part, folder / part.name)
        except OSError as error:
            why = error.strerror or error
            raise OutputError(f"cannot write {folder}: {why}", "Choose another folder with -o.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def joined(names: Sequence[str]) -> str:
    """Shipped files as one: the last one's text first, then all imports, then the code in this order."""
    trees = [ast.parse((SHIPPED / f"{name}.py").read_text()) for name in names]
    imports: dict[str, None] = {}
    code = []
    for name, tree in zip(names, trees):
        lines = (SHIPPED / f"{name}.py").read_text().splitlines()
        first = None
        for node in tree.body[1:]:
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                first = node
                break
            if not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OWN)):
                imports.setdefault(ast.unparse(node))
        assert first is not None
        begin = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))]) - 1
        while lines[begin - 1].startswith("#"):
            begin -= 1
        code.append("\n".join(lines[begin:]).strip())
    ordered = sorted(imports, key=lambda line: "__future__" not in line)
    text = ast.get_docstring(trees[-1], clean=False)
    return "\n\n\n".join([f'"""{text}"""\n\n' + "\n".join(ordered), *code]) + "\n"


def _page(exported: Exported) -> str:
    front = front_matter(
        {
            "license": licence_id(exported.licence),
            "library_name": "diffusers",
            "pipeline_tag": "image-to-3d",
            "tags": ["geco", "multi-view", "diffusers"],
        }
    )
    return (
        f"{front}\n\n# Six views of an object from one picture\n\n"
        "GECO's generator as a diffusers pipeline. Its code travels with it and needs diffusers and torch "
        "alone:\n\n```python\nfrom diffusers import DiffusionPipeline\n\n"
        "pipe = DiffusionPipeline.from_pretrained(FOLDER, trust_remote_code=True)\n"
        "sheet = pipe(picture, seeds=[0]).images[0]  # 3 rows, 2 columns\n```\n\n"
        "The picture is square, the object on the model's background, its longer side 0.85 of the frame's. A "
        "seed gives the views that GECO gives; `latents=` takes noise of your own.\n\n"
        f"Licence of the weights: {exported.licence}\n"
    )


def index_of(folder: Path) -> Fields:
    """model_index.json of our pipeline, to be asked field by field."""
    return read_fields(folder / INDEX, WeightsError, REMEDY)


def _version(package: str) -> str:
    return importlib.metadata.version(package)
