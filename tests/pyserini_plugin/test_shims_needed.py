"""Whether Pyserini still has the defect that each shim is there for.

Each shim is left out, all others stay. A shim whose defect is gone in a Pyserini that its
``VERSIONS`` include has to get an upper bound, or be deleted when no supported Pyserini is below it.
"""

import importlib
import json
from importlib.metadata import version
from pathlib import Path

import pytest
from pyserini_process import isolation, python

from qgdr_pyserini.pyserini_plugin import hook
from qgdr_pyserini.pyserini_plugin.running import concerns_installed

# Run with the shims left out that are named on the command line; says which defects show.
WITHOUT = """
import sys
from qgdr_pyserini.pyserini_plugin import hook
left_out = set(sys.argv[1:])
for module, names in hook.SHIMS.items():
    hook.SHIMS[module] = tuple(name for name in names if name not in left_out)
hook.install()
"""

# Defects that show in one process, each as an expression that is true, or fails, where it is there.
TOGETHER = {
    "import_torch_first": "list(sys.modules).index('faiss') < list(sys.modules).index('torch')",
    "register_encoders": "'qgdr' not in pyserini.encode.query_encoder_class_map",
    "encoder_from_string": "FaissSearcher._init_encoder_from_str('qgdr').name != 'qgdr'",
    "check_index_against_encoder": "FaissSearcher(flat(7), ours()).dimension == 7",
    "size_index_by_vectors": "write(np.ones((1, 5), np.float32))",
    "allow_encoder_class": "'qgdr' not in encoder_classes()",
    "encoder_for_encode_query": "query.init_encoder('qgdr', **rest(query.init_encoder)).name != 'qgdr'",
    "encoder_for_lucene_vectors": "_hnsw_searcher.LuceneFlatDenseSearcher('.', encoder='qgdr')",
    "open_lucene_vectors_locally": "'prebuilt' in failure(_hnsw_searcher.LuceneFlatDenseSearcher, '.')",
    "say_that_downloads_need_network": "'network' not in failure(util.download_prebuilt_index, NAME)",
    "say_that_topics_need_network": "'URLError' in failure(_base.get_topics, 'no-such-topics')",
    "search_flat_by_blas": "faiss.cvar.distance_compute_blas_threshold > 64 * 384",
    "wait_without_spinning": "'OMP_WAIT_POLICY' not in os.environ",
    "serve_local_indexes": "'INDEX_TYPE[config.index_type][config.name].get' in source('server/backend.py')",
}
TOGETHER_CODE = f"""{WITHOUT}
import argparse, inspect, json, os, tempfile
import pyserini.search.faiss
import faiss, numpy as np
from pyserini import util
from pyserini.encode import query
from pyserini.encode.optional import FaissRepresentationWriter
from pyserini.search import _base
from pyserini.search.faiss import FaissSearcher
from pyserini.search.faiss.__main__ import define_dsearch_args
from pyserini.search.lucene import _hnsw_searcher
NAME = "beir-v1.0.0-nfcorpus.contriever"

def ours():
    from qgdr_pyserini.pyserini_plugin.encoders import QgdrQueryEncoder

    return QgdrQueryEncoder("qgdr")

def rest(function):
    return {{name: None for name in inspect.signature(function).parameters if name != "encoder"}}

def flat(dimension):
    folder = tempfile.mkdtemp()
    index = faiss.IndexFlatIP(dimension)
    faiss.write_index(index, folder + "/index")
    open(folder + "/docid", "w").close()
    return folder

def write(vectors):
    writer = FaissRepresentationWriter(tempfile.mkdtemp())
    with writer:
        writer.write({{"id": ["a"], "vector": vectors}}, ["text"])

def encoder_classes():
    parser = argparse.ArgumentParser()
    define_dsearch_args(parser)
    return next(a.choices for a in parser._actions if "--encoder-class" in a.option_strings)

def failure(function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:
        return repr(error)
    return ""

def source(path):
    path = os.path.join(os.path.dirname(pyserini.__file__), path)
    return open(path).read() if os.path.exists(path) else ""

shows = {{}}
for name, expression in {TOGETHER!r}.items():
    try:
        shows[name] = bool(eval(expression))
    except Exception as error:
        shows[name] = True
print(json.dumps(shows))
"""

# Defects that keep Pyserini from being imported: what to run, and what the error says.
ALONE = {
    "choose_java": ("import pyserini.pyclass", "JAVA_HOME"),
    "drop_vector_module": ("import pyserini.pyclass", ""),
    "explain_java_failure": ("import pyserini.pyclass", "Traceback"),
    "load_catalogue_when_asked": ("import pyserini.prebuilt_index_info", "URLError"),
    "delay_openai_client": ("import pyserini.encode", "OpenAIError"),
}


def assert_declared(shim: str, shows: bool) -> None:
    versions = importlib.import_module(f"qgdr_pyserini.pyserini_plugin.shims.{shim}").VERSIONS
    assert shows == concerns_installed(versions), (
        f"{shim} is declared for Pyserini {versions}; with {version('pyserini')} its defect "
        f"{'shows' if shows else 'is gone: give it an upper bound, or delete it'}"
    )


@pytest.fixture(scope="module")
def shows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    if not isolation():
        pytest.skip("NOT OFFLINE: this machine allows no network namespaces")
    done = python("-c", TOGETHER_CODE, *TOGETHER, cwd=tmp_path_factory.mktemp("home"), HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    found: dict[str, bool] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("shim", TOGETHER)
def test_a_shim_is_needed_where_it_says_so(shows: dict[str, bool], shim: str) -> None:
    assert_declared(shim, shows[shim])


@pytest.mark.parametrize("shim", ALONE)
def test_a_shim_that_imports_depend_on_is_needed_where_it_says_so(tmp_path: Path, shim: str) -> None:
    if not isolation():
        pytest.skip("NOT OFFLINE: this machine allows no network namespaces")
    statement, sign = ALONE[shim]
    damaged = {}
    if shim == "explain_java_failure":
        damaged = {"JAVA_HOME": str(damaged_java(tmp_path))}
    if shim == "choose_java":
        damaged = {"PATH": ""}
    done = python("-c", WITHOUT + statement, shim, cwd=tmp_path, **damaged)
    assert_declared(shim, done.returncode != 0 and sign in done.stderr)


def damaged_java(folder: Path) -> Path:
    """Make what looks like a Java, with a library that is none."""
    for name in ("bin/java", "lib/server/libjvm.so"):
        (folder / "java" / name).parent.mkdir(parents=True)
        (folder / "java" / name).touch()
    (folder / "java" / "release").write_text('JAVA_VERSION="21.0.4"\nMODULES="java.base"\n')
    return folder / "java"


def test_every_shim_is_asked_after() -> None:
    assert {*TOGETHER, *ALONE} == {name for names in hook.SHIMS.values() for name in names}
