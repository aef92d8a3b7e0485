"""The import hook that `qgdr_pyserini.pth` installs whenever Python starts.

Pyserini has no plug-in mechanism, so a finder on `sys.meta_path` waits for the modules in
`SHIMS`. Nothing is imported, read or changed before one of them is.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any

OFF_SWITCH = "QGDR_PLUGIN"

# Pyserini module: what is done around its execution, by file name in `shims/`.
SHIMS: dict[str, tuple[str, ...]] = {
    "pyserini.setup": ("choose_java", "drop_vector_module"),
    "pyserini._jvm": ("choose_java", "drop_vector_module"),
    "pyserini.pyclass": ("explain_java_failure",),
    "pyserini.eval": ("choose_java",),
    "pyserini.eval.trec_eval": ("explain_java_failure",),
    "pyserini.prebuilt_index_info": ("load_catalogue_when_asked",),
    "pyserini.util": ("say_that_downloads_need_network",),
    "pyserini.search._base": ("say_that_topics_need_network",),
    "pyserini.encode": ("register_encoders",),
    "pyserini.encode._openai": ("delay_openai_client",),
    "pyserini.encode.query": ("encoder_for_encode_query",),
    "pyserini.encode.optional._faiss": ("size_index_by_vectors",),
    "pyserini.search.faiss": ("wait_without_spinning", "import_torch_first"),
    "pyserini.search.faiss.__main__": ("allow_encoder_class",),
    "pyserini.search.faiss._searcher": (
        "encoder_from_string",
        "check_index_against_encoder",
        "search_flat_by_blas",
    ),
    "pyserini.search.lucene._hnsw_searcher": ("encoder_for_lucene_vectors", "open_lucene_vectors_locally"),
    "pyserini.server.backend": ("serve_local_indexes",),
}


def start() -> None:
    """Install the finder unless ``QGDR_PLUGIN=0``: what `qgdr_pyserini.pth` calls."""
    if os.environ.get(OFF_SWITCH) != "0":
        install()


def install() -> None:
    """Put the finder first on `sys.meta_path`, once. Modules loaded before stay as they are."""
    if not installed():
        sys.meta_path.insert(0, ShimFinder())  # type: ignore[arg-type]


def installed() -> bool:
    """Tell whether the finder is on `sys.meta_path`."""
    return any(isinstance(finder, ShimFinder) for finder in sys.meta_path)


class ShimFinder:
    """Finds the modules in `SHIMS` as Python would, and has their shims run around them."""

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Return the spec that the other finders give, with our loader; None for other modules."""
        if name not in SHIMS:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)  # type: ignore[arg-type]
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = ShimLoader(spec.loader, SHIMS[name])  # type: ignore[assignment]
                return spec
        return None


class ShimLoader:
    """Loads a module with its own loader, inside its shims."""

    def __init__(self, loader: "Loader", shims: tuple[str, ...]) -> None:
        self.loader = loader
        self.shims = shims

    def __getattr__(self, name: str) -> "Any":
        # runpy, inspect and importlib.resources ask for `get_code`, `get_source`, …
        return getattr(self.loader, name)

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        """Create the module as its own loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module: "ModuleType") -> None:
        """Execute the module inside its shims; afterwards it shows no trace of this loader."""
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        try:
            from qgdr_pyserini.pyserini_plugin.running import run_inside
        except ImportError:  # our package was removed while this process runs
            self.loader.exec_module(module)
        else:
            run_inside(self.shims, module, self.loader.exec_module)

    def get_code(self, name: str) -> "CodeType":
        """Return code that calls `run_main` where ``python -m`` runs the module."""
        return compile("__loader__.run_main(globals())", self.loader.get_filename(name), "exec")  # type: ignore[attr-defined]

    def run_main(self, namespace: "dict[str, Any]") -> None:
        """Run the module as a program, with its shims around all but its last block."""
        from qgdr_pyserini.pyserini_plugin.running import run_main

        run_main(self.shims, self.loader, namespace)
