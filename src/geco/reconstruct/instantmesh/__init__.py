"""The InstantMesh reconstructor (TencentARC/InstantMesh): six posed views to a triplane, and from
it a NeRF or a mesh.
"""
