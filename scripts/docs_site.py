"""What the site adds to the pages: links that lead out of `docs`, and all of it as text for language models.

A hook of mkdocs and an extension of griffe (`mkdocs.yml`). The site has the text of each page beside it (`sdk.md`
beside `sdk.html`), an index of them (`llms.txt`) and all in one file (`llms-full.txt`); there the reference is
written out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("examples", "skills")
"""Directories whose files are in the site, since pages link to them."""
FOR_MODELS = ("llms.txt", "llms-full.txt")

_OUTSIDE = re.compile(r"\]\((?:\.\./)+((?:examples|skills)/[^)#]+|CONTRIBUTING\.md)(#[^)]*)?\)")
_DIRECTIVE = re.compile(r"^::: ([\w.]+)\n(?:    .*\n|\n(?=    ))*", re.MULTILINE)
_COMMENT = re.compile(r"^<!--.*?-->\n+", re.MULTILINE | re.DOTALL)
_SECTIONS: dict[str, list[Page]] = {}
_TEXTS: dict[str, str] = {}


class FieldDescriptions(griffe.Extension):
    """`Field(description=…)` documents a field as the text below it does."""

    def on_attribute_instance(self, *, node: Any, attr: griffe.Attribute, **_: Any) -> None:
        value = getattr(node, "value", None)
        if attr.docstring is not None or not isinstance(value, ast.Call):
            return
        for keyword in value.keywords:
            if keyword.arg == "description" and isinstance(keyword.value, ast.Constant):
                attr.docstring = griffe.Docstring(str(keyword.value.value), parent=attr)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    for path in [*_shipped(), ROOT / "CONTRIBUTING.md"]:
        name = path.relative_to(ROOT).as_posix()
        # Not as a page: what is linked is the file as it is.
        files.append(File.generated(config, f"{name}.txt", abs_src_path=str(path)))
    for name in FOR_MODELS:  # written at the end; pages link to them
        files.append(File.generated(config, name, content=""))
    return files


def on_page_markdown(markdown: str, *, page: Page, files: Files, **_: Any) -> str:
    up = "../" * page.file.src_uri.count("/")
    markdown = _OUTSIDE.sub(lambda match: f"]({up}{match[1]}.txt)", markdown)
    _TEXTS[page.file.src_uri] = markdown
    return markdown


def on_nav(nav: Navigation, **_: Any) -> None:
    _SECTIONS.clear()
    for section in nav.items:
        children = section.children or []
        _SECTIONS[section.title or ""] = [page for page in children if isinstance(page, Page)]


def on_post_build(*, config: MkDocsConfig) -> None:
    site = Path(config.site_dir)
    handler = config.plugins["mkdocstrings"].get_handler("python")
    index = [f"# {config.site_name}\n\n> {config.site_description}\n"]
    whole = []
    for title, pages in _SECTIONS.items():
        index.append(f"\n## {title}\n\n")
        for page in pages:
            text = _written_out(_TEXTS[page.file.src_uri], handler)
            target = site / page.file.src_uri
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            about = f": {said}" if (said := _first_sentence(text)) else ""
            index.append(f"- [{_title(page, text)}]({page.file.src_uri}){about}\n")
            whole.append(f"<!-- {page.file.src_uri} -->\n\n{text.strip()}\n")
    for name, text in zip(FOR_MODELS, ("".join(index), "\n\n".join(whole)), strict=True):
        (site / name).write_text(text, encoding="utf-8")


def _shipped() -> Iterator[Path]:
    for directory in SHIPPED:
        for path in sorted((ROOT / directory).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _title(page: Page, text: str) -> str:
    heading = re.search(r"^# (.+)$", text, re.MULTILINE)
    return heading[1].replace("`", "") if heading else page.title or page.file.src_uri


def _first_sentence(text: str) -> str:
    """Of the first paragraph that is prose."""
    for paragraph in re.split(r"\n{2,}", text):
        if re.match(r"[A-Z*\[]|`(?!`)", paragraph):
            line = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", paragraph.replace("\n", " "))
            return re.split(r"(?<=[.:;]) ", line)[0].rstrip(":;")
    return ""


def _written_out(markdown: str, handler: Any) -> str:
    def collected(match: re.Match[str]) -> str:
        return _described(handler.collect(match[1], handler.get_options({})), 2)

    return _DIRECTIVE.sub(collected, _COMMENT.sub("", markdown))


def _described(it: griffe.Object | griffe.Alias, depth: int) -> str:
    """Headings, signatures and docstrings of an object and of its public members."""
    if isinstance(it, griffe.Alias):
        it = it.final_target
    about = f"{it.docstring.value}\n\n" if it.docstring else ""
    if isinstance(it, griffe.Module):
        return about + "".join(_described(member, depth) for member in _members(it))
    heading = f"{'#' * depth} {it.name}\n\n"
    if isinstance(it, griffe.Class):
        return heading + about + "".join(_described(member, depth + 1) for member in _members(it))
    return f"{heading}```python\n{_signature(it)}\n```\n\n{about}"


def _members(it: griffe.Object) -> Iterator[griffe.Object | griffe.Alias]:
    handles = it.is_class and it.path.startswith("sandbox_agent_client._")
    inherited = it.inherited_members if handles else {}
    for name, member in {**inherited, **it.members}.items():
        listed = it.is_class or it.exports is None or name in it.exports
        own = name in inherited or (isinstance(member, griffe.Object) and not member.is_module)
        if own and listed and not name.startswith("_"):
            yield member


def _signature(it: griffe.Object) -> str:
    if isinstance(it, griffe.Function):
        prefix = "async " if "async" in it.labels else ""
        return f"{prefix}{it.signature()}"
    kind = f": {it.annotation}" if isinstance(it, griffe.Attribute) and it.annotation else ""
    value = it.value if isinstance(it, griffe.Attribute) else None
    return f"{it.name}{kind}" + (f" = {value}" if value is not None else "")
