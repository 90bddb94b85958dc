"""How good a result is: pictures against pictures, meshes against meshes. Definitions in docs/metrics.md."""
