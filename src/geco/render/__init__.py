"""Meshes to pictures: z-buffers (numpy, numba, torch) and shading."""
