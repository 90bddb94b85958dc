"""ONNX Runtime sessions of an exported model's files, checked and opened quickly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from geco.cores import physical_cores
from geco.errors import GecoError, WeightsError
from geco.memory import is_shortage
from geco.onnx_runtime.forked import ForkedSession
from geco.onnx_runtime.graph import wanted_weights
from geco.onnx_runtime.providers import CPU, Provider
from geco.onnx_runtime.weights import Form, Weights, formed
from geco.types import Floats

# How ONNX Runtime cuts a product into parts, and so the last bits of its sums, depends on the number of
# threads. Up to four the embedded model's numbers are the same to the bit; with five, six, eight or more they
# are not.
MOST_THREADS = 4


def own_threads() -> int:
    """Threads of one operator where nobody says: the physical cores, as long as the number of
    them changes no result.
    """
    return min(physical_cores(), MOST_THREADS)


def open_session(
    data: bytes, weights: Weights, threads: int | None = None, provider: Provider | None = None
) -> onnxruntime.InferenceSession:
    """A session of a graph, given the weights that it asks for.

    ONNX Runtime reads the arrays where they are: they must live at least as long as the session.

    Args:
        weights: name -> array; others than the graph's own are left out.
        threads: of one operator; None takes :func:`own_threads`.
        provider: where it runs; None: on the CPU.

    Raises:
        ConfigError: the provider does not start.
        ValueError: the graph asks for something that is not there, or of another type or shape. ONNX
            Runtime's own errors where it is no graph.
    """
    given = {}
    for name, wanted in wanted_weights(data).items():
        array = weights.get(name)
        if array is None:
            raise ValueError(f"it asks for weights that are not there: {name!r}")
        if (array.dtype.name, array.shape) != (wanted.dtype, wanted.shape):
            raise ValueError(
                f"it wants {name!r} as {wanted.dtype} {wanted.shape}, but that is {array.dtype} {array.shape}"
            )
        given[name] = onnxruntime.OrtValue.ortvalue_from_numpy(array)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or own_threads()
    options.inter_op_num_threads = 1
    # Threads that wait sleep. Spinning they take half as much CPU time again, and beside other busy
    # processes, where the one that they wait for has to wait itself, a picture takes half as long again.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # fatal: errors come as exceptions, not as lines on the terminal too
    if given:
        options.add_external_initializers(list(given), list(given.values()))
    providers: list[Any] = [CPU]
    if provider is not None:
        options.enable_mem_pattern = provider.device != "directml"  # which does not work with it
        providers = [(provider.name, provider.options()), CPU]
    # Without ONNX Runtime's own second try, which prints to standard output.
    session = onnxruntime.InferenceSession(data, options, providers=providers, enable_fallback=0)
    if provider is not None:
        provider.check_started(session)
    return session


class Network:
    """One exported graph with its weights. Calling it with named arrays gives its outputs in order.

    Args:
        path: the graph's file, for errors. data: its checked bytes.
        weights: of the half of the model that the graph is of; kept as long as this is.
        forms: in which the graph wants some of them.
        threads, provider: see :func:`open_session`.

    Raises:
        WeightsError: it is no graph for this version of ONNX Runtime, or the weights do not fit it.
    """

    def __init__(
        self,
        path: Path,
        data: bytes,
        weights: Weights,
        forms: Mapping[str, Form],
        threads: int | None = None,
        provider: Provider | None = None,
    ) -> None:
        self.path = path
        try:
            given = formed(weights, forms)
            self._session = ForkedSession(lambda: open_session(data, given, threads, provider))
        except GecoError:
            raise
        except Exception as error:  # ONNX Runtime has eight kinds of its own, and some of Python's
            raise _failure(error, f"ONNX Runtime cannot load {path}") from error
        self.inputs = [item.name for item in self._session.get().get_inputs()]
        # of each input's last axis; 0 where it may be of any length
        shapes = [item.shape for item in self._session.get().get_inputs()]
        self.widths = [shape[-1] if shape and isinstance(shape[-1], int) else 0 for shape in shapes]

    def expect(self, inputs: Sequence[str], outputs: int | None) -> Network:
        """Itself, after making sure that its first inputs have these names and that it has so
        many outputs.
        """
        count = len(self._session.get().get_outputs())
        if self.inputs[: len(inputs)] != list(inputs) or (outputs is not None and count != outputs):
            signature = f"{', '.join(self.inputs)} to {count} outputs"
            raise WeightsError(f"{self.path} is another graph ({signature})", "Export the model again.")
        return self

    def __call__(self, **arrays: NDArray[Any]) -> list[Floats]:
        """The outputs, in order; raises :class:`WeightsError` where the graph cannot do with these arrays."""
        try:
            return list(self._session.get().run(None, arrays))
        except Exception as error:
            raise _failure(error, f"{self.path} does not run") from error


def _failure(error: Exception, problem: str) -> Exception:
    """The error to raise for one of ONNX Runtime's: too little memory is no fault of the file."""
    if is_shortage(error):
        return error
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    return WeightsError(f"{problem}: {why}", "Update onnxruntime, or export the model again.")
