"""The full-size family: Zero123++'s UNet with reference attention, its condition, its latents."""

import logging

# diffusers imports bitsandbytes where that is installed (extra train), which warns on some processors of a
# kernel for products of 4 bits that it does not find. Nothing here takes any.
logging.getLogger("bitsandbytes").addHandler(logging.NullHandler())
