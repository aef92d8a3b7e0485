"""An index of the sample collection, made as a user makes it."""

import subprocess
import sys
from pathlib import Path

from qgdr_pyserini.collection.sample_collection import build_sample
from qgdr_pyserini.encode.corpus_encoder import encode_corpus
from qgdr_pyserini.encode.options import EncodingOptions

QGDR = [sys.executable, "-c", "from qgdr_pyserini.cli import main; main()"]
FLAT = EncodingOptions(device="cpu", precision="fp32")


def sample(folder: Path) -> Path:
    """Build the collection ``c`` and the index ``sample.qgdr``."""
    build_sample(None, folder / "c")
    encode_corpus(folder / "c" / "corpus.jsonl", folder / "sample.qgdr", options=FLAT)
    return folder


def qgdr(*arguments, stdin=""):
    """Run a command of ours."""
    command = [*QGDR, *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
