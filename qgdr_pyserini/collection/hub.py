"""Files of public data: from a folder where they lie there, otherwise from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from qgdr_pyserini.errors import InputError, QgdrError, first_line

PREFIX = "hf://datasets/"


def find_data_file(name: str, folder: Path) -> Path:
    """Find a data file or folder.

    Parameters
    ----------
    name
        Relative to ``folder``; or ``hf://datasets/OWNER/NAME/PATH``, of which a file called as
        PATH, or its last part, in ``folder`` goes before the hub's.
    folder
        The data folder.

    Raises
    ------
    QgdrError
        If it is neither in the folder nor on the hub, or the hub cannot be reached.

    Examples
    --------
    >>> name = "hf://datasets/Tevatron/xor-tydi/eng_span/train.jsonl.gz"
    >>> find_data_file(name, Path("data"))  # doctest: +SKIP
    """
    if not name.startswith(PREFIX):
        if (folder / name).exists():
            return folder / name
        raise InputError("no such file; check --data and the recipe's data group", folder / name)
    owner, dataset, path = _parse(name)
    for local in (folder / path, folder / Path(path).name):
        if local.exists():
            return local
    return _download(f"{owner}/{dataset}", path, folder)


def _parse(name: str) -> tuple[str, str, str]:
    parts = name.removeprefix(PREFIX).split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise QgdrError(f"{name}: needs {PREFIX}OWNER/NAME/PATH")
    return parts[0], parts[1], parts[2]


def _download(repository: str, path: str, folder: Path) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, path, repo_type="dataset"))
    except Exception as error:
        raise QgdrError(
            f"{folder / Path(path).name}: not there, and {repository} could not be had from the hub "
            f"({first_line(error)}); put the file there"
        ) from error
