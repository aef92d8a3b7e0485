"""Starting the JVM without a module that the chosen Java lacks."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from qgdr_pyserini.pyserini_plugin.java import find_java
from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"
MODULE = "jdk.incubator.vector"
OPTION = f"--add-modules={MODULE}"


def drop_vector_module(module: ModuleType) -> Shim:
    """Take ``--add-modules=jdk.incubator.vector`` back where the chosen Java has no such module.

    Upstream: `configure_classpath` (in `pyserini.setup`, from 2.1 on in `pyserini._jvm`) asks for it
    unconditionally (1.6.0 to 2.4.0), and a JVM without it refuses to start. It only speeds up
    Lucene's vector search; BM25 needs none of it.
    https://github.com/castorini/pyserini/blob/master/pyserini/_jvm.py
    """
    yield
    java = find_java()
    if MODULE in java.modules:
        return None
    module.configure_classpath = _without_option(module.configure_classpath)  # type: ignore[attr-defined]
    return f"{java} has no {MODULE}"


def _without_option(configure: Callable[..., None]) -> Callable[..., None]:
    def configure_classpath(anserini_root: str = ".") -> None:
        import jnius_config

        configure(anserini_root)
        jnius_config.set_options(*(option for option in jnius_config.get_options() if option != OPTION))

    return configure_classpath
