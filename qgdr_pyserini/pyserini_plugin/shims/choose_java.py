"""Java that is new enough, before the JVM starts."""

from __future__ import annotations

import sys
from types import ModuleType

from qgdr_pyserini.pyserini_plugin.java import find_java, passed_over, use_java
from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"


def choose_java(module: ModuleType) -> Shim:
    """Point ``JAVA_HOME`` and ``PATH`` at a Java that is new enough.

    Upstream: PyJNIus takes ``JAVA_HOME``, else whatever ``javac`` or ``java`` is on ``PATH``;
    `pyserini.eval.trec_eval` starts ``java`` from ``PATH`` whatever ``JAVA_HOME`` says. Below
    Java 21, Pyserini (1.6.0 to 2.4.0) ends in an ``UnsupportedClassVersionError``.
    https://github.com/castorini/pyserini/blob/master/pyserini/eval/trec_eval.py

    Says so in one line on stderr where it does not take the Java in ``JAVA_HOME``. Does nothing
    once the JVM runs: it cannot be changed any more.
    """
    config = sys.modules.get("jnius_config")
    if config is not None and config.vm_running:
        yield
        return None
    java = find_java()
    if warning := passed_over(java):
        print(f"qgdr-pyserini: {warning}", file=sys.stderr)
    use_java(java)
    yield
    return f"{java}, {java.home}"
