"""README.md of a published model, in the hub's form: front matter that the hub reads, and a page that people
read. No torch here.

Everything on it is read off the model's own cards, so a page says what the run knows of itself and no more.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geco.files import atomic_write
from geco.model_files.card import CARD, MULTIVIEW, RECONSTRUCTOR
from geco.model_files.hub import is_hub_id
from geco.model_files.manifest import FILES
from geco.model_files.markdown import front_matter, licence_id, plain, table
from geco.model_files.part import read_part_card

README = "README.md"
_MARK = re.compile(r"\n<!-- geco publish ([0-9a-f]{16}) -->\n\Z")
_TAGS = ("geco", "image-to-3d", "multi-view", "mesh")
_KIND = {
    "small": "GECO's small family: six views in pixels and a reconstructor from a volume, quick on a CPU",
    "pixelnerf": "PixelNeRF: pixel-aligned features of the picture and a density",
    "full": "GECO's full family: Zero123++ (a diffusion model of six views) and InstantMesh",
}
_PAPER = "[GECO](https://arxiv.org/abs/2405.20327)"


@dataclass(frozen=True)
class Page:
    """What the page is made of.

    Attributes:
        folder: with the halves as they are published.
        card: of the model. name: how a user gives it as ``--model``; OWNER/NAME or a folder.
        totals: of its training (``training.json``).
        metrics: Markdown of an evaluation, or "".
        curves: whether ``curves.png`` lies beside the page.
    """

    folder: Path
    card: Mapping[str, Any]
    name: str
    totals: Mapping[str, Any] = field(default_factory=dict)
    metrics: str = ""
    curves: bool = False

    @property
    def facts(self) -> Mapping[str, Any]:
        return dict(self.card["facts"])

    def halves(self) -> dict[str, dict[str, Any]]:
        """The cards of the halves that are there."""
        names = [name for name in (MULTIVIEW, RECONSTRUCTOR) if (self.folder / name / CARD).is_file()]
        return {name: read_part_card(self.folder / name).values for name in names}


def write_page(page: Page, path: Path) -> None:
    """Write the page with a mark by which :func:`is_own` knows it; raises OutputError."""
    text = render(page)
    atomic_write(path, f"{text}\n<!-- geco publish {_digest(text)} -->\n".encode())


def is_own(path: Path) -> bool:
    """Whether a page is as :func:`write_page` wrote it, untouched since."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        return False
    found = _MARK.search(text)
    return found is not None and found[1] == _digest(text[: found.start()])


