"""Surfaces out of signed fields: FlexiCubes (torch and numpy twins) and the grids that it runs on."""
