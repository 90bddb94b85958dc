"""One object's pictures and facts as a piece of a shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from geco.data.shards.format import encode_json, encode_picture, member_name, plain, tar_record
from geco.types import Floats


@dataclass
class PictureSet:
    """The pictures of one view set of one object, N of them.

    Attributes:
        c2w: (N, 4, 4) camera-to-world.
        lenses: (N, 3) focal length, cx, cy, normalised by the image size.
        channels: channel -> (N, S, S, C) or (N, S, S), as ``encode_picture`` takes them.
        facts: one JSON object a picture: what else is known of the camera and its light.
    """

    c2w: Floats
    lenses: Floats
    channels: dict[str, NDArray[Any]]
    facts: Sequence[Mapping[str, Any]] = field(default_factory=list)


def encode_object(key: str, info: Mapping[str, Any], sets: Mapping[str, PictureSet]) -> bytes:
    """The tar records of one object: ``KEY.json`` first, then every picture.

    Args:
        info: JSON values of the object (source, licence, transform, faces …); the cameras are added under
            ``sets``.
    """
    described: dict[str, list[dict[str, Any]]] = {}
    pictures: list[tuple[str, bytes]] = []
    for name, views in sets.items():
        described[name] = []
        for index in range(len(views.c2w)):
            facts = dict(views.facts[index]) if len(views.facts) else {}
            camera = {"c2w": plain(views.c2w[index]), "lens": plain(views.lenses[index]), "facts": facts}
            for channel, values in views.channels.items():
                data, more = encode_picture(channel, values[index])
                camera |= more
                pictures.append((f"{key}.{member_name(name, index, channel)}", data))
            described[name].append(camera)
    head = tar_record(f"{key}.json", encode_json({**info, "key": key, "sets": described}))
    return head + b"".join(tar_record(name, data) for name, data in pictures)
