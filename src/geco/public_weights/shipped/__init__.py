"""What travels in an exported diffusers folder: files that run without this package, on diffusers, torch and
numpy alone (:mod:`geco.public_weights.diffusers_files` puts them together).

They say again, in one file a pipeline, what the rooms of this package say in many; tests run both on the same
noise and want the same views, to the bit.
"""
