"""Every number of the optimisation, with where it is from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from geco.checked import Checked, amount, choice, count, or_none, share, shares, whole, wholes
from geco.errors import ConfigError
from geco.sampling import Reference
from geco.training.vsd import Weighting

Method = Literal["sds", "vsd"]


@dataclass(frozen=True)
class OptimizeOptions(Checked):
    """How one object is optimised. Own choices, made on the small teacher, where nothing else is said.

    Attributes:
        method: "sds" (DreamFusion, arXiv 2209.14988) or "vsd" (ProlificDreamer, arXiv 2305.16213).
        steps: updates of the object; refine_steps: of a refinement where nothing else is asked for.
        mesh_part: part of the steps that the mesh has, after the volume.
        guidance_scale: of the teacher's score; None: as the teacher draws views.
        t_range: part of the timesteps at the start, t_end: at the end, to which it falls evenly: shape first,
            details last, as DreamTime (arXiv 2306.12422) orders them; ProlificDreamer ends at 0.5 too.
        reference: how the networks read the picture: "clean", as Stage I's (GECO, section 3.1), or "noised"
            to each score's level, as the public Zero123++ was trained.
        weighting: w(t), see :func:`geco.training.vsd.vsd_gradient`.
        warmup: part of VSD's steps that are SDS's, so that the student has something to learn from; 0 in
            ProlificDreamer, whose runs are a hundred times as long.
        particles: objects that share the student; the one that agrees best with the picture is kept.
        student_share: part of VSD's other prediction that is the student's, the rest SDS's; 1 in
            ProlificDreamer. In short runs the student knows the object too little: with all of it, colours
            drift along the teacher's guidance and nothing calls them back.
        rank: of the student's low-rank adapters (ProlificDreamer's LoRA); None trains a copy of the teacher.
        student_rate: Adam's, of the student (ProlificDreamer 1e-4). student_repeats: its updates a step.
        student_limit: clip of its loss weight 1 / noise_level^2.
        rate: Adam's, of the volume's distances.
        color_rate: of the volume's colours. mesh_rate: of the mesh's distances (in cells), deformation and
            weights; mesh_color_rate: of its colours.
        camera_rate: of the input camera, once it was found.
        cells: of the volume, coarse to fine, each for an equal part of its steps. mesh_cells: of the mesh.
        view_size: pixels that views are rendered at most; None: the teacher's own.
        edge: width of the density's edge at the volume's start and end, parts of the cube's half side.
        score_weight: of the score, whose mean is over six views and weighed by w(t). picture_weight,
            mask_weight: of the input view's colours and outline.
        renders: updates that a score serves: it costs more than they do, and changes more slowly.
        smooth: of the surface's bending; even: of the distances' gradient, which should be 1 long;
            color_smooth: of the colours. Of the mesh: mesh_smooth of its bending, deviation of FlexiCubes'
            own regulariser (its paper's equation 8).
        picture_size: pixels of the input view in a refinement. offset_rate, texel_rate: Adam's, of its
            vertices (world units) and its texture. anchor: of its views away from the picture against the
            start's; offset_smooth: of neighbours moved alike; refine_score: of its score.
        preview_steps: between two previews.
        patience: steps without a better picture term before the run ends early; None: never.
    """

    method: Method = choice("sds", get_args(Method))
    steps: int = count(300)
    refine_steps: int = count(60)
    mesh_part: float = share(0.4)
    guidance_scale: float | None = amount(None)
    t_range: tuple[float, float] = shares((0.3, 0.9), 2)
    t_end: tuple[float, float] = shares((0.02, 0.5), 2)
    reference: Reference = choice("clean", get_args(Reference))
    weighting: Weighting = choice("sigma2", get_args(Weighting))
    warmup: float = share(0.4)
    particles: int = whole(1, 1, 16)
    student_share: float = share(0.5)
    rank: int | None = whole(None, 1, 1024)
    student_rate: float = amount(1e-4)
    student_repeats: int = count(1)
    student_limit: float | None = or_none(amount(5.0))
    rate: float = amount(0.02)
    color_rate: float = amount(0.1)
    mesh_rate: float = amount(0.02)
    mesh_color_rate: float = amount(0.03)
    camera_rate: float = amount(0.002)
    cells: tuple[int, ...] = wholes((32, 64), 8, 256)
    mesh_cells: int = whole(64, 8, 256)
    view_size: int | None = whole(None, 16, 1024)
    edge: tuple[float, float] = shares((0.1, 0.01), 2)
    score_weight: float = amount(4.0)
    renders: int = count(2)
    picture_weight: float = amount(1.0)
    mask_weight: float = amount(1.0)
    smooth: float = amount(0.01)
    even: float = amount(0.01)
    color_smooth: float = amount(0.001)
    mesh_smooth: float = amount(0.01)
    deviation: float = amount(0.01)
    picture_size: int = whole(192, 16, 1024)
    offset_rate: float = amount(0.0005)
    texel_rate: float = amount(0.01)
    anchor: float = amount(4.0)
    offset_smooth: float = amount(0.01)
    refine_score: float = amount(0.1)
    preview_steps: int = count(25)
    patience: int | None = whole(None, 1, 100_000)

    def check(self) -> None:
        """Ranges that fit each other."""
        for name, part in (("t_range", self.t_range), ("t_end", self.t_end)):
            if part[0] >= part[1]:
                raise ConfigError(f"{name} {part} is no part of the timesteps", "The smaller first.")
        if min(self.edge) <= 0 or self.edge[1] > self.edge[0]:
            raise ConfigError(f"edge {self.edge} does not get sharper", "Give two parts, the larger first.")
