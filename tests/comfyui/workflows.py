"""The example workflow in its two forms: as the editor keeps it, and as its API takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NODES = Path(__file__).parent.parent.parent / "comfyui"
EXAMPLES = NODES / "example_workflows"  # what ComfyUI's editor offers
# Widgets of ComfyUI's own nodes in the example, in order.
THEIRS = {"LoadImage": ["image", "upload"], "Preview3D": [], "PreviewImage": [], "Note": []}
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN")


def drawn() -> Any:
    """The editor's form."""
    return json.loads((EXAMPLES / "picture_to_mesh.json").read_text())


def asked() -> Any:
    """The API's form."""
    return json.loads((NODES / "picture_to_mesh_api.json").read_text())


def in_api_form(drawn: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """The editor's form as the API's: links by number, widgets' values in the order of the inputs; those
    behind the last that the file has are left to their defaults.
    """
    links = {link[0]: [str(link[1]), link[2]] for link in drawn["links"]}
    form = {}
    for node in drawn["nodes"]:
        kind = node["type"]
        names = _widgets(ours[kind]) if kind in ours else THEIRS[kind]
        values = dict(zip(names, node.get("widgets_values", [])))
        joined = {
            each["name"]: links[each["link"]] for each in node["inputs"] if each.get("link") is not None
        }
        inputs = {name: value for name, value in values.items() if name not in ("upload", "control")}
        form[str(node["id"])] = {"class_type": node["type"], "inputs": {**inputs, **joined}}
    return dict(sorted(form.items()))


def _widgets(node: Any) -> list[str]:
    names = []
    for fields in (node.INPUT_TYPES()["required"], node.INPUT_TYPES().get("optional", {})):
        for name, kind in fields.items():
            if isinstance(kind[0], list) or kind[0] in WIDGETS:
                names.append(name)
            if len(kind) > 1 and kind[1].get("control_after_generate"):
                names.append("control")
    return names
