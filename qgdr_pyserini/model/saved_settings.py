"""What others save beside an encoder's weights: modules, pooling, prompts, and which may be opened."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath
from typing import Any

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_json
from qgdr_pyserini.model.config import POOLINGS

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


MODULES = "modules.json"

_THEIRS = "sentence_transformers."

_ROUTERS = ("Router", "Asym")

_ROUTER_FILES = ("router_config.json", "config.json")

_ROUTES = {"query": ("query",), "passage": ("document", "passage", "corpus")}
"""The names of a router's ways, by what goes there."""

_BEHIND_POOLING = ("Dense", "Normalize", "Dropout")

_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""A key for every kind, as the library wrote them before it wrote ``pooling_mode``."""

FILE = "config_sentence_transformers.json"

_QUERY = ("query",)

_PASSAGE = ("document", "passage", "corpus")

_DENSE = "SentenceTransformer"


def refuse_pickles(folder: Path) -> None:
    """Raise `InputError` unless a folder holds weights in safetensors: a pickle can run any program."""
    if any(folder.glob("*.safetensors")):
        return
    pickled = next((file.name for pattern in _PICKLED for file in sorted(folder.glob(pattern))), None)
    if pickled is None:
        raise InputError("holds no weights; name a folder with model.safetensors", folder)
    raise InputError(
        f"its weights are pickled ({pickled}), which can run any program, so they are not opened; where you "
        "trust them, load the model with the library that wrote it, and save it again as safetensors",
        folder,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    """A part of an encoder.

    Parameters
    ----------
    kind
        The name of its class, such as ``Pooling``.
    folder
        Where its settings and weights are.
    """

    kind: str
    folder: Path


def read_modules(folder: Path, role: str | None = None) -> list[Module]:
    """Read an encoder's parts: a transformer, pooling, and layers behind it.

    Parameters
    ----------
    folder
        The encoder's, with ``modules.json``.
    role
        ``query`` or ``passage``: which way to take where a router sends questions and passages different
        ways.

    Raises
    ------
    InputError
        If the file is no list of modules, a module is one that cannot be done here, or a router has no such
        way.
    """
    path = folder / MODULES
    modules = [part for module in _listed(path) for part in _on_the_way(module, role, path)]
    for place, module in enumerate(modules):
        allowed = (("Transformer",), ("Pooling",))[place] if place < 2 else _BEHIND_POOLING
        if module.kind not in allowed:
            raise InputError(
                f"module {place}, {module.kind}, cannot be done here; what can: Transformer, Pooling, "
                f"then any of {', '.join(_BEHIND_POOLING)}",
                path,
            )
    if len(modules) < 2:
        raise InputError("has no Pooling, so it makes no vector of a text", path)
    return modules


def has_routes(folder: Path) -> bool:
    """Tell whether an encoder with ``modules.json`` sends questions and passages different ways."""
    return any(module.kind in _ROUTERS for module in _listed(folder / MODULES))


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object; empty if there is no such file."""
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError("not a JSON object", path)
    return content


def _listed(path: Path) -> list[Module]:
    content = read_json(path)
    if not isinstance(content, list) or not content:
        raise InputError("not a list of modules", path)
    return [_read(entry, path) for entry in content]


def _on_the_way(module: Module, role: str | None, path: Path) -> list[Module]:
    """Put in a router's place what a role meets there."""
    if module.kind not in _ROUTERS:
        return [module]
    if role is None:
        raise InputError("has one encoder for questions and one for passages, where one is needed", path)
    file = next((module.folder / name for name in _ROUTER_FILES if (module.folder / name).is_file()), path)
    content = read_object(file) if file != path else {}
    ways, kinds = content.get("structure"), content.get("types")
    if not isinstance(ways, dict) or not isinstance(kinds, dict):
        raise InputError("has a router, but no router_config.json with 'structure' and 'types'", path)
    way = next((ways[name] for name in _ROUTES[role] if name in ways), None)
    if not isinstance(way, list):
        raise InputError(f"its router has no way called {' or '.join(_ROUTES[role])}", file)
    return [_read({"type": kinds.get(name), "path": name}, file) for name in way]


