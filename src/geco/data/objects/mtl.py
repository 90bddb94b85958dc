"""Materials of OBJ files: the diffuse colour or picture, where that lies on the surface, and what
is not there to be seen.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from geco.data.objects.folder import Folder
from geco.data.objects.names import decode_name, spellings
from geco.data.objects.pictures import Pictures
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import ALL_HOLES, FAINTEST, MASK_CUTOFF
from geco.types import Bytes

# Options of a map statement, and how many words follow: one, two, or one to three numbers (Wavefront, Object
# Files MTL specification, "Options for texture map statements"; -bm and -type occur in the wild before map_Kd
# too).
_ONE = (
    *("-blenu", "-blendu", "-blenv", "-blendv", "-bm", "-boost", "-cc", "-clamp", "-imfchan"),
    *("-texres", "-type"),
)
_TWO = ("-mm",)
_NUMBERS = ("-o", "-s", "-t")
_IGNORED = ("-mm", "-t", "-clamp")  # change the picture, and are not applied: counted in the notes
_DARK = 1 / 255
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Map:
    """One map statement.

    Attributes:
        name: the file as it is named.
        scale, offset: (2,) of OBJ's texture coordinates, uv * scale + offset.
        ignored: options that change the picture and are not applied.
    """

    name: str
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    ignored: tuple[str, ...] = ()


@dataclass
class Finish:
    """One material.

    Attributes:
        color, glow: Kd and Ke, sRGB in [0, 1], or None.
        picture, mask, glow_picture: map_Kd, map_d, map_Ke.
        opacity: d; None where it is not said.
        clearness: Tr, which is 1 - d, but for some exporters d itself.
        beside: folder of the library.
    """

    color: tuple[float, ...] | None = None
    glow: tuple[float, ...] | None = None
    picture: Map | None = None
    mask: Map | None = None
    glow_picture: Map | None = None
    opacity: float | None = None
    clearness: float | None = None
    beside: str = field(default="")

    @property
    def shines(self) -> bool:
        """Whether its base is black and its colour that of its light, as baked models have it."""
        dark = self.picture is None and self.color is not None and max(self.color) < _DARK
        return dark and (self.glow_picture is not None or (self.glow is not None and max(self.glow) >= _DARK))

    @property
    def shown(self) -> Map | None:
        """The picture that is its colour."""
        return self.glow_picture if self.shines else self.picture

    @property
    def colored(self) -> bool:
        """Whether it says a colour."""
        return self.color is not None or self.picture is not None

    @property
    def tint(self) -> tuple[float, ...]:
        """(3,) what is multiplied with the picture: white where there is one, because exporters
        leave any Kd beside it.
        """
        color = self.glow if self.shines else self.color
        return color if color is not None and self.shown is None else (1.0, 1.0, 1.0)

    @property
    def notes(self) -> list[str]:
        """What of it is read otherwise than it says."""
        options = [f"option{option}" for option in self.shown.ignored] if self.shown else []
        masked = (
            ["mask-ignored"]
            if self.mask and (self.picture is None or self.mask.name != self.picture.name)
            else []
        )
        return options + masked + (["emission-as-colour"] if self.shines else [])

    def texture(self, folder: Folder, pictures: Pictures) -> tuple[Bytes | None, float]:
        """The picture and the alpha below which it has holes; raises ObjectError where it is
        missing or too large.
        """
        hidden = ALL_HOLES if self.opacity is not None and self.opacity < FAINTEST else 0.0
        if self.shown is None:
            return None, hidden
        decoded = pictures.decode_file(find_named(folder, self.shown.name, self.beside))
        masked = self.picture is not None and self.mask is not None and self.mask.name == self.picture.name
        return decoded, hidden or (MASK_CUTOFF if masked else 0.0)


def find_named(folder: Folder, name: str, beside: str) -> str:
    """The file of a statement's name: as it stands, without its quotes, or without a comment behind it."""
    first: ObjectError | None = None
    for each in spellings(name):
        try:
            return folder.find(each, beside)
        except ObjectError as error:
            if error.reason not in (Reason.MISSING, Reason.UNSUPPORTED):
                raise
            first = first or error
    assert first is not None
    raise first


