"""Export a small model (``geco export``): a folder with its weights, once, and graphs that run them without
torch.

The model's folder holds ``multiview/`` and ``reconstructor/`` as training wrote them; the exported one holds
them too, large tensors in float16, and so is a model folder as any other. Each graph is run on ONNX Runtime
beside the torch module it came from, and the export fails if they differ. Products are computed in float32.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from geco.errors import OutputError, WeightsError
from geco.files import atomic_write
from geco.model_files.card import CARD, MULTIVIEW, ONNX, RECONSTRUCTOR, Usage, read_model_card, usage_of
from geco.model_files.manifest import FILES
from geco.model_files.publish import halved, write_halves
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import load_small
from geco.onnx_runtime.card import FORMAT, HALVES, ExportedModel
from geco.onnx_runtime.export_modules import PointPass, ReconstructPass
from geco.onnx_runtime.export_trace import Graph, compare, traced
from geco.onnx_runtime.export_views import ViewsPass
from geco.onnx_runtime.weights import formed
from geco.outputs import check_folder
from geco.reconstruct.small.model import SmallReconstructor
from geco.version import __version__


def export_small(
    model_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    usage: Usage | None = None,
    facts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the exported folder, its card last; returns the card of the graphs.

    Args:
        model_dir: a model folder of the small family, with both halves.
        usage: in place of what the model's own card says.
        facts: about the training, for ``geco info``.

    Raises:
        WeightsError: a part is missing or broken, or a graph does not give what torch gives.
        OutputError: the folder cannot be written, or holds the model itself or something else's config.json.
    """
    source, target = Path(model_dir), Path(output_dir)
    about = read_model_card(source)
    usage = usage or usage_of(about, source)
    usage.drawing(str(source / CARD))
    check_folder(target, [CARD], _is_export)
    if target.exists() and target.samefile(source):
        raise OutputError(f"{target} is the model itself", "Choose another folder with -o.")
    network, model = load_small(source / MULTIVIEW), SmallReconstructor.load(source / RECONSTRUCTOR)
    stored = {MULTIVIEW: _rounded(network), RECONSTRUCTOR: _rounded(model)}
    data, forms, errors = {}, {}, {}
    for name, graph in graphs(network, model).items():
        weights = {key: value.numpy() for key, value in stored[HALVES[name]].items()}
        data[name], wanted = traced(graph, weights)
        errors[name] = compare(data[name], graph, formed(weights, wanted), name)
        forms[name] = {key: form.to_dict() for key, form in wanted.items()}
    card = {"format": FORMAT, "version": __version__, "forms": forms, "export_error": errors}
    (target / CARD).unlink(missing_ok=True)  # from now on the folder is not complete
    write_halves(source, [MULTIVIEW, RECONSTRUCTOR], target)
    write_graphs(target / ONNX, data, card)
    everything = {**about["facts"], **usage.to_dict(), **(facts or {})}
    atomic_write(target / CARD, (json.dumps({**about, "facts": everything}, indent=1) + "\n").encode())
    return card


def write_graphs(folder: Path, graphs: dict[str, bytes], card: dict[str, Any]) -> None:
    """Graphs by name and the card that says what they are, which is written last; raises OutputError."""
    files = {}
    for name, data in graphs.items():
        atomic_write(folder / f"{name}.onnx", data)
        files[f"{name}.onnx"] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    atomic_write(folder / CARD, (json.dumps({**card, FILES: files}) + "\n").encode())


def graphs(network: SmallMultiView, model: SmallReconstructor) -> dict[str, Graph]:
    """Every graph of the small model, with example inputs."""
    size, rng = network.config.size, torch.Generator().manual_seed(0)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=rng)

    def noisy(samples: int) -> dict[str, Tensor]:
        x_t = torch.randn(samples, 6, 3, size, size, generator=rng)
        return {"picture": rand(samples, 3, size, size) * 2 - 1, "x_t": x_t, "t": torch.tensor([400.0])}

    encode, seen = ReconstructPass(model), {"views": rand(6, size, size, 3), "picture": rand(size, size, 3)}
    with torch.no_grad():
        table, volume, _ = encode(**seen)
    asked = [{"table": table, "volume": volume, "points": rand(count, 3) * 2 - 1} for count in (301, 70)]
    axes = {"picture": "n", "x_t": "n", "x0": "n"}
    return {
        "views": Graph(
            ViewsPass(network),
            [noisy(2), noisy(1), noisy(3)],
            ["x0"],
            ("model.bridge.waves",) if network.bridge is not None else (),
            axes,
        ),
        "reconstruct": Graph(encode, [seen], ["table", "volume", "coarse"], ("axis", "towards", "waves")),
        "shape": Graph(PointPass(model, "shape"), asked, ["sdf"], (), {"points": "n", "sdf": "n"}),
        "color": Graph(PointPass(model, "color"), asked, ["color"], (), {"points": "n", "color": "n"}),
    }


def _is_export(folder: Path) -> bool:
    """Whether an exported model is there."""
    try:
        ExportedModel(folder)
    except WeightsError:
        return False
    return True


def _rounded(module: nn.Module) -> dict[str, Tensor]:
    """The state of a module as it will be stored, after the module itself has been rounded to that."""
    stored = {name: halved(value) for name, value in module.state_dict().items()}
    module.load_state_dict({name: value.float() for name, value in stored.items()})
    return stored
