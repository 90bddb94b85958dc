"""Adapters for foreign checkpoints, one file each."""
