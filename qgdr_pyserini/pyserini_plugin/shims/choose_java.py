"""Java that is new enough, before the JVM starts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

from qgdr_pyserini.pyserini_plugin.java import find_java, use_java


def choose_java(module: ModuleType) -> Iterator[None]:
    """Point ``JAVA_HOME`` and ``PATH`` at a Java that is new enough.

    Upstream: PyJNIus takes ``JAVA_HOME``, else whatever ``javac`` or ``java`` is on ``PATH``;
    `pyserini.eval.trec_eval` starts ``java`` from ``PATH`` whatever ``JAVA_HOME`` says. Below
    Java 21, Pyserini 1.6.0 and 2.x end in an ``UnsupportedClassVersionError``.
    https://github.com/castorini/pyserini/blob/master/pyserini/eval/trec_eval.py

    Does nothing once the JVM runs: it cannot be changed any more.
    """
    config = sys.modules.get("jnius_config")
    if config is None or not config.vm_running:
        use_java(find_java())
    yield
