"""The full-size family: Zero123++'s UNet with reference attention, its condition, its latents."""
