"""Score distillation of each object as a method (:mod:`geco.optimize`)."""

from __future__ import annotations

import time
from typing import Any

from geco.errors import ConfigError, GecoError
from geco.evaluate.job import Job, MethodResult, peak_memory
from geco.evaluate.methods import Method, score_distillation


class OptimizeRunner:
    """A teacher that distils every picture for itself; the mesh is the optimised one, bare, and there are no
    views beside it.

    Attributes:
        facts: as a model's, of the teacher; ``optimize`` has the numbers of the optimisation.
    """

    def __init__(self, method: Method, device: str | None) -> None:
        from geco.optimize import OptimizeOptions, load_teacher
        from geco.pipeline import GecoPipeline

        start = time.perf_counter()
        self.backend = load_teacher(method.source, device)
        self.pipeline = GecoPipeline(self.backend)
        seconds = time.perf_counter() - start
        known = {"steps": "steps", "guidance": "guidance_scale"}
        asked: dict[str, Any] = {known[name]: value for name, value in method.steering.asked.items()}
        try:
            self.options = OptimizeOptions(method=score_distillation(method.name), **asked)
        except ConfigError as error:
            raise ConfigError(f"{method.name}: {error.problem}", error.remedy) from error
        card = self.pipeline.card
        self.facts = {
            "model": card.name,
            "licence": card.licence,
            "load_seconds": seconds,
            "sampling": None,
            "optimize": self.options.to_dict(),
        }

    def run(self, job: Job) -> MethodResult:
        """The optimisation from nothing, then its mesh."""
        from geco.asset_options import AssetOptions
        from geco.optimize import optimize

        seen = self.pipeline.see(job.picture)
        outcome = MethodResult()
        start = time.perf_counter()
        try:
            bare = AssetOptions(projection=False, outline=False)
            asset = optimize(seen, self.backend, self.options, job.seed, bare).asset
            outcome.meshes["bare"], outcome.facts["bare"] = asset.mesh, asset.facts
        except GecoError as error:
            outcome.meshes["bare"], outcome.facts["bare"] = str(error), {}
        seconds = time.perf_counter() - start
        stages = {"picture": seen.seconds, "optimize": seconds, "total": seen.seconds + seconds}
        outcome.stages["bare"] = stages
        outcome.peak_mb, outcome.gpu_mb = peak_memory()
        return outcome