def _read(entry: Any, path: Path) -> Module:
    kind, place = (entry.get(key) for key in ("type", "path")) if isinstance(entry, dict) else (None, None)
    if not isinstance(kind, str) or not isinstance(place, str):
        raise InputError(f"a module needs 'type' and 'path', not {entry!r}", path)
    if not kind.startswith(_THEIRS):
        raise InputError(f"module {kind!r} is code of its own, which is not run here", path)
    inside = PurePosixPath(place)
    if inside.is_absolute() or ".." in inside.parts:
        raise InputError(f"module path {place!r} leads out of the folder", path)
    return Module(kind.rpartition(".")[2], path.parent / inside)


def read_pooling(folder: Path) -> str:
    """Read the kind of pooling.

    Parameters
    ----------
    folder
        The module's.

    Raises
    ------
    InputError
        If it is none of `POOLINGS`, or several together, or leaves out the prompt.
    """
    path = folder / "config.json"
    settings = read_object(path)
    kinds = _kinds(settings)
    if len(kinds) != 1 or kinds[0] not in POOLINGS:
        asked, known = " and ".join(map(str, kinds)), ", ".join(POOLINGS)
        raise InputError(f"pooling by {asked} cannot be done here, only by one of {known}", path)
    if not settings.get("include_prompt", True):
        raise InputError("pooling without the prompt (include_prompt: false) cannot be done here", path)
    return str(kinds[0])


def _kinds(settings: dict[str, Any]) -> list[Any]:
    found = settings.get("pooling_mode")
    if found is None:
        return [kind for key, kind in _FLAGS.items() if settings.get(key)] or ["mean"]
    return found if isinstance(found, list) else [found]


@dataclasses.dataclass(frozen=True, slots=True)
class EncoderPrompts:
    """What sentence-transformers says of a whole encoder.

    Parameters
    ----------
    query_prefix, passage_prefix
        What is put before queries and passages.
    others
        Names of prompts for other tasks.
    cosine
        Whether vectors are compared by cosine.
    truncate
        Components to keep of a vector; all when None.
    """

    query_prefix: str = ""
    passage_prefix: str = ""
    others: tuple[str, ...] = ()
    cosine: bool = True
    truncate: int | None = None


def read_prompts(folder: Path) -> EncoderPrompts:
    """Read an encoder's prompts, by role.

    The library writes an empty prompt ``document`` beside one that is called ``passage``, so the first of
    a role that is not empty is taken.

    Raises
    ------
    InputError
        If the encoder is of another kind (sparse, of many vectors, a cross-encoder), or a value is no text.
    """
    path = folder / FILE
    content = read_object(path)
    if content.get("model_type", _DENSE) != _DENSE:
        raise InputError(f"a {content['model_type']} gives no single dense vector of a text", path)
    prompts = content.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(text, str) for text in prompts.values()):
        raise InputError("prompts: needs a text for every name", path)
    given = {name: text for name, text in prompts.items() if text}
    return EncoderPrompts(
        query_prefix=next((given[name] for name in _QUERY if name in given), ""),
        passage_prefix=next((given[name] for name in _PASSAGE if name in given), ""),
        others=tuple(sorted(given.keys() - {*_QUERY, *_PASSAGE})),
        cosine=(content.get("similarity_fn_name") or "cosine") == "cosine",
        truncate=_truncate(content, path),
    )


def _truncate(content: dict[str, Any], path: Path) -> int | None:
    found = content.get("truncate_dim")
    if found is not None and (not isinstance(found, int) or found < 1):
        raise InputError(f"truncate_dim: needs a number of components, not {found!r}", path)
    return found
