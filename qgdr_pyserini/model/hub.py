"""The Hugging Face hub: encoders fetched or taken from its cache, and folders pushed to it."""

from __future__ import annotations

import re
import shutil
import tempfile
from abc import abstractmethod
from pathlib import Path

from qgdr_pyserini.errors import QgdrError, first_line
from qgdr_pyserini.progress import shows_bars

# Settings, vocabularies and weights that can be opened; no pickles, no code, no other formats' copies.
_WANTED = ("*.json", "*.txt", "*.model", "*.safetensors", "*.jinja", "README.md")
_UNWANTED = ("onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*")

_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)
_CACHED = re.compile(r"models--(.+)")


_BESIDE = ("README.md", "LICENSE", "recipe.toml")
"""What is uploaded with the weights where the model's own folder has it."""


def may_be_on_hub(name: str) -> bool:
    """Tell whether a name has the form of the hub's: ``OWNER/NAME``, or ``NAME``.

    Examples
    --------
    >>> [may_be_on_hub(name) for name in ("intfloat/e5-small", "xlm-roberta-base", "a/b/c", "./a")]
    [True, True, False, False]
    """
    return _NAME.fullmatch(name) is not None


def fetch_encoder(name: str) -> Path:
    """Return the folder of an encoder on the hub, as it is in the hub's cache once it was fetched.

    Without a network, what is in the cache is taken.

    Raises
    ------
    QgdrError
        If it is neither in the cache nor to be had.
    """
    import huggingface_hub

    _quiet_unless_shown()
    try:
        return Path(
            huggingface_hub.snapshot_download(
                name, allow_patterns=list(_WANTED), ignore_patterns=list(_UNWANTED)
            )
        )
    except Exception as error:
        # The hub's client raises a dozen unrelated types when the network or the model is absent.
        raise QgdrError(
            f"not in the Hugging Face hub's cache and not to be fetched ({first_line(error)})"
        ) from error


def hub_name(folder: Path) -> str | None:
    """Return the name of the encoder whose folder in the hub's cache this is; None for another folder.

    Examples
    --------
    >>> hub_name(Path("hub/models--intfloat--multilingual-e5-small/snapshots/fd1525a"))
    'intfloat/multilingual-e5-small'
    """
    cached = _CACHED.fullmatch(folder.parent.parent.name)
    return cached[1].replace("--", "/") if cached and folder.parent.name == "snapshots" else None


def push_folder(folder: Path, repo_id: str, *, private: bool | None, message: str, token: str | None) -> str:
    """Upload a folder to the hub, as one commit to a repository that is made where there is none.

    Parameters
    ----------
    folder
        What to upload.
    repo_id
        ``OWNER/NAME``, or ``NAME`` for one of the user's own.
    private
        Whether a new repository is; the owner's default when None.
    message
        Of the commit.
    token
        Of the hub; the one that ``hf auth login`` saved when None.

    Returns
    -------
    str
        The commit's address.

    Raises
    ------
    QgdrError
        If the hub cannot be reached or refuses, for want of a token for one.
    """
    import huggingface_hub

    _quiet_unless_shown()
    hub = huggingface_hub.HfApi(token=token)
    try:
        name = hub.create_repo(repo_id, private=private, exist_ok=True).repo_id
        return str(hub.upload_folder(repo_id=name, folder_path=folder, commit_message=message).commit_url)
    except Exception as error:
        raise QgdrError(
            f"{repo_id}: not uploaded to the Hugging Face hub ({first_line(error)}); "
            "'hf auth login' saves a token that may write"
        ) from error


def _quiet_unless_shown() -> None:
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not shows_bars():
        disable_progress_bars()


class Pushable:
    """A model with ``save_pretrained`` that can be uploaded to the Hugging Face hub."""

    folder: Path | None = None

    @abstractmethod
    def save_pretrained(self, folder: Path) -> None:
        """Write the model into a folder."""

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        commit_message: str = "Upload the model",
        token: str | None = None,
    ) -> str:
        """Upload the model to the Hugging Face hub, with the card of the folder that it was loaded from.

        Parameters
        ----------
        repo_id
            ``OWNER/NAME``, or ``NAME`` for one of the user's own. It is made where there is none.
        private
            Whether a new repository is; the owner's default when None.
        commit_message
            What the hub shows for this upload.
        token
            Of the hub; the one that ``hf auth login`` saved when None.

        Returns
        -------
        str
            The commit's address.

        Raises
        ------
        QgdrError
            If the model cannot be saved, or the hub cannot be reached or refuses.

        Examples
        --------
        >>> from qgdr_pyserini import DualEncoder
        >>> DualEncoder.from_pretrained("work/qgdr/encoder").push_to_hub("some-lab/qgdr")  # doctest: +SKIP
        """
        with tempfile.TemporaryDirectory(prefix="qgdr-push-") as work:
            self.save_pretrained(Path(work))
            for name in _BESIDE:
                if self.folder is not None and (self.folder / name).is_file():
                    shutil.copyfile(self.folder / name, Path(work) / name)
            return push_folder(Path(work), repo_id, private=private, message=commit_message, token=token)
