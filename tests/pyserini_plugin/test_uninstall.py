"""What is left of us in stock Pyserini after ``pip uninstall``: nothing.

In an environment of its own that borrows all packages but ours from the one of the tests.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from pyserini_process import HERE, environment
from test_java import new_jdks

REPOSITORY = HERE.parent
HOOKED = "import sys; print('ShimFinder' in [type(finder).__name__ for finder in sys.meta_path])"
TABLES = "import json, pyserini.encode as e; print(json.dumps([*e.query_encoder_class_map]))"


class Stock:
    """An environment with Pyserini and without us."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")]
        subprocess.run(command, check=True)
        self.program = folder / "venv" / "bin" / "python"
        (self.packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")

    @property
    def packages(self) -> Path:
        (found,) = (self.folder / "venv" / "lib").glob("python3*/site-packages")
        return found

    @property
    def files(self) -> set[str]:
        everything = self.packages.rglob("*")
        return {str(file.relative_to(self.packages)) for file in everything if file.suffix != ".pyc"}

    def python(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        variables = environment(self.folder, **changes)
        variables.pop("PYTHONPATH", None)
        command = [str(self.program), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=variables, cwd=self.folder, check=False
        )

    def pip(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "pip", "--python", str(self.program), *arguments]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    unwanted = shutil.ignore_patterns(
        ".venv*", ".git", "__pycache__", ".*_cache", "work", "indexes", "collections"
    )
    shutil.copytree(REPOSITORY, source, ignore=unwanted)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "hatchling" in done.stdout + done.stderr:
        pytest.skip("NO WHEEL: the build tool cannot be fetched, so uninstalling is not tested")
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def pyserini_files() -> str:
    """Digest of Pyserini's own files."""
    spec = find_spec("pyserini")
    assert spec is not None
    assert spec.origin is not None
    digest = hashlib.sha256()
    for file in sorted(Path(spec.origin).parent.rglob("*")):
        if file.is_file() and file.suffix != ".pyc":
            digest.update(f"{file}:{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def stock_search(stock: Stock, java: Path, output: str) -> str:
    """Index and search with BM25 and return the run: what stock Pyserini can do by itself with a JDK."""
    changes = {"JAVA_HOME": str(java), "OPENAI_API_KEY": "none"}
    if not (stock.folder / "lucene").exists():
        options = ["--collection", "JsonCollection", "--input", "corpus", "--index", "lucene"]
        generator = ["--generator", "DefaultLuceneDocumentGenerator"]
        stock.python("-m", "pyserini.index.lucene", *options, *generator, **changes)
    options = ["--bm25", "--index", "lucene", "--topics", "topics.tsv", "--output", output]
    done = stock.python("-m", "pyserini.search.lucene", *options, **changes)
    assert done.returncode == 0, done.stderr
    return (stock.folder / output).read_text()


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    (tmp_path / "corpus").mkdir()
    row = {"id": "danube", "contents": "The Danube rises in Germany."}
    (tmp_path / "corpus" / "corpus.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "topics.tsv").write_text("q1\tDanube\n")
    return Stock(tmp_path)


def test_uninstalling_leaves_pyserini_as_it_was(stock: Stock, wheel: Path) -> None:
    borrowed, own, imports = pyserini_files(), stock.files, stock.python("-c", TABLES).returncode
    stock.pip("install", "--no-deps", "--no-index", str(wheel))
    assert stock.python("-c", HOOKED).stdout == "True\n"
    done = stock.python("-c", TABLES)
    assert json.loads(done.stdout)[0] == "qgdr", done.stderr
    found = stock.python(
        "-c", "from qgdr_pyserini.model.registry import find_encoder; print(find_encoder('qgdr'))"
    )
    assert Path(found.stdout.strip()).is_relative_to(stock.packages)
    stock.pip("uninstall", "--yes", "qgdr-pyserini")
    assert stock.files == own
    assert stock.python("-c", HOOKED).stdout == "False\n"
    assert stock.python("-c", TABLES).returncode == imports
    assert pyserini_files() == borrowed


@pytest.mark.skipif(
    not version("pyserini").startswith("1."), reason="Pyserini 2.4 needs the network to be imported"
)
def test_stock_search_gives_the_same_run_before_and_after(stock: Stock, wheel: Path) -> None:
    javas = new_jdks()
    if not javas:
        pytest.skip("NO JDK 21 OR NEWER in /usr/lib/jvm: stock Pyserini cannot run by itself")
    before = stock_search(stock, javas[0], "before.txt")
    stock.pip("install", "--no-deps", "--no-index", str(wheel))
    stock.pip("uninstall", "--yes", "qgdr-pyserini")
    assert stock_search(stock, javas[0], "after.txt") == before
    assert before.startswith("q1 Q0 danube 1 ")
