"""Fields to a textured mesh without leaving the accelerator: the torch twins of isosurface, mesh and photo.

What waits for the device does so through `waits` alone; sums come out the same on every run (`groups`).
"""
