"""Low-rank adapters on one frozen backbone, in the full family at tiny width: whose pass it is, what is
shared, what an update counts, what bfloat16 leaves of it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.simulated import simulated
from geco.training.adapters import RANK, SCALE, Role, SharedBackbone
from geco.training.copies import copy_of, in_format
from tests.multiview import tiny
from tests.training.build import tiny_teacher

pytest.importorskip("peft")
NAMES = ("student", "generator")


def backbone(dtype: torch.dtype | None = None, recomputes: bool = False) -> SharedBackbone:
    """Adapters that have moved from their start, where they add nothing."""
    network = tiny.network()
    shared = SharedBackbone(network, NAMES, rank=2, dtype=dtype)
    if recomputes:
        network.recompute(shared.recomputed)
    rng = torch.Generator().manual_seed(7)
    for name in NAMES:
        for parameter in shared.parameters_of(name).values():
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=rng)
    return shared


def passes(network: Role | Zero123PlusNetwork, seed: int = 0) -> Tensor:
    """Write and read of two pictures: v."""
    rng = torch.Generator().manual_seed(seed)
    x, t = torch.randn(2, *tiny.SHEET, generator=rng), torch.tensor([100, 900])
    return network.predict(x, t, network.encode_condition(tiny.condition(2)), "v")


@pytest.mark.parametrize("rank", [4, RANK])
def test_the_scale_of_an_update_does_not_depend_on_the_rank(rank: int) -> None:
    def scales(alpha: float | None) -> set[float]:
        made = SharedBackbone(tiny_teacher(), ("student",), rank, alpha)
        return {scale for layer in made._layers for scale in layer.scaling.values()}

    assert scales(None) == {SCALE} and pytest.approx(108 / 64) == SCALE
    assert scales(6.0) == {6.0 / rank}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_bare_backbone_is_the_teacher_bit_for_bit(dtype: torch.dtype) -> None:
    plain = tiny.network()
    in_format(plain, dtype)
    shared = backbone(dtype)
    with torch.no_grad():
        roles = [passes(shared.role(name)) for name in (None, *NAMES, None)]
        truth = passes(plain)
    assert torch.equal(roles[0], truth) and torch.equal(roles[3], truth)
    assert not torch.equal(roles[1], truth) and not torch.equal(roles[1], roles[2])


def test_all_roles_share_the_backbones_memory_and_adapters_stay_in_float32() -> None:
    shared = backbone(torch.bfloat16)
    before = {p.data_ptr() for p in shared.network.parameters()}
    roles = [shared.role(name) for name in (None, *NAMES)]
    assert len({id(role.backbone.network) for role in roles}) == 1
    trained = [{p.data_ptr() for p in role.module.parameters()} for role in roles]
    assert not trained[0] and not trained[1] & trained[2] and trained[1] | trained[2] < before
    frozen = [p for p in shared.network.parameters() if p.data_ptr() not in trained[1] | trained[2]]
    assert {p.dtype for p in frozen} == {torch.bfloat16} and not any(p.requires_grad for p in frozen)
    assert sum(p.numel() for p in frozen) == sum(p.numel() for p in tiny.network().parameters())
    for role in roles[1:]:
        assert all(p.dtype == torch.float32 and p.requires_grad for p in role.module.parameters())
    passes(roles[2]).sum().backward()
    assert {p.data_ptr() for p in shared.network.parameters()} == before


def gradients(shared: SharedBackbone) -> Iterator[Tensor]:
    for name in NAMES:
        for parameter in shared.parameters_of(name).values():
            assert parameter.grad is not None
            yield parameter.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_recomputed_activations_are_those_of_the_role_that_made_them(dtype: torch.dtype) -> None:
    """Forward passes of all roles before the first backward pass, and another role active during it."""
    found = []
    for recomputes in (False, True):
        shared = backbone(dtype, recomputes)
        student, generator, teacher = (shared.role(name) for name in (*NAMES, None))
        first = passes(generator, seed=1)
        with torch.no_grad():
            passes(teacher)
        second = passes(student, seed=2)
        with shared.active("student"):
            first.float().square().sum().backward()
        with torch.no_grad():
            passes(teacher)
        second.float().square().sum().backward()
        found.append(list(gradients(shared)))
        assert shared._adapter is None
    for plain, again in zip(*found):
        assert torch.equal(plain, again)


def test_a_pass_inside_a_pass_and_an_error_leave_the_role_as_it_was() -> None:
    shared = backbone()
    with shared.active("generator"):
        with torch.no_grad():
            passes(shared.role("student"))
        assert shared._adapter == "generator"
        with pytest.raises(ValueError), shared.active(None):
            raise ValueError
        assert shared._adapter == "generator"
    assert shared._adapter is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_merged_network_is_its_role_in_float32(dtype: torch.dtype) -> None:
    shared = backbone(dtype, recomputes=True)
    merged = shared.merged("generator")
    plain = tiny.network()
    assert merged.state_dict().keys() == plain.state_dict().keys()
    assert {value.dtype for value in merged.state_dict().values()} == {torch.float32}
    with torch.no_grad():
        role, own, teacher = (passes(n) for n in (shared.role("generator"), merged, shared.role(None)))
    apart = float((own - role).abs().max())
    # the role's passes round to 8 bits at every layer, the merged network's do not
    assert apart < (1e-5 if dtype == torch.float32 else 0.05 * float(role.abs().max()))
    assert apart < 0.2 * float((teacher - role).abs().max())


def test_updates_too_small_for_bfloat16_are_in_the_merged_weights() -> None:
    shared = SharedBackbone(tiny.network(), NAMES, rank=2, dtype=torch.bfloat16)
    layer = shared.network.unet.conv_in
    with torch.no_grad():
        layer.lora_B["generator"].weight += 1e-6
    update = layer.get_delta_weight("generator").detach()
    base = layer.get_base_layer().weight
    assert torch.equal((base.float() + update).bfloat16(), base) and float(update.abs().max()) > 0
    merged = shared.merged("generator").unet.conv_in.weight
    torch.testing.assert_close(merged - base.float(), update, rtol=0, atol=3e-8)


def test_a_copy_has_weights_of_its_own_in_the_format_asked_for() -> None:
    network = tiny.network()
    network.recompute()
    again, half = copy_of(network), copy_of(network, torch.bfloat16)
    for (name, a), b, c in zip(network.named_parameters(), again.parameters(), half.parameters()):
        assert torch.equal(a, b) and a.data_ptr() != b.data_ptr() and a.requires_grad == b.requires_grad, name
        assert torch.equal(a.bfloat16(), c), name
    with torch.no_grad():
        assert torch.equal(passes(network), passes(again))


def test_roles_and_copies_can_be_simulated() -> None:
    def held(module: nn.Module) -> int:
        return sum(-(-p.numel() * p.element_size() // 512) * 512 for p in module.parameters())

    with simulated() as run:
        network = tiny.network()
        half = copy_of(network, torch.bfloat16)
        assert run.live == held(network) + held(half)
        del half
        gc.collect()  # a network's passes know it
        shared = SharedBackbone(network, NAMES, rank=2, dtype=torch.bfloat16)
        network.recompute(shared.recomputed)
        assert run.live == held(network)
        passes(shared.role("generator")).sum().backward()
        assert all(p.grad is not None for p in shared.parameters_of("generator").values())


def test_the_network_has_linear_layers_and_convolutions_to_adapt() -> None:
    shared = SharedBackbone(tiny.network(), NAMES, rank=2)
    kinds = {type(layer.get_base_layer()) for layer in shared._layers}
    assert kinds == {nn.Linear, nn.Conv2d}
