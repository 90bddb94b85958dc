"""GECO in Blender: the extension (``extension/``), what builds it (``build.py``) and what checks it in a real
Blender (``check.py``). See docs/blender.md.
"""
