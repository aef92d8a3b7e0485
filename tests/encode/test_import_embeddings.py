"""Vectors of other tools become indexes; what cannot be used is one line and leaves nothing."""

import json
import pickle

import faiss
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from test_index_types import vectors

from qgdr_pyserini.cli import main
from qgdr_pyserini.encode.importing import import_embeddings
from qgdr_pyserini.encode.queries import refuse_other_encoder
from qgdr_pyserini.errors import QgdrError

IDS = [f"d{i}" for i in range(60)]
ROWS = vectors(60)


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "a.npy", ROWS[:40].astype(np.float16))
    np.save(tmp_path / "b.npy", np.asfortranarray(ROWS[40:].astype(np.float64)))
    (tmp_path / "a.txt").write_text("\n".join(IDS[:40]))
    (tmp_path / "b.txt").write_text("\n".join(IDS[40:]) + "\n")
    pd.DataFrame({"docid": IDS, "embedding": list(ROWS)}).to_parquet(tmp_path / "all.parquet")
    (tmp_path / "all.pkl").write_bytes(pickle.dumps((ROWS, IDS)))
    return tmp_path


def contents(index):
    found = faiss.read_index(str(index / "index"))
    return found.reconstruct_n(0, found.ntotal), (index / "docid").read_text().splitlines()


def test_numpy_files_are_joined_in_order(files):
    made = import_embeddings(
        [files / "a.npy", files / "b.npy"], files / "index", ids=[files / "a.txt", files / "b.txt"]
    )
    rows, ids = contents(files / "index")
    assert ids == IDS
    np.testing.assert_allclose(rows, ROWS, atol=1e-3)
    assert (made.passages, made.dimension, made.normalized, made.encoder) == (60, 32, True, "unknown")


@pytest.mark.parametrize("name", ["all.parquet", "all.pkl"])
def test_parquet_and_pickles_hold_their_ids(name, files):
    arguments = ["import-embeddings", "--vectors", str(files / name), "--index", str(files / "index")]
    done = CliRunner().invoke(main, [*arguments, "--allow-pickle", "--index-type", "fp16"])
    assert done.exit_code == 0, done.stderr
    rows, ids = contents(files / "index")
    assert ids == IDS
    np.testing.assert_allclose(rows, ROWS, atol=1e-3)
    assert json.loads((files / "index" / "qgdr.json").read_text())["index_type"] == "fp16"


def test_a_pickle_is_opened_only_when_allowed(files):
    class Bomb:
        def __reduce__(self):
            return (open, (str(files / "exploded"), "w"))

    (files / "bomb.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(QgdrError, match="pass --allow-pickle"):
        import_embeddings([files / "bomb.pkl"], files / "index")
    np.save(files / "objects.npy", np.array([Bomb()], dtype=object))
    with pytest.raises(QgdrError, match="not an array of numbers"):
        import_embeddings([files / "objects.npy"], files / "index", ids=[files / "a.txt"])
    assert not (files / "exploded").exists()
    assert not (files / "index").exists()


def test_an_encoder_of_ours_is_noted_and_checked(files, tiny_encoder):
    made = import_embeddings([files / "all.parquet"], files / "index", encoder=str(tiny_encoder))
    assert (made.encoder, made.pooling) == ("tiny-qgdr", "mean")
    refuse_other_encoder(files / "index", str(tiny_encoder))
    with pytest.raises(QgdrError, match="use one encoder for both"):
        refuse_other_encoder(files / "index", "qgdr")
    import_embeddings([files / "all.parquet"], files / "free")
    refuse_other_encoder(files / "free", "qgdr")
    with pytest.raises(QgdrError, match="dimension 32, those of qgdr 384"):
        import_embeddings([files / "all.parquet"], files / "other", encoder="qgdr")


def change(files, what):
    """Spoil the files in one way; return what is imported then."""
    npy, ids = files / "a.npy", files / "a.txt"
    rows, names = ROWS[:40].copy(), IDS[:40]
    match what:
        case "short":
            names = names[:-1]
        case "twice":
            names = ["d1", *names[1:]]
        case "space":
            names = ["d 0", *names[1:]]
        case "nan":
            rows[3, 3] = np.nan
        case "integers":
            rows = rows.astype(np.int32)
        case "flat":
            rows = rows.ravel()
        case "empty":
            rows, names = rows[:0], []
    np.save(npy, rows)
    ids.write_text("".join(f"{name}\n" for name in names))
    return npy, ids


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("short", "40 vectors, but there are 39 ids"),
        ("twice", "id 'd1' is there twice"),
        ("space", "'d 0' is empty or holds whitespace"),
        ("nan", "passage 'd3' holds NaN or infinity"),
        ("integers", "needs floats of shape"),
        ("flat", "needs floats of shape"),
        ("empty", "holds no vectors"),
    ],
)
def test_arrays_that_cannot_be_used(what, message, files):
    npy, ids = change(files, what)
    with pytest.raises(QgdrError, match=message):
        import_embeddings([npy], files / "index", ids=[ids])
    assert not (files / "index").exists()


def test_files_that_cannot_be_used(files):
    for name, more, message in [
        ("nowhere.npy", {}, "no such file"),
        ("a.npy", {}, "needs --ids exactly if it is a .npy"),
        ("all.parquet", {"ids": [files / "a.txt"]}, "needs --ids exactly if it is a .npy"),
        ("a.txt", {}, "come as .npy, .parquet or .pkl"),
    ]:
        with pytest.raises(QgdrError, match=message):
            import_embeddings([files / name], files / "index", **more)
    (files / "bad.parquet").write_bytes(b"PAR1")
    (files / "bad.pkl").write_bytes(pickle.dumps([1, 2, 3]))
    pd.DataFrame({"name": IDS, "embedding": list(ROWS)}).to_parquet(files / "noid.parquet")
    pd.DataFrame({"id": ["a", "b"], "embedding": [[1.0], [1.0, 2.0]]}).to_parquet(files / "ragged.parquet")
    pd.DataFrame({"id": ["a", "b"], "vector": ["x", "y"]}).to_parquet(files / "words.parquet")
    for name, message in [
        ("bad.parquet", "not a Parquet file"),
        ("bad.pkl", "not a pickled pair"),
        ("noid.parquet", "no column id, _id, docid"),
        ("ragged.parquet", "different lengths"),
        ("words.parquet", "must be lists of numbers"),
    ]:
        with pytest.raises(QgdrError, match=message):
            import_embeddings([files / name], files / "index", allow_pickle=True)
    other = [files / "all.parquet", files / "narrow.parquet"]
    pd.DataFrame({"id": ["z"], "embedding": [[1.0, 2.0]]}).to_parquet(other[1])
    with pytest.raises(QgdrError, match="dimension 2, but those before have 32"):
        import_embeddings(other, files / "index")
    assert not (files / "index").exists()
