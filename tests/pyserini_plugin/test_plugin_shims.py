"""Each shim against the real upstream module; in a process of its own where the order of imports counts."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import faiss
import jnius_config
import numpy as np
import openai
import pyserini.encode
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyserini.encode.optional import FaissRepresentationWriter
from pyserini.search.faiss import FaissSearcher

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin import running
from qgdr_pyserini.pyserini_plugin.encoders import (
    QgdrDocumentEncoder,
    QgdrQueryEncoder,
    put_first,
)
from qgdr_pyserini.pyserini_plugin.shims import delay_openai_client as delay_openai_client_shim
from qgdr_pyserini.pyserini_plugin.shims.delay_openai_client import DelayedClient, delay_openai_client

# One process for all that depends on a fresh interpreter: Pyserini takes seconds to import.
PROBE = """
import json, os, sys
import pyserini.search.faiss
from pyserini.encode import _openai, document_encoder_class_map, query_encoder_class_map
order = list(sys.modules)
client, refusal = getattr(_openai, "client", None), None
try:
    client and client.embeddings
except Exception as error:
    refusal = type(error).__name__
print(json.dumps({
    "torch first": order.index("torch") < order.index("faiss"),
    "query": list(query_encoder_class_map),
    "document": list(document_encoder_class_map),
    "client": type(client).__name__,
    "refusal": refusal,
    "openai": os.environ.get("OPENAI_API_KEY"),
}))
"""


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    """What a fresh interpreter without API key and Java settings finds after importing Pyserini."""
    variables = {k: v for k, v in os.environ.items() if k not in {"OPENAI_API_KEY", "JAVA_HOME"}}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, env=variables, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_torch_is_imported_before_faiss(fresh: dict[str, Any]) -> None:
    assert fresh["torch first"]


def test_qgdr_comes_first_and_all_others_stay_in_order(fresh: dict[str, Any]) -> None:
    assert fresh["query"][:4] == ["qgdr", "dkrr", "cosdpr", "dpr"]
    assert fresh["document"][:4] == ["qgdr", "dpr", "tct_colbert", "aggretriever"]


def test_pyserini_imports_without_an_openai_key_and_sets_none(fresh: dict[str, Any]) -> None:
    assert fresh["openai"] is None
    made_at_import = running.concerns_installed(delay_openai_client_shim.VERSIONS)
    assert fresh["client"] == ("DelayedClient" if made_at_import else "NoneType")
    assert fresh["refusal"] == ("OpenAIError" if made_at_import else None)


def test_the_tables_hold_our_classes() -> None:
    assert pyserini.encode.query_encoder_class_map["qgdr"] is QgdrQueryEncoder
    assert pyserini.encode.document_encoder_class_map["qgdr"] is QgdrDocumentEncoder


@given(st.dictionaries(st.text(), st.integers()), st.text(), st.integers())
def test_putting_first_keeps_the_rest(table: dict[str, int], key: str, value: int) -> None:
    rest = [(name, entry) for name, entry in table.items() if name != key]
    put_first(table, key, value)
    assert list(table.items()) == [(key, value), *rest]


def test_with_a_key_the_openai_client_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stock = openai.OpenAI
    shim = delay_openai_client(pyserini.encode)
    next(shim)
    made = openai.OpenAI(api_key="a key", organization="")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    later = openai.OpenAI(api_key="", organization="")
    with pytest.raises(StopIteration):
        next(shim)
    assert openai.OpenAI is stock
    assert isinstance(made, stock)
    if isinstance(later, DelayedClient):  # an openai that takes an empty key needs no delay
        monkeypatch.setenv("OPENAI_API_KEY", "set afterwards")
        assert later.embeddings is not None


def test_the_openai_client_is_put_back_when_the_import_fails() -> None:
    stock = openai.OpenAI
    shim = delay_openai_client(pyserini.encode)
    next(shim)
    assert openai.OpenAI is not stock
    shim.close()  # type: ignore[attr-defined]
    assert openai.OpenAI is stock


def jvm_options(java_home: str | None) -> str:
    """The JVM options that Pyserini asks for, in a fresh interpreter."""
    code = (
        "import glob, importlib, jnius_config, os, pyserini\n"
        "folder = os.path.dirname(pyserini.__file__)\n"
        "name = '_jvm' if os.path.exists(folder + '/_jvm.py') else 'setup'\n"
        "jnius_config.add_options('-Xss4m')\n"
        "importlib.import_module('pyserini.' + name).configure_classpath(folder + '/resources/jars')\n"
        "print(jnius_config.get_options(), len(jnius_config.classpath))"
    )
    variables = {k: v for k, v in os.environ.items() if k != "JAVA_HOME"}
    if java_home:
        variables["JAVA_HOME"] = java_home
    # Importing the package starts no JVM; this module alone only writes options down.
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=variables, check=False
    )
    return done.stdout.strip() or done.stderr


def test_the_vector_module_is_not_asked_of_a_java_without_it() -> None:
    assert re.fullmatch(r"\['-Xss4m'.*\] 1", options := jvm_options(None))
    assert "jdk.incubator.vector" not in options


def test_the_vector_module_is_asked_of_a_java_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch()
    (tmp_path / "lib" / "server").mkdir(parents=True)
    (tmp_path / "lib" / "server" / "libjvm.so").touch()
    (tmp_path / "release").write_text('JAVA_VERSION="21.0.4"\nMODULES="java.base jdk.incubator.vector"\n')
    assert "'-Xss4m', '--add-modules=jdk.incubator.vector'" in jvm_options(str(tmp_path))


def test_the_jvm_of_the_tests_runs() -> None:
    assert jnius_config.vm_running
    assert "choose_java" in running.active


@pytest.mark.parametrize("dimension", [5, 768])
def test_an_index_gets_the_dimension_of_its_vectors(tmp_path: Path, dimension: int) -> None:
    vectors = np.eye(2, dimension, dtype=np.float32)
    writer = FaissRepresentationWriter(str(tmp_path / "index"))
    with writer:
        writer.write({"id": ["a", "b"], "vector": vectors}, ["text"])
        writer.write({"id": ["c", "d"], "vector": vectors}, ["text"])
    written = faiss.read_index(str(tmp_path / "index" / "index"))
    assert (written.d, written.ntotal) == (dimension, 4)


def test_vectors_of_another_dimension_than_before_are_still_refused(tmp_path: Path) -> None:
    writer = FaissRepresentationWriter(str(tmp_path / "index"), dimension=3)
    with writer:
        writer.write({"id": ["a"], "vector": np.ones((1, 3), np.float32)}, ["text"])
        with pytest.raises(AssertionError):
            writer.write({"id": ["b"], "vector": np.ones((1, 4), np.float32)}, ["text"])


def test_a_searcher_takes_the_name_of_our_encoder(tmp_path: Path, tiny_encoder: Path) -> None:
    encoder = QgdrDocumentEncoder(str(tiny_encoder))
    texts = ["the danube rises in germany", "cheese is made of milk"]
    with (writer := FaissRepresentationWriter(str(tmp_path))) or writer:
        writer.write({"id": ["danube", "cheese"], "vector": encoder.encode(texts)}, ["text"])
    searcher = FaissSearcher(str(tmp_path), f"qgdr:{tiny_encoder}")
    assert isinstance(searcher.query_encoder, QgdrQueryEncoder)
    (best, *_) = searcher.search("the danube rises in germany", k=2)
    assert best.docid == "danube"
    assert best.score == pytest.approx(1, abs=1e-5)


def test_a_searcher_names_an_encoder_of_ours_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(QgdrError, match="unknown encoder 'qgdr:/nowhere'"):
        FaissSearcher(str(tmp_path), "qgdr:/nowhere")