def read_mtl(data: bytes, beside: str, name: str, most: int, tick: Callable[[], None]) -> dict[str, Finish]:
    """Materials by name, in the library's order.

    Args:
        beside: the library's folder. name: of the object, for messages.
        most: materials.
        tick: called now and then.

    Raises:
        ObjectError: too-large. ValueError: colours that are no numbers.
    """
    if data.startswith(_UTF16):
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    found: dict[str, Finish] = {}
    current = Finish()
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines()):
        if number % 4096 == 0:
            tick()
        word, rest = ([*line.split(None, 1), b"", b""])[:2]
        rest = rest.strip()
        match word.lower():
            case b"newmtl":
                current = found[decode_name(rest)] = Finish(beside=beside)
                if len(found) > most:
                    raise ObjectError(Reason.TOO_LARGE, f"{name}: more than {most} materials")
            case b"kd":
                current.color = _color(rest) or current.color
            case b"ke":
                current.glow = _color(rest) or current.glow
            case b"map_kd":
                current.picture = read_map(decode_name(rest))
            case b"map_ke":
                current.glow_picture = read_map(decode_name(rest))
            case b"map_d":
                current.mask = read_map(decode_name(rest))
            case b"d":
                current.opacity = _last_number(rest)
            case b"tr":
                current.clearness = _last_number(rest)
    _settle_opacity(found)
    return found


def read_map(text: str) -> Map | None:
    """A map statement: its options, then the file's name, which may hold spaces; None without a name."""
    values: dict[str, list[float]] = {}
    ignored = []
    while (found := re.match(r"(-[A-Za-z]+)\s+", text)) and found[1].lower() in (*_ONE, *_TWO, *_NUMBERS):
        option, text = found[1].lower(), text[found.end() :]
        if option in _NUMBERS:
            values[option] = []
            while (
                len(values[option]) < 3
                and (number := re.match(r"([-+.\deE]+)\s+", text))
                and _is_number(number[1])
            ):
                values[option].append(float(number[1]))
                text = text[number.end() :]
        else:
            words = text.split(None, 2 if option in _TWO else 1)
            used, text = words[:-1], words[-1] if len(words) > (2 if option in _TWO else 1) else ""
            if option == "-clamp" and used[:1] == ["off"]:
                continue
        if option in _IGNORED:
            ignored.append(option)
    scale, offset = (values.get(name, []) + [still] * 2 for name, still in (("-s", 1.0), ("-o", 0.0)))
    name = text.strip()
    return Map(name, (scale[0], scale[1]), (offset[0], offset[1]), tuple(ignored)) if name else None


def _settle_opacity(finishes: dict[str, Finish]) -> None:
    """Tr where there is no d. A library whose every material has Tr 1 means "opaque" by it, as
    old exporters do.
    """
    said = [finish for finish in finishes.values() if finish.clearness is not None]
    if all(finish.clearness == 1 for finish in said):
        return
    for finish in said:
        if finish.opacity is None and finish.clearness is not None:
            finish.opacity = 1 - finish.clearness


def _color(rest: bytes) -> tuple[float, ...] | None:
    words = rest.split()
    if not words or words[0] in (b"spectral", b"xyz"):
        return None
    if b"," in b"".join(words[:3]):
        raise ValueError(f"a colour with decimal commas: {decode_name(rest)[:40]!r}")
    numbers = []
    for word in words[:3]:
        if word.startswith(b"#"):
            break
        numbers.append(float(word))
    if len(numbers) not in (1, 3):
        raise ValueError(f"a colour of {len(numbers)} numbers: {decode_name(rest)[:40]!r}")
    color = tuple(min(max(value, 0.0), 1.0) for value in (numbers * 3 if len(numbers) == 1 else numbers))
    return None if any(value != value for value in color) else color


def _last_number(rest: bytes) -> float | None:
    """Of ``d 0.5`` and ``d -halo 0.5``; None for anything else."""
    for word in rest.split()[:2]:
        if _is_number(word):
            return float(word)
    return None


def _is_number(word: str | bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
