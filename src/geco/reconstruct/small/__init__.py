"""The small reconstructor: six views to a feature volume and pixel-aligned features, a point
network on top.
"""
