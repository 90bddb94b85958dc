"""From a model, or a folder of meshes, to the paper's tables and a page to look at (docs/evaluation.md)."""
