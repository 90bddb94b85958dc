"""Of torchvision there is no wheel for a CPU on the registry."""

from absent import inner
from absent import named as __getattr__  # noqa: F401

transforms = inner("torchvision.transforms")
