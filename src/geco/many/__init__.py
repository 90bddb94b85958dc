"""Many pictures to meshes: one maker for one process, for workers and for a cluster; a manifest of what is
done.
"""
