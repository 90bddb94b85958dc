"""Where a training runs: device, number format, and the other processes; accelerate behind a narrow face.

One process by itself, or many started by ``torchrun``. A step's micro-batches are numbered, and the processes
share them out, so that any number of them computes the same step (:mod:`geco.training.gradients`).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, cast

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from geco.device import choose, has_bf16
from geco.errors import ConfigError
from geco.memory import peak
from geco.timing import cpu_name
from geco.training.sharding import Sharding

Precision = Literal["no", "bf16", "fp16"]
Parallel = Literal["ddp", "fsdp"]  # every process holds whole networks, or its pieces of them
Function = TypeVar("Function", bound=Callable[..., Any])


class Machine:
    """One process of a training.

    Args:
        precision: "bf16" or "fp16" compute matrix products and convolutions in that format; weights stay in
            float32. "fp16" scales the loss and needs CUDA. "bf16" becomes "no" on a device that would only
            emulate it.
        device: "cpu", "cuda", "cuda:1" or "mps", or None for what is there. Of several processes each takes a
            CUDA device of its own, so "cuda" then has no number.
        threads: of the CPU; None leaves torch's own choice.
        compiles: whether :meth:`compiled` does. The first step then takes a minute or two longer.
        parallel: how several processes hold what a stage gives to :meth:`shard`.

    Raises:
        ConfigError: a device that is not there, with a format, or with a number for several processes.
    """

    def __init__(
        self,
        precision: Precision = "no",
        device: str | None = None,
        threads: int | None = None,
        compiles: bool = False,
        parallel: Parallel = "ddp",
    ) -> None:
        self.compiles, self.parallel = compiles, parallel
        if threads is not None:
            torch.set_num_threads(threads)
        # one format a process is accelerate's rule; tests and notebooks make several machines
        AcceleratorState._reset_state()
        place = training_device(device, int(os.environ.get("WORLD_SIZE", "1")))
        self.precision: Precision = precision if computes(place, precision) else "no"
        if place.type == "cuda":  # shapes stay the same from step to step
            torch.backends.cudnn.benchmark = True
            torch.set_float32_matmul_precision("high")
            if place.index is not None:
                torch.cuda.set_device(place)
        meet_again(place)
        self._accelerator = Accelerator(cpu=place.type == "cpu", mixed_precision=self.precision)
        # accelerate gives each of several processes a CUDA device, and numbers what is only one
        numbered = place.type == "cuda" and place.index is None
        self.device: torch.device = self._accelerator.device if numbered else place
        scales = self.precision == "fp16"
        self.scaler = torch.amp.GradScaler(place.type) if scales else None
        sharded = parallel == "fsdp" and self.world > 1
        self._sharding = Sharding(self.device, self.world) if sharded else None
        if self.precision != precision and self.leads:
            why = "would only emulate bfloat16" if precision == "bf16" else "has no float16 training"
            print(f"training in float32: this {place.type} {why}", file=sys.stderr, flush=True)

    @property
    def draws(self) -> torch.device:
        """Where a step's random numbers are drawn: a batch of noise takes a CPU longer than the
        step takes a CUDA device.
        """
        return self.device if self.device.type == "cuda" else torch.device("cpu")

    @property
    def rank(self) -> int:
        """0 for the process that writes files."""
        return int(self._accelerator.process_index)

    @property
    def world(self) -> int:
        """How many processes train together."""
        return int(self._accelerator.num_processes)

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, accumulate: int) -> range:
        """Which of a step's micro-batches, 0 to ``accumulate`` - 1, are this process's.

        Raises:
            ConfigError: the processes cannot share them out evenly.
        """
        if accumulate % self.world:
            many = f"{accumulate} micro-batch{'es' if accumulate > 1 else ''} a step"
            even = -(-accumulate // self.world) * self.world
            raise ConfigError(
                f"{many} cannot be shared out evenly by {self.world} processes",
                f"Give --set accumulate={even}, with a lower batch where a step shall see as many samples "
                "as before; or start a number of processes that divides it.",
            )
        return range(self.rank, accumulate, self.world)

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """The context in which networks compute in the chosen format; losses are taken outside of
        it, in float32.
        """
        return cast("contextlib.AbstractContextManager[None]", self._accelerator.autocast())

    def compiled(self, function: Function) -> Function:
        """``function`` of tensors by torch.compile, where that was asked for: its small operations become
        few, forwards and backwards.
        """
        if not self.compiles:
            return function
        return cast(Function, torch.compile(function, dynamic=False))

    @property
    def shards(self) -> bool:
        """Whether processes hold pieces of networks: then all of them must take every pass together."""
        return self._sharding is not None

    def shard(self, network: nn.Module) -> None:
        """Keep only this process's piece of ``network`` from here on, where that was asked for; its
        optimisers are made later.
        """
        if self._sharding is not None:
            self._sharding.shard(network)

    def settle(self) -> None:
        """After passes and before weights are looked at: gathered weights are let go."""
        if self._sharding is not None:
            self._sharding.settle()

    def whole(self, network: nn.Module) -> nn.Module | None:
        """``network`` to be saved, in the process that leads; of a sharded one a plain copy on the CPU, for
        which every process must call.
        """
        if self._sharding is not None:
            return self._sharding.whole(network, self.leads)
        return network if self.leads else None

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of ``loss``, scaled up where the format needs it."""
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in each of them."""
        return tensor if self.world == 1 else cast(Tensor, self._accelerator.reduce(tensor, reduction="sum"))

    def total(self, value: float) -> float:
        """The sum over all processes."""
        if self.world == 1:
            return value
        return float(self.summed(torch.tensor([value], dtype=torch.float64, device=self.device))[0])

    def gathered(self, values: Mapping[str, list[float]]) -> dict[str, list[float]]:
        """Lists of all processes joined by name, in every process; names may be missing in some."""
        everyones: list[Any] = [values]
        if self.world > 1:
            everyones = [None] * self.world
            torch.distributed.all_gather_object(everyones, dict(values))
        joined: dict[str, list[float]] = {}
        for one in everyones:
            for name, found in one.items():
                joined.setdefault(name, []).extend(found)
        return joined

    def agree(self, value: float) -> float:
        """Rank 0's value in every process: whether to stop must not depend on whose clock is ahead."""
        return self.total(value if self.leads else 0.0)

    def wait(self) -> None:
        """Until every process has come here."""
        self._accelerator.wait_for_everyone()

    def describe(self) -> str:
        """What it computes on: "4 x NVIDIA H100", "Intel Xeon Gold, 2 threads"."""
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        elif self.device.type == "cpu":
            threads = torch.get_num_threads()
            name = f"{cpu_name()}, {threads} thread{'s' if threads > 1 else ''}"
        else:
            name = f"{self.device.type} on {cpu_name()}"
        return f"{self.world} x {name}" if self.world > 1 else name

    def peak_memory(self) -> int:
        """Bytes: of the GPU where there is one, else of the process; 0 where the system does not tell."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return peak() or 0


def meet_again(place: torch.device) -> None:
    """Bring the processes of one machine together that torchrun started again after one had died.

    They meet where the dead ones met, and would read those addresses before the new ones are there (a race
    that torch 2.13 loses now and then). Of several machines only torchrun can tell the restarts apart.
    """
    told = {name: os.environ.get(f"TORCHELASTIC_{name}") for name in ("USE_AGENT_STORE", "RESTART_COUNT")}
    again, here = told["USE_AGENT_STORE"] == "True", os.environ.get("LOCAL_WORLD_SIZE")
    restarts, world = told["RESTART_COUNT"] or "0", os.environ.get("WORLD_SIZE", "1")
    if restarts == "0" or not again or here != world or torch.distributed.is_initialized():
        return
    where, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = torch.distributed.TCPStore(where, port, int(world), is_master=False)
    torch.distributed.init_process_group(
        "nccl" if place.type == "cuda" else "gloo",
        store=torch.distributed.PrefixStore(f"restart-{restarts}", store),
        rank=int(os.environ["RANK"]),
        world_size=int(world),
    )


def training_device(name: str | None, processes: int) -> torch.device:
    """Where one of ``processes`` trains; arguments and errors as of :class:`Machine`."""
    if name is not None and "," in name:
        raise ConfigError(
            f"--device {name}: a training's number format is the recipe's",
            f"Give --device {name.partition(',')[0]} and --set precision=bf16, fp16 or no.",
        )
    place = choose(name, purpose="training").device
    if place.index is not None and processes > 1:
        raise ConfigError(
            f"--device {name} is one device for {processes} processes",
            f"Give --device {place.type}: each takes one of its own; CUDA_VISIBLE_DEVICES says which.",
        )
    return place


def computes(device: torch.device, precision: Precision) -> bool:
    """Whether ``device`` trains in that format by itself; float32 takes its place where not."""
    if precision == "bf16":
        return has_bf16(device)
    return precision == "no" or device.type == "cuda"
