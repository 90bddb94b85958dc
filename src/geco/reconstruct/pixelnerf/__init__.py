"""PixelNeRF (Yu et al. 2021, arXiv 2012.02190): a radiance field of features that lie in the pictures."""
