"""Where a teacher from scratch starts: from what the student knows of words."""

from __future__ import annotations

import torch

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.teachers import TrainableTeacher


@torch.no_grad()
def start_from_student(teacher: TrainableTeacher, student: DualEncoder) -> None:
    """Give a fresh teacher the student's subword vectors and, a T5, layers that pass them on.

    Such a T5's first guess at a question's next word is what lies near the passage's words in the
    student's space, translations among them: a translation model of words (Berger & Lafferty 1999)
    that training refines, instead of attention that it has to find from nothing.

    Parameters
    ----------
    teacher
        With random weights; changed in place.
    student
        With the same tokenizer and dimension.

    Raises
    ------
    QgdrError
        If vocabulary or dimension differ.
    """
    theirs = student.model.get_input_embeddings().weight
    ours = teacher.model.get_input_embeddings().weight
    if theirs.shape != ours.shape:
        raise QgdrError(
            f"teacher.from_student: the student's vectors are {tuple(theirs.shape)}, the teacher's "
            f"{tuple(ours.shape)}; give the teacher the student's dimension and tokenizer"
        )
    # Of the spread of its own fresh vectors, which its other layers are made for.
    ours.copy_(theirs * (ours.std() / theirs.std()))
    for name, module in teacher.model.named_modules():
        kind = name.rpartition(".")[2]
        if kind == "SelfAttention":
            module.o.weight.zero_()
        elif kind == "DenseReluDense":
            module.wo.weight.zero_()
        elif kind == "EncDecAttention":
            torch.nn.init.eye_(module.v.weight)
            torch.nn.init.eye_(module.o.weight)
