"""3MF (core 1.3, materials extension 1.2): geometry, texture or vertex colours; millimetres, z up."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from geco.errors import ConfigError
from geco.images.color import to_bytes
from geco.mesh.export.axes import flip_v
from geco.mesh.export.images import TextureFormat, encode_texture
from geco.mesh.export.metadata import GENERATOR, About, plain, to_ascii_json
from geco.mesh.export.names import ascii_name
from geco.mesh.export.obj import lines_of
from geco.mesh.topology import weld_groups
from geco.mesh.types import Mesh

_CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
_MATERIALS = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"
_MODEL_TYPE = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"
_TEXTURE_TYPE = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dtexture"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_LEVEL = 4  # of deflate: twice as fast as the usual 6 on these numbers, 5 % larger


def encode_3mf(mesh: Mesh, about: About, kind: TextureFormat, quality: int | None) -> bytes:
    """The bytes of the file.

    Raises:
        ConfigError: a WebP texture, which 3MF does not allow.
    """
    if kind.name == "webp" and mesh.texture is not None:
        raise ConfigError("3MF holds no WebP textures", "Use the texture format jpeg or png.")
    picture = f"/3D/Textures/{ascii_name(about.name)}{kind.suffix}" if mesh.texture is not None else None
    files: dict[str, bytes] = {
        "[Content_Types].xml": _content_types(kind).encode(),
        "_rels/.rels": _relation("/3D/3dmodel.model", _MODEL_TYPE).encode(),
        "3D/3dmodel.model": _model(mesh, about, kind, picture).encode(),
    }
    if picture is not None and mesh.texture is not None:
        files["3D/_rels/3dmodel.model.rels"] = _relation(picture, _TEXTURE_TYPE).encode()
        files[picture[1:]] = encode_texture(mesh.texture, kind, quality)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as package:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)  # dated 1980: the time of the run is no part of the file
            entry.comment = about.mark().encode("ascii")
            entry.compress_type = zipfile.ZIP_STORED if name == (picture or "")[1:] else zipfile.ZIP_DEFLATED
            package.writestr(entry, data)
    return buffer.getvalue()


def escape(text: str) -> str:
    """As XML wants it between tags."""
    from xml.sax import saxutils  # imports the whole of urllib, 12 ms of every start

    return saxutils.escape(text)


def quoteattr(text: str) -> str:
    """As XML wants it as an attribute, quotes included."""
    from xml.sax import saxutils

    return saxutils.quoteattr(text)


def _model(mesh: Mesh, about: About, kind: TextureFormat, picture: str | None) -> str:
    """The model part. Positions are welded, as a closed mesh must share them; colours stand a corner."""
    kept, member = np.unique(weld_groups(mesh.vertices), return_inverse=True)
    corners = member[mesh.faces]
    colors = np.arange(len(mesh.vertices))[mesh.faces]
    resources, property_ = "", ""
    if picture is not None and mesh.uvs is not None:
        resources = (
            f'<m:texture2d id="1" path={quoteattr(picture)} contenttype="{kind.media_type}" '
            'tilestyleu="clamp" tilestylev="clamp"/>\n<m:texture2dgroup id="2" texid="1">\n'
            + lines_of('<m:tex2coord u="%.7g" v="%.7g"/>', flip_v(mesh.uvs))
            + "</m:texture2dgroup>\n"
        )
    elif mesh.colors is not None:
        bytes_ = to_bytes(mesh.colors).astype(np.int64)
        resources = (
            '<m:colorgroup id="2">\n'
            + lines_of('<m:color color="#%02X%02X%02X"/>', bytes_)
            + "</m:colorgroup>\n"
        )
    if resources:
        property_ = ' pid="2" pindex="0"'
        form = '<triangle v1="%d" v2="%d" v3="%d" pid="2" p1="%d" p2="%d" p3="%d"/>'
        triangles = lines_of(form, np.concatenate([corners, colors], axis=1))
    else:
        triangles = lines_of('<triangle v1="%d" v2="%d" v3="%d"/>', corners)
    # XML takes no control characters
    title = "".join(letter for letter in plain(about.name) if letter.isprintable())
    # The item stands on the bed's corner: the specification wants it where all coordinates are positive.
    low = mesh.vertices.min(axis=0)
    place = " ".join(f"{value:.7g}" for value in (1, 0, 0, 0, 1, 0, 0, 0, 1, *(-low).tolist()))
    return "".join(
        [
            _HEAD,
            f'<model unit="millimeter" xml:lang="en-US" xmlns="{_CORE}" xmlns:m="{_MATERIALS}">\n',
            f'<metadata name="Title">{escape(title)}</metadata>\n',
            f'<metadata name="Application">{GENERATOR}</metadata>\n',
            f'<metadata name="Description">{escape(about.mark())} '
            f"{escape(to_ascii_json(about.extras))}</metadata>\n",
            f'<resources>\n{resources}<object id="3" name={quoteattr(title)} '
            f'type="model"{property_}>\n<mesh>\n<vertices>\n',
            lines_of('<vertex x="%.7g" y="%.7g" z="%.7g"/>', mesh.vertices[kept]),
            f"</vertices>\n<triangles>\n{triangles}</triangles>\n</mesh>\n</object>\n</resources>\n",
            f'<build>\n<item objectid="3" transform="{place}"/>\n</build>\n</model>\n',
        ]
    )


def _content_types(kind: TextureFormat) -> str:
    types = {
        "rels": "application/vnd.openxmlformats-package.relationships+xml",
        "model": "application/vnd.ms-package.3dmanufacturing-3dmodel+xml",
        kind.suffix[1:]: kind.media_type,
    }
    lines = "".join(
        f'<Default Extension="{suffix}" ContentType="{media}"/>\n' for suffix, media in types.items()
    )
    return f'{_HEAD}<Types xmlns="{_TYPES}">\n{lines}</Types>\n'


def _relation(target: str, kind: str) -> str:
    return (
        f'{_HEAD}<Relationships xmlns="{_RELATIONS}">\n'
        f'<Relationship Id="rel0" Type="{kind}" Target={quoteattr(target)}/>\n</Relationships>\n'
    )
