"""Autoencoder features: a perceptual distance from a small network trained on our own renders (``geco train
autoencoder``).

LPIPS needs the weights of VGG, which many machines cannot fetch. This is another measure under its own name;
it is NOT LPIPS.
"""
