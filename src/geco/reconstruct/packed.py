"""Matrix products of a network that runs on a CPU, by oneDNN instead of torch's default library.

torch hands products in float32 to MKL, which takes half of what the vector units of a processor of another
maker can do (measured on a Zen 5 core: 100 against 215 GFLOP/s). oneDNN's are reached through operators that
torch's compiler uses (``torch.ops.mkldnn``); weights are put into its order once. Where a torch has no such
operators everything is computed as it always is.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Post = Literal["none", "gelu"]
# Own choice: below so many weights a layer is not worth the packing.
LEAST = 1 << 16
# Rows of scores at a time: 6 MB at 3,072 keys, within the last cache.
ROWS = 512
# Own choice: below so many scores a head torch's own attention is as fast.
FEW = 1 << 18


def can_pack() -> bool:
    """Whether this torch has oneDNN and its operators."""
    if not torch.backends.mkldnn.is_available():
        return False
    return hasattr(torch.ops.mkldnn, "_linear_pointwise") and hasattr(
        torch.ops.mkldnn, "_reorder_linear_weight"
    )


class PackedLinear(nn.Module):
    """``post(linear(x))`` for inference on a CPU.

    Args:
        linear: float32, on the CPU; not kept.
        dtype: of the product; what comes out has it too.
        rows: how many rows are expected, for the order of the weights.
        post: "gelu" by the error function, or nothing.
    """

    def __init__(
        self, linear: nn.Linear, dtype: torch.dtype = torch.float32, rows: int = 1024, post: Post = "none"
    ) -> None:
        super().__init__()
        self.dtype, self.post, self.packed = dtype, post, can_pack()
        weight = linear.weight.detach().to(dtype).contiguous()
        # Attributes rather than parameters: nothing that walks those can do anything with packed ones.
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, rows) if self.packed else weight
        self.bias = None if linear.bias is None else linear.bias.detach().to(dtype).clone()

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.dtype)
        if self.packed:
            return product(x, self.weight, self.bias, self.post)
        out = F.linear(x, self.weight, self.bias)
        return F.gelu(out) if self.post == "gelu" else out


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, post: Post = "none") -> Tensor:
    """(..., K) @ (N, K).T + bias by oneDNN; ``weight`` packed or plain."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, post, [], "none" if post == "gelu" else "")


def pack(module: nn.Module, dtype: torch.dtype = torch.float32, rows: int = 1024) -> None:
    """Put :class:`PackedLinear` in the place of every large Linear within ``module``, for good."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear) and child.weight.numel() >= LEAST:
            setattr(module, name, PackedLinear(child, dtype, rows))
        else:
            pack(child, dtype, rows)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scaled dot product attention of (B, H, N, D), (B, H, M, D), (B, H, M, D) -> (B, H, N, D).

    On a CPU without gradients, where there is much to do, a head and a few rows at a time: the scores are
    always float32, since what is rounded there is an exponent; the weights meet the values in their format.
    """
    much = q.shape[-2] * k.shape[-2] >= FEW and not torch.is_grad_enabled()
    if q.device.type != "cpu" or not much or q.dtype == torch.float64 or not can_pack():
        return F.scaled_dot_product_attention(q, k, v)
    out = torch.empty_like(q)
    scale = q.shape[-1] ** -0.5
    for queries, keys, values, place in zip(*(x.flatten(0, 1) for x in (q, k, v, out))):
        keys, turned = keys.float().contiguous(), values.T.contiguous()
        for rows, target in zip((queries.float() * scale).split(ROWS), place.split(ROWS)):
            weights = torch.softmax(product(rows.contiguous(), keys), dim=-1)
            if v.dtype == torch.float32:
                target.copy_(product(weights, turned))
            else:
                target.copy_(weights.to(v.dtype) @ values)
    return out
