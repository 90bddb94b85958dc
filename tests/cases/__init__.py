"""Small inputs that once made GECO do the wrong thing, all drawn or written for this purpose (CC0).

Tests copy what they use: some of the cases are about a command that writes over its inputs.
"""

from pathlib import Path

BUGS = Path(__file__).parent / "bugs"
HOSTILE = Path(__file__).parent / "hostile"
