"""Six views in, a textured surface out."""
