"""Labelled points of each object beside its shards: what supervises a reconstructor. No torch here."""
