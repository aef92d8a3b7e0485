"""Where a teacher from scratch starts: from what the student knows of words, and from its layers."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from transformers import PreTrainedModel

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.loading import ENCODER_DECODER
from qgdr_pyserini.model.teachers import TrainableTeacher


@torch.no_grad()
def start_from_student(teacher: TrainableTeacher, student: DualEncoder) -> None:
    """Give a fresh teacher the student's subword vectors, and its layers where it has such.

    A teacher of the student's kind (a BERT, or one at each end of an encoder-decoder) gets all of
    the student's weights that it has a place for, as Rothe et al. (2020) start a BERT2BERT. A decoder
    attends to the passage as its layer attends to its own text, which is the nearest that the student
    knows, and its head begins as what compares with subword vectors.

    Of a student without layers, or of another kind, a teacher takes the subword vectors alone; a T5
    then begins with layers that pass them on. Its first guess at a question's next word is what lies
    near the passage's words in the student's space, translations among them: a translation model of
    words (Berger & Lafferty 1999) that training refines, instead of attention that it has to find
    from nothing.

    Parameters
    ----------
    teacher
        With random weights; changed in place.
    student
        With the same tokenizer and dimension.

    Raises
    ------
    QgdrError
        If the vocabulary, or a size that both have, differs.
    """
    theirs = student.model.get_input_embeddings().weight
    ours = teacher.model.get_input_embeddings().weight
    if theirs.shape != ours.shape:
        raise QgdrError(
            f"teacher.from_student: the student's vectors are {tuple(theirs.shape)}, the teacher's "
            f"{tuple(ours.shape)}; give the teacher the student's dimension and tokenizer"
        )
    alike = [body for body in _bodies(teacher.model) if _have_like_layers(body, student.model)]
    for body in alike:
        _copy_weights(student.model, body)
        _attend_alike(body)
    if not alike:
        # Of the spread of its own fresh vectors, which its other layers are made for.
        ours.copy_(theirs * (ours.std() / theirs.std()))
        _pass_on(teacher.model)
    elif teacher.model.config.model_type == ENCODER_DECODER:
        _begin_with_vectors(teacher.model.decoder)


def freeze_vectors(teacher: TrainableTeacher) -> None:
    """Keep a teacher's subword vectors, and a head that is tied to them, as they are."""
    for body in _bodies(teacher.model):
        body.get_input_embeddings().weight.requires_grad_(False)


def _bodies(model: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """Go through the models without heads that a teacher consists of."""
    if model.config.model_type == ENCODER_DECODER:
        yield model.encoder
        yield model.decoder.base_model
    else:
        yield model.base_model


def _have_like_layers(body: PreTrainedModel, student: PreTrainedModel) -> bool:
    theirs = student.config
    return bool(theirs.num_hidden_layers > 0 and body.config.model_type == theirs.model_type)


def _copy_weights(student: PreTrainedModel, body: PreTrainedModel) -> None:
    ours = body.state_dict()
    for name, theirs in student.state_dict().items():
        if name in ours:
            _copy(name, theirs, ours[name])


def _copy(name: str, theirs: torch.Tensor, ours: torch.Tensor) -> None:
    """Copy a weight; a table that has more rows than the student's repeats the last of these."""
    if ours.shape != theirs.shape and (ours.ndim != 2 or not _has_more_rows(ours, theirs)):
        raise QgdrError(
            f"teacher.from_student: the student's {name} is {tuple(theirs.shape)}, the teacher's "
            f"{tuple(ours.shape)}; let its model_type be 'student', and leave out what sizes a layer"
        )
    ours[: len(theirs)].copy_(theirs)
    ours[len(theirs) :] = theirs[-1:]


def _has_more_rows(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return ours.shape[1:] == theirs.shape[1:] and len(ours) > len(theirs)


def _attend_alike(body: PreTrainedModel) -> None:
    """Start attention to an encoder as a copy of the same layer's attention to its own text."""
    weights = body.state_dict()
    for name, ours in weights.items():
        own = name.replace(".crossattention.", ".attention.")
        if own != name:
            ours.copy_(weights[own])


def _begin_with_vectors(decoder: PreTrainedModel) -> None:
    """Let a BERT's head begin without turning what it compares with the subword vectors."""
    transform = getattr(getattr(getattr(decoder, "cls", None), "predictions", None), "transform", None)
    if transform is not None:
        torch.nn.init.eye_(transform.dense.weight)
        transform.dense.bias.zero_()


def _pass_on(model: PreTrainedModel) -> None:
    for name, module in model.named_modules():
        kind = name.rpartition(".")[2]
        if kind == "SelfAttention":
            module.o.weight.zero_()
        elif kind == "DenseReluDense":
            module.wo.weight.zero_()
        elif kind == "EncDecAttention":
            torch.nn.init.eye_(module.v.weight)
            torch.nn.init.eye_(module.o.weight)
