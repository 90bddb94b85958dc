"""Models on disk: cards, manifests, tensors, the hub, and the one door through which weights come in."""
