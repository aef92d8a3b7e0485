"""Links out of `docs/`, and formulas: what a repository's page shows of itself and a site does not.

A page links to files of the repository by relative paths, as it would be read there. The site has these files
under `project/`: texts become pages, other files are copied. A link to nothing is a warning, which
``mkdocs build --strict`` refuses; a link to a folder is shown without the link.
"""

from __future__ import annotations

import html
import logging
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = "project/"
ENTRIES = ("CONTRIBUTING.md", "CHANGELOG.md", "runs/README.md")
"""Texts outside `docs/` that the navigation names."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|!?\[[^\]]*\](?:\([^)\s]*\))?)*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_FENCE = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
# Docstrings have formulas as Sphinx does.
_DIRECTIVE = re.compile(r"<p>\.\. math:: (.*?)</p>", re.DOTALL)
_log = logging.getLogger("mkdocs.hooks.repository")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the pages link to, and what that links to in its turn."""
    root = _root(config)
    waiting = [*ENTRIES]
    for page in files.documentation_pages():
        waiting += _outside(page.content_string, _in_repository(page.src_uri))
    done = set()
    while waiting:
        path = waiting.pop()
        if path in done or not (root / path).is_file():
            continue
        done.add(path)
        if path.endswith(".md"):
            text = _FRONT.sub("", (root / path).read_text(encoding="utf-8"))
            files.append(File.generated(config, PROJECT + path, content=text))
            waiting += _outside(text, path)
        else:
            files.append(File.generated(config, PROJECT + path, abs_src_path=str(root / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between the repository's files into links between the site's."""
    source = page.file.src_uri
    here, root = _in_repository(source), _root(config)

    def rewritten(match: re.Match[str]) -> str:
        picture, text, target, anchor = match.groups()
        text = _LINK.sub(rewritten, text)
        if _ELSEWHERE.match(target):
            return f"{picture}[{text}]({target}{anchor or ''})"
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        if (root / path).is_dir():
            return text
        site = _on_site(path)
        if files.get_file_from_path(site) is None:
            _log.warning(f"{here}: links to {target}, which does not exist")
        return f"{picture}[{text}]({posixpath.relpath(site, posixpath.dirname(source))}{anchor or ''})"

    return "".join(
        part if part.lstrip().startswith("```") else _LINK.sub(rewritten, part)
        for part in _FENCE.split(markdown)
    )


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write formulas as MathML, which browsers show without a script."""
    content = _FORMULA.sub(lambda match: _mathml(match[2], block=match[1] == "div"), content)
    return _DIRECTIVE.sub(lambda match: _mathml(match[1], block=True), content)


def _mathml(formula: str, *, block: bool) -> str:
    written: str = convert(html.unescape(formula), display="block" if block else "inline")
    return written


def _root(config: MkDocsConfig) -> Path:
    return Path(config.docs_dir).parent


def _in_repository(source: str) -> str:
    return source.removeprefix(PROJECT) if source.startswith(PROJECT) else f"docs/{source}"


def _on_site(path: str) -> str:
    return path.removeprefix("docs/") if path.startswith("docs/") else PROJECT + path


def _outside(text: str, here: str) -> Iterator[str]:
    for part in _FENCE.split(text):
        if part.lstrip().startswith("```"):
            continue
        for match in _LINK.finditer(part):
            yield from _outside(match[2], here)
            path = posixpath.normpath(posixpath.join(posixpath.dirname(here), match[3]))
            if not _ELSEWHERE.match(match[3]) and not path.startswith("docs/"):
                yield path
