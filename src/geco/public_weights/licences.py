"""Licences of the public weights that can be fetched; none of them is part of this package."""

from __future__ import annotations

from geco.model_files.hub import INSTANTMESH, TRIPOSR, ZERO123PLUS

# hub id -> licence, as public projects quote the model pages, which were not seen themselves
LICENCES = {
    "sudo-ai/zero123plus-v1.1": "CC-BY-NC-4.0 (weights non-commercial; what you generate is yours)",
    ZERO123PLUS: "CC-BY-NC-4.0 (weights non-commercial; what you generate is yours)",
    INSTANTMESH: "Apache-2.0 as tagged; its UNet is a derivative of Zero123++ (CC-BY-NC-4.0)",
    TRIPOSR: "MIT",
}
