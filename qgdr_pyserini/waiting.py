"""Threads that sleep while they wait."""

from __future__ import annotations

import os
import sys


def wait_passively() -> bool:
    """Keep torch's idle threads from taking the processors that FAISS's need, and the reverse.

    Both bring an OpenMP, whose threads go on spinning for milliseconds after their work is done. The setting
    is read when the libraries are loaded.
    https://gcc.gnu.org/onlinedocs/libgomp/OMP_005fWAIT_005fPOLICY.html

    Returns
    -------
    bool
        Whether it had an effect: not where the user has chosen, or torch or FAISS is loaded already.
    """
    ours = not {"torch", "faiss"} & set(sys.modules) and "OMP_WAIT_POLICY" not in os.environ
    if ours:
        os.environ["OMP_WAIT_POLICY"] = "passive"
    return ours
