"""A generator's views stored with the pairs: Stage II, where the generator is frozen, then reads six pictures
instead of running three networks.

They are of the pairs' own pictures and z, at 256 levels, and lie beside the pairs under the generator's
identity, so one folder may have those of several.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from geco.claims import Claims
from geco.errors import ConfigError
from geco.training.family import Family, load_generator
from geco.training.generators import generator_id
from geco.training.machine import Machine
from geco.training.pair_files import encode_views
from geco.training.pair_folder import GENERATED, WORK, chunk_names, keep, pair_name, read_chunks, swept
from geco.training.pair_maker import as_bytes
from geco.training.pair_work import ours
from geco.training.pairs import Pairs


def add_views(family: Family, run: Path, folder: Path, machine: Machine, latents: Path | None = None) -> int:
    """Store the views of the generator in ``run`` with all pairs in ``folder``; what is there is kept.
    Several processes may do so together, as they make pairs.

    Returns:
        How many pairs have them.

    Raises:
        ConfigError: no pairs, or samples of another shape. OutputError: the folder cannot be written.
    """
    pairs, name = Pairs(folder), generator_id(run)
    place, work, claimed = folder / GENERATED / name, f"{WORK}-{name}", f".claims-{name}"
    chunks = read_chunks(folder)
    rows = {int(number): row for row, number in enumerate(pairs.numbers)}
    generator, codec = load_generator(family, run, machine.device, latents)
    shape = generator.network.sample_shape
    if len(pairs) and pairs.shape != tuple(shape):
        raise ConfigError(f"the generator in {run} makes other views than the pairs in {folder} have", "")

    @torch.no_grad()
    def views(numbers: Sequence[int]) -> dict[str, bytes]:
        files = {}
        for number in numbers:
            row = rows[number]
            picture = torch.from_numpy(pairs[row]["picture"]).to(machine.device).float() / 255
            noise = pairs.source(row)
            z = noise((1, *shape)).to(machine.device)
            x0 = generator.from_noise(z, codec.condition(picture[None]), codec, noise)
            files[f"{pair_name(number)}.webp"] = encode_views(as_bytes(codec.decode(x0)[0]))
        return files

    left = [chunk for chunk in chunks if not (place / chunk).is_dir()]
    with Claims(folder / claimed) as claims:
        for chunk in ours(left, str, lambda chunk: (place / chunk).is_dir(), claims):
            files = views(chunks[chunk].numbers) or {".empty": b""}
            keep(folder / work / f"{chunk}.{claims.owner}", place / chunk, files)
    swept(folder, f"{GENERATED}/{name}", work, claimed)
    return sum(len(chunks[chunk].numbers) for chunk in chunk_names(folder) if (place / chunk).is_dir())
