"""What ONNX Runtime can run the networks on beside the CPU, and the devices' names: ``--device cuda``,
``directml``, ``coreml`` and ``openvino``, each from a package that takes onnxruntime's place.

The networks alone go there; fields at points, asked in many small pieces, stay on the CPU. Nothing falls
back silently: a provider that does not start is an error, and its views are compared with the CPU's when a
model is loaded (:mod:`geco.onnx_runtime.backend`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import onnxruntime

from geco.errors import ConfigError, GecoError
from geco.model_files.cache import user_cache

CPU = "CPUExecutionProvider"


@dataclass(frozen=True)
class Provider:
    """One of ONNX Runtime's execution providers.

    Attributes:
        device: its name on the command line. name: ONNX Runtime's.
        package: on PyPI, that holds it; "" where onnxruntime itself does.
        graphs: those that run there.
        least: PSNR (dB) of its views against the CPU's, below which it is refused.
        number: of the device, where there are several.
    """

    device: str
    name: str
    package: str
    graphs: tuple[str, ...] = ("views", "reconstruct")
    least: float = 50.0
    number: int = 0

    @property
    def command(self) -> str:
        """The line that installs it; two packages of ONNX Runtime overwrite each other's files."""
        return f"pip uninstall -y onnxruntime && pip install {self.package}"

    def options(self) -> dict[str, str]:
        """As ONNX Runtime wants them."""
        if self.device == "openvino":
            # bfloat16 where the processor has it: 36 to 45 dB from float32 on the examples, measured. A graph
            # takes 0.4 s to compile, and is kept.
            hint = {"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}}
            return {"device_type": "CPU", "load_config": json.dumps(hint), **_cache()}
        return {} if self.device == "coreml" else {"device_id": str(self.number)}

    def is_installed(self) -> bool:
        """Whether this ONNX Runtime has it."""
        return self.name in onnxruntime.get_available_providers()

    def check_installed(self) -> None:
        """Raise ConfigError, with the command that mends it, unless this ONNX Runtime has the provider."""
        if not self.is_installed():
            raise ConfigError(
                f"--device {self.device} needs ONNX Runtime's {self.name}, which is not installed",
                f"Run: {self.command}" if self.package else "It is part of onnxruntime on macOS.",
            )

    def check_started(self, session: Any) -> None:
        """Raise ConfigError unless a session has the provider: ONNX Runtime itself would go on with the
        CPU.
        """
        if self.name not in session.get_providers():
            raise ConfigError(
                f"--device {self.device}: ONNX Runtime's {self.name} does not start",
                "Are the device and its driver there? Or leave --device out.",
            )


PROVIDERS = (
    Provider("cuda", "CUDAExecutionProvider", "onnxruntime-gpu"),
    Provider("directml", "DmlExecutionProvider", "onnxruntime-directml"),
    Provider("coreml", "CoreMLExecutionProvider", ""),
    Provider("openvino", "OpenVINOExecutionProvider", "onnxruntime-openvino", ("views",), 30.0),
)


def provider_of(device: str) -> Provider | None:
    """The provider that a device names (``cuda``, ``cuda:1``, ``openvino``); None for any other name."""
    found = re.fullmatch(r"([a-z]+)(?::(\d+))?", device)
    for provider in PROVIDERS:
        if found is not None and found[1] == provider.device:
            if found[2] is not None and provider.device not in ("cuda", "directml"):
                return None
            return Provider(**{**vars(provider), "number": int(found[2] or 0)})
    return None


def devices() -> dict[str, str]:
    """Device -> "installed", or how it would be, for ``geco info``."""
    found = {"cpu": "installed"}
    for each in PROVIDERS:
        how = f"not installed ({each.command})" if each.package else "on macOS"
        found[each.device] = "installed" if each.is_installed() else how
    return found


def _cache() -> dict[str, str]:
    """Where OpenVINO keeps what it compiled; nowhere without a home."""
    try:
        return {"cache_dir": str(user_cache() / "openvino")}
    except GecoError:
        return {}
