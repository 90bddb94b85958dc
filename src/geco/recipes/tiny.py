"""Every stage in seconds on a CPU, at 16 pixels: for tests, and for trying a change end to end.
It learns next to nothing.
"""

from __future__ import annotations

from geco.metrics.features.config import AutoencoderConfig
from geco.multiview.small.config import SmallConfig
from geco.recipes.recipe import Length, Recipe
from geco.reconstruct.pixelnerf.config import PixelNeRFConfig
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.sampling import Sampling
from geco.training.autoencoder import AutoencoderOptions
from geco.training.pairs import PairOptions
from geco.training.pixelnerf_options import PixelNeRFOptions
from geco.training.reconstructor_options import ReconstructorOptions
from geco.training.stage1_options import Stage1Options
from geco.training.stage2 import Stage2Options
from geco.training.teacher import TeacherOptions

SIZE = 16
_FIELD = {
    "view_size": SIZE,
    "widths": (8, 8, 8),
    "lift_channels": 4,
    "map_channels": 5,
    "volume_size": 8,
    "volume_widths": (8, 8, 8),
    "volume_channels": 4,
    "view_hidden": 4,
    "point_hidden": 8,
    "color_hidden": 8,
}
_RADIANCE = PixelNeRFConfig(
    SIZE, (8, 8, 8, 16), (1, 1, 1, 1), features=8, hidden=16, blocks=2, read_blocks=1, coarse=8, fine=4
)


def tiny() -> Recipe:
    """Every stage of the small family in seconds, for tests: the smallest sizes, a few steps."""
    return Recipe(
        name="tiny",
        precision="no",
        multiview=SmallConfig(
            size=SIZE, channels=16, width=24, stages=1, heads=3, embedding=32, volume=8, volume_width=8
        ),
        reconstructor=SmallReconstructorConfig(**_FIELD),  # type: ignore[arg-type]
        regressor=SmallReconstructorConfig(**_FIELD, rig="input", own_color=1.0),  # type: ignore[arg-type]
        teacher=TeacherOptions(batch=4, average=0.9),
        reconstruction=ReconstructorOptions(batch=2, points=256, surface=64, average=0.9),
        regression=ReconstructorOptions(batch=2, points=256, surface=64, worsen=0.0, average=0.9),
        pixelnerf=_RADIANCE,
        radiance=PixelNeRFOptions(batch=2, rays=32, extra=1, views=2, average=0.9, rate=5e-3),
        autoencoder=AutoencoderConfig(widths=(8, 16, 16), latent=4),
        autoencoding=AutoencoderOptions(objects=2, targets=2, average=0.9),
        stage1=Stage1Options(
            2,
            1e-4,
            1e-4,
            guidance_scale=1.5,
            weighting="dmd",
            student_limit=5.0,
            teacher_clip=1.0,
            average=0.9,
            held_out=2,
            held_out_steps=3,
        ),
        pairs=PairOptions(steps=3, guidance_scale=1.5, clip=1.0, renders=6, chunk=2, size=SIZE),
        pair_count=4,
        resolution=16,
        texture_size=64,
        stage2=Stage2Options(batch=2, views=2, rate=1e-4, average=0.9),
        lengths={
            "teacher": Length(steps=40, warmup_steps=2),
            "reconstructor": Length(steps=60, warmup_steps=2),
            "regressor": Length(steps=60, warmup_steps=2),
            "pixelnerf": Length(steps=20, warmup_steps=2),
            "autoencoder": Length(steps=20, warmup_steps=2),
            "stage1": Length(steps=4, warmup_steps=1),
            "stage2": Length(steps=4, warmup_steps=1),
        },
        sampling=Sampling("ddim", steps=2, guidance_scale=1.5, eta=1.0, clip=1.0),
    )
