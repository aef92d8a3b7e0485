"""Pyserini's JVM without its log noise."""

from __future__ import annotations

from typing import Any

from qgdr_pyserini.pyserini_plugin import hook
from qgdr_pyserini.pyserini_plugin.java import find_java

FIRST_TO_WARN_OF_UNSAFE = 23
"""Java that began to warn of `sun.misc.Unsafe`, which Lucene uses, and knows the option against it."""


def java_class(name: str) -> Any:
    """Return a Java class of Anserini, Lucene or the runtime, starting the JVM if need be.

    Parameters
    ----------
    name
        Its full name, such as ``io.anserini.search.SimpleSearcher``.

    Raises
    ------
    QgdrError
        If there is no Java that is new enough.
    """
    _set_quiet_options()
    hook.install()
    from pyserini.pyclass import autoclass

    return autoclass(name)


def silence_logs() -> None:
    """Let Anserini and Lucene log errors only."""
    level = java_class("org.apache.logging.log4j.Level")
    java_class("org.apache.logging.log4j.core.config.Configurator").setRootLevel(level.ERROR)
    java_class("java.util.logging.LogManager").getLogManager().reset()


def _set_quiet_options() -> None:
    import jnius_config

    if jnius_config.vm_running:
        return
    options = ["-Dslf4j.internal.verbosity=WARN"]
    if find_java().major >= FIRST_TO_WARN_OF_UNSAFE:
        options.append("--sun-misc-unsafe-memory-access=allow")
    jnius_config.add_options(*(option for option in options if option not in jnius_config.get_options()))