def render(page: Page) -> str:
    """The whole page."""
    parts = [
        _front(page),
        f"# {page.name.rpartition('/')[2]}",
        _what(page),
        _use(page),
        _chain(page),
        _data(page.facts),
        _recipe(page.facts),
        _training(page),
        page.metrics,
        _weights(page),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def base_models(halves: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Hub ids that the halves' cards name as their sources."""
    named = [halves[half].get(key) for half in halves for key in ("source", "unet_source")]
    return list(dict.fromkeys(name for name in named if isinstance(name, str) and is_hub_id(name)))


def _front(page: Page) -> str:
    licence, bases = licence_id(page.card["licence"]), base_models(page.halves())
    values: dict[str, Any] = {"license": licence} | (
        {"license_name": "see-below"} if licence == "other" else {}
    )
    values |= {"library_name": "geco", "pipeline_tag": "image-to-3d"}
    if bases:
        values |= {"base_model": bases, "base_model_relation": "finetune"}
    kind = _sampling(page.facts).get("kind")
    values["tags"] = [*_TAGS, *([kind] if kind in ("one-step", "few-step") else []), page.card["family"]]
    return front_matter(values)


def _what(page: Page) -> str:
    facts, family, sampling = page.facts, page.card["family"], _sampling(page.facts)
    told = [f"One picture of an object to a textured 3D mesh. {_KIND.get(family, family)} ({_PAPER})."]
    if not sampling:
        told.append("A regressor: it reads the picture alone, and the same picture gives the same object.")
    elif sampling.get("kind") == "one-step":
        told.append("Its six views are drawn in one step from noise (distilled).")
    elif sampling.get("kind") == "few-step":
        told.append(f"Its six views are drawn in {sampling.get('steps')} steps from noise (distilled).")
    else:
        how = f"{sampling.get('steps')} steps of {sampling.get('kind')}"
        told.append(f"Its six views are drawn in {how}, guidance {sampling.get('guidance_scale'):g}.")
    if stage := facts.get("stage"):
        told.append(f"The last stage of its training was `{stage}`.")
    if isinstance(facts.get("training"), str):
        told.append(facts["training"] + ".")
    return " ".join(told)


def _use(page: Page) -> str:
    return (
        "## Use it\n\n```python\nfrom geco import GecoPipeline\n\n"
        f'pipe = GecoPipeline.from_pretrained("{page.name}")  # or the folder\'s path\n'
        'pipe("photo.png", seed=1).save("object.glb")\n```\n\n'
        f"or `geco run photo.png --model {page.name}` (the package geco3d with its extra `torch`)."
    )


def _chain(page: Page) -> str:
    """From the base weights down."""
    lines = []
    for half, card in page.halves().items():
        sources = [str(card[key]) for key in ("source", "unet_source") if card.get(key)]
        commits = {str(card[key])[:12] for key in ("revision", "unet_revision") if card.get(key)}
        origin = " with the UNet of ".join(sources) or "trained from scratch by this project's recipes"
        at = f" ({', '.join(sorted(commits))})" if commits else ""
        licence = card.get("licence") or page.card["licence"]
        name = f" `{card['name']}`" if card.get("name") else ""
        lines.append(f"- **{half}**{name}: {origin}{at}; licence: {licence}")
    if page.facts.get("distilled") and "CC-BY-NC-4.0" in page.card["licence"]:
        lines.append(
            "- A generator distilled from Zero123++'s weights is a derivative of them, so it stays under "
            "CC-BY-NC-4.0 (attribution, no commercial use of the weights). What you make with it is yours."
        )
    lines.append(f"- **this folder**: {page.card['licence']}")
    return "## Licences, from the base weights down\n\n" + "\n".join(lines)


def _data(facts: Mapping[str, Any]) -> str:
    known = facts.get("data")
    lines = []
    if isinstance(facts.get("objects"), str):
        lines.append(facts["objects"] + ".")
    if isinstance(known, dict) and known:
        rows = [
            [stage, str(told.get("objects", "?")), _counts(told.get("licences"))]
            for stage, told in known.items()
            if isinstance(told, dict)
        ]
        lines.append(table(["Stage", "Objects", "Licences of the objects (count)"], rows))
        lines.append("Authors and sources of every object stand in the shards that the stages read.")
    if isinstance(facts.get("pairs"), dict):
        lines.append(f"Pairs of Stage II: {plain(facts['pairs'])}.")
    lines = lines or ["The run does not say what it was trained on."]
    return "## Data\n\n" + "\n\n".join(lines)


def _recipe(facts: Mapping[str, Any]) -> str:
    if not facts.get("recipe"):
        return ""
    rows = [
        [f"`{stage}`", f"`{name}`", f"`{plain(value)}`"]
        for stage, values in (facts.get("overrides") or {}).items()
        for name, value in values.items()
    ]
    replaced = table(["Stage", "Number", "Here"], rows) if rows else "No number of it was replaced."
    said = f"Replaced by `--set`:\n\n{replaced}" if rows else replaced
    return f"## Recipe\n\n`{facts['recipe']}`. {said}"


def _training(page: Page) -> str:
    shown = ("steps", "samples", "minutes", "seconds_a_step", "peak_memory_mib", "machine")
    rows = [[name.replace("_", " "), plain(page.totals[name])] for name in shown if name in page.totals]
    for stage in ("teacher", "reconstructor", "stage1", "stage2"):
        if isinstance(page.facts.get(stage), dict):
            rows.append([stage, plain(page.facts[stage])])
    if not rows and not page.curves:
        return ""
    numbers = table(["Of the last stage, and of those before", ""], rows) if rows else ""
    curves = "![Loss curves](curves.png)" if page.curves else ""
    return "## Training\n\n" + "\n\n".join(part for part in (numbers, curves) if part)


def _weights(page: Page) -> str:
    rows = []
    for half, card in page.halves().items():
        for name, entry in card.get(FILES, {}).items():
            rows.append([f"`{half}/{name}`", f"{entry['bytes'] / 1e6:,.1f}", f"`{entry['sha256'][:16]}…`"])
    told = "Tensors of more than 256 numbers are stored in float16, the rest in float32."
    if page.card["family"] == "full":
        told = (
            "Matrices and convolutions are stored in float16. What is float32 in the run stays so where it "
            "costs nothing: vectors (biases, norms), the empty prompt's text states, and the decoders on "
            "InstantMesh's planes, whose zero is the surface."
        )
    return f"## Weights\n\n{table(['File', 'MB', 'SHA-256'], rows)}\n\n{told}"


def _sampling(facts: Mapping[str, Any]) -> dict[str, Any]:
    found = facts.get("sampling")
    return found if isinstance(found, dict) and facts.get("views", True) else {}


def _counts(licences: Any) -> str:
    return plain(licences) if isinstance(licences, dict) else "not known"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
