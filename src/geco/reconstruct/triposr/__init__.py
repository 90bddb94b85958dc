"""TripoSR (VAST-AI-Research/TripoSR): one picture to a triplane, and from it a density field."""
