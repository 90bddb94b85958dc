"""Score distillation of one object: what a multi-view teacher takes for real, in minutes.

backend = load_teacher("models/small/teacher")
seen = GecoPipeline(backend).see("photo.png")
made = optimize(seen, backend, OptimizeOptions(method="vsd"), seed=0)
made.asset.save("photo.glb")
"""

from geco.optimize.make import Made, load_teacher, optimize, refine
from geco.optimize.options import OptimizeOptions
from geco.optimize.textured import read_result

__all__ = ["Made", "OptimizeOptions", "load_teacher", "optimize", "read_result", "refine"]
