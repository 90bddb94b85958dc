"""ONNX Runtime's sessions over a fork: threads do not come along, so the child must neither use nor end a
parent's session.

A session's pool of threads is there in the child's memory and nowhere else. Running the session would wait
for them for ever, and so would its destructor, at the latest when the child ends.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable

import onnxruntime


class ForkedSession:
    """A session that is opened again in a forked child that wants it, and left alone in one that does not.

    Args:
        open_session: opens it; what it raises, this does too.
    """

    def __init__(self, open_session: Callable[[], onnxruntime.InferenceSession]) -> None:
        self._open = open_session
        self._session = open_session()
        self._process = os.getpid()
        _keep_after_fork(self._session)

    def get(self) -> onnxruntime.InferenceSession:
        """The session of this process."""
        if self._process != os.getpid():
            self._session = self._open()
            self._process = os.getpid()
            _keep_after_fork(self._session)
        return self._session


def _keep_after_fork(session: onnxruntime.InferenceSession) -> None:
    """In every forked child, keep ``session`` from ever being destroyed."""
    if not hasattr(os, "register_at_fork"):  # Windows has no fork
        return
    known = weakref.ref(session)  # a handler stays for good, the session must not

    def keep() -> None:
        if (found := known()) is not None:
            # One reference that nobody gives back, not even the end of the interpreter.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(found._sess))

    os.register_at_fork(after_in_child=keep)
