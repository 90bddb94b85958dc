"""Muon's update is orthogonal, whatever the gradient's scale and shape."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from geco.training.muon import Muon, make_optimizers, orthogonalize


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_singular_values_are_near_one(shape: tuple[int, int], scale: float) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * scale
    values = torch.linalg.svdvals(orthogonalize(matrix).float())
    assert values.min() > 0.4 and values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    # the same directions: close to the polar factor
    assert (
        torch.nn.functional.cosine_similarity(
            orthogonalize(matrix).float().flatten(), (u @ v).flatten(), dim=0
        )
        > 0.97
    )


def test_step_length_does_not_depend_on_the_gradient() -> None:
    steps = []
    for scale in (1e-3, 10.0):
        parameter = nn.Parameter(torch.zeros(6, 4, 3, 3))
        optimizer = Muon([parameter], lr=0.1)
        parameter.grad = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(1)) * scale
        optimizer.step()
        steps.append(parameter.detach().clone())
    torch.testing.assert_close(steps[0], steps[1], atol=1e-3, rtol=0.02)
    assert steps[0].norm() == pytest.approx(0.1 * 6**0.5, rel=0.25)


def test_matrices_of_one_shape_move_as_they_would_alone() -> None:
    generator = torch.Generator().manual_seed(2)
    gradients = [torch.randn(6, 8, generator=generator) for _ in range(3)]
    together, alone = ([nn.Parameter(torch.zeros(6, 8)) for _ in gradients] for _ in range(2))
    optimizers = [Muon(together, lr=0.1), *(Muon([parameter], lr=0.1) for parameter in alone)]
    for parameters in (together, alone):
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient.clone()
    for optimizer in optimizers:
        optimizer.step()
    for mine, single in zip(together, alone):
        torch.testing.assert_close(mine, single, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(together[0], together[1])


def test_every_parameter_has_one_optimizer() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Linear(4, 4))
    network[2].weight.requires_grad_(False)
    optimizers = make_optimizers(network, ("0",))
    held = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    wanted = [p for p in network.parameters() if p.requires_grad]
    assert len(held) == len(wanted) and {id(p) for p in held} == {id(p) for p in wanted}
    assert len(optimizers) == 1  # the only trainable matrix was asked to stay with AdamW
    assert len(make_optimizers(network)) == 2
