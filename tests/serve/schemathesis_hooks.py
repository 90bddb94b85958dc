"""What schemathesis cannot know: that the bytes of the field `picture` are a picture. See test_openapi.py.

By hand: `SCHEMATHESIS_HOOKS=tests.serve.schemathesis_hooks schemathesis run URL`, URL being
http://127.0.0.1:8000/openapi.json.
"""

from __future__ import annotations

import base64
import io
import zipfile

import schemathesis
from hypothesis import strategies as st

from tests.pictures import disc_png

pictures = st.tuples(*[st.integers(0, 200)] * 3).map(disc_png)
schemathesis.openapi.format("byte", pictures.map(lambda data: base64.b64encode(data).decode()))
for kind in ("application/octet-stream", "image/png", "image/jpeg", "image/webp"):
    schemathesis.openapi.media_type(kind, pictures)


def packed(picture: bytes) -> bytes:
    """As an archive of one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("ball.png", picture)
    return out.getvalue()


schemathesis.openapi.media_type("application/zip", pictures.map(packed))


@schemathesis.hook
def before_load_schema(context: object, raw_schema: dict) -> None:
    """Without levels of detail: their pattern, which schemathesis cannot negate in a form that holds a file,
    does not say that they fall.
    """
    for schema in raw_schema["components"]["schemas"].values():
        schema.get("properties", {}).pop("lods", None)


@schemathesis.hook
def filter_case(context: object, case: schemathesis.Case) -> bool:
    """Leave out wrong values that are not there any more once they are a form: an empty list or text is no
    field at all. And what the description cannot say: that the embedded model draws views in one step, that
    some cut-outs want alpha or what is not installed, that colours at the vertices have no texture size, no
    unwrapping and no normal map, that this one needs a number of faces and a format for it, that Draco is for
    GLB, and that samples need as many seeds.
    """
    body = case.body
    if not isinstance(body, dict):
        return True
    if body.get("uv") == "xatlas" and body.get("vertex_colors", False) is not False:
        return False
    form = body.get("format", "glb")
    bent = body.get("normal_map", False) is not False
    colored = body.get("vertex_colors", False) is not False
    if bent and (colored or "faces" not in body or form not in ("glb", "obj", "usdz")):
        return False
    if body.get("compression", "none") != "none" and form != "glb":
        return False
    if isinstance(body.get("seed"), int) and body["seed"] > 2**32 - 17:
        return False
    if body.get("cutout") in ("alpha", "grabcut", "rembg"):
        return False
    many = body.get("steps", 1) != 1 or "sampler" in body or body.get("reference") == "noised"
    sized = "texture_size" in body and body.get("vertex_colors", False) is not False
    return not many and not sized and all(value not in ([], "") for value in body.values())
