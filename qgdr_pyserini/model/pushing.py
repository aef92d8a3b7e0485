"""``push_to_hub`` for whatever can be saved as a folder."""

from __future__ import annotations

import shutil
import tempfile
from abc import abstractmethod
from pathlib import Path

from qgdr_pyserini.model.hub import push_folder

_BESIDE = ("README.md", "LICENSE", "recipe.toml")
"""What is uploaded with the weights where the model's own folder has it."""


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
