"""ARCHITECTURE.md and the configuration page are maps, and a map is checked against the land."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import msgspec
import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from tree import PACKAGES, ROOT, dotted, modules, rows, section, short, text_of, tree_of
from typer.testing import CliRunner

from gateway.__main__ import app
from gateway.config import Settings
from gateway.model.registry import RegistryDocument

MODELS = (BaseModel, msgspec.Struct)
Model = type[BaseModel] | type[msgspec.Struct]
REQUIRED = msgspec.NODEFAULT


def found_at(name: str) -> object:
    """The module of a dotted name, or what a module holds under it; None if there is no such thing."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None)
        return found
    return None


WALK = [
    name for row in rows(section("ARCHITECTURE.md", "The walk")) for name in re.findall(r"`([\w.]+)`", row[1])
]


@pytest.mark.parametrize("name", WALK)
def test_the_walk_names_what_can_be_imported(name: str) -> None:
    assert found_at(name) is not None


def test_the_walk_has_all_its_steps() -> None:
    assert [row[0] for row in rows(section("ARCHITECTURE.md", "The walk"))] == [*"12345678", "back"]


def planned() -> dict[str, set[str]]:
    """Folder -> the modules and packages that the plan names in it."""
    return {
        row[0].strip("`/"): set(re.findall(r"`([\w.-]+)/?`", row[1]))
        for row in rows(section("ARCHITECTURE.md", "Folders"))
    }


def existing(folder: Path) -> set[str]:
    modules_here = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    return modules_here | {path.parent.name for path in folder.glob("*/__init__.py")}


def test_every_planned_folder_exists() -> None:
    assert [name for name in planned() if not (ROOT / name).is_dir()] == []


def test_every_package_of_ours_is_planned() -> None:
    real = {path.parent for package in PACKAGES for path in modules(package) if path.name == "__init__.py"}

    assert {short(path) for path in real if path.parent != ROOT / "adapters"} - set(planned()) == set()


@pytest.mark.parametrize("folder", [name for name in planned() if name.split("/")[0] in PACKAGES])
def test_the_plan_of_a_folder_is_the_folder(folder: str) -> None:
    assert planned()[folder] == existing(ROOT / folder)


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=short)
def test_a_module_says_in_one_sentence_what_it_is(path: Path) -> None:
    told = ast.get_docstring(tree_of(path)) or ""
    first = told.split("\n\n")[0]

    assert first, f"{dotted(path)} has no docstring"
    assert first[0].isupper() or not first[0].isalpha()
    assert first.endswith(".")
    assert len(first) <= 240
    assert not re.search(r"\. [A-Z]", first.replace("e.g. ", ""))


@pytest.mark.parametrize(
    "name",
    [path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]],
)
def test_links_between_our_documents_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text_of(name)) + re.findall(
        r'src="([^":]+)"', text_of(name)
    )

    assert [target for target in targets if not ((ROOT / name).parent / target).exists()] == []


def test_the_index_of_decisions_names_every_decision() -> None:
    decisions = {path.name for path in (ROOT / "docs" / "adr").glob("0*.md")}

    assert set(re.findall(r"\((0\d+[\w-]+\.md)\)", text_of("docs/adr/README.md"))) == decisions


def test_the_limits_have_the_documented_values() -> None:
    table = rows(section("docs/configuration.md", "Limits that are no keys"))

    assert {row[0]: row[1] for row in table} == {
        row[0]: f"{found_at(row[0].strip('`')):.0f}" for row in table
    }


def fenced(document: str) -> str:
    return "\n".join(re.findall(r"^```\n(.*?)^```", text_of(document), flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_the_commands_that_a_document_shows_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), flags=re.MULTILINE))
    shown = [line.split("  ")[0].split() for line in fenced(document).splitlines()]

    assert {words[1] for words in shown if words[:1] == ["make"]} - targets == set()
    for words in shown:
        if words[:1] == ["vaka"]:
            names = [word for word in words[1:3] if word.isalpha()]
            assert CliRunner().invoke(app, [*names, "--help"]).exit_code == 0, words


def test_the_message_that_the_readme_shows_is_read() -> None:
    topic, payload = re.search(
        r"vaka decode --topic (\S+) --payload '(.*?)'", fenced("README.md"), re.DOTALL
    ).groups()

    result = CliRunner().invoke(app, ["decode", "--topic", topic, "--payload", payload])

    assert json.loads(result.stdout)["type"] == "lock.jammed"


def submodel(annotation: object) -> Model | None:
    """The model behind `Model`, `Model | None` or `tuple[Model, ...]`, its bounds left aside."""
    if get_origin(annotation) is Annotated:
        return submodel(get_args(annotation)[0])
    if isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, MODELS):
        return annotation
    if get_origin(annotation) in (Union, UnionType, tuple):
        return next(filter(None, map(submodel, get_args(annotation))), None)
    return None


def fields_of(model: Model) -> Iterator[tuple[str, object, object]]:
    """The name, type and default of every field of a settings section or a record."""
    if issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield name, field.annotation, REQUIRED if field.is_required() else field.get_default()
        return
    for one in msgspec.structs.fields(model):
        made = one.default_factory is not msgspec.NODEFAULT
        yield one.name, one.type, None if made else one.default


def keys_of(model: Model, prefix: str = "") -> dict[str, str]:
    """Every key of a model and the models below it, with its default as TOML writes it."""
    found: dict[str, str] = {}
    for name, annotation, default in fields_of(model):
        below = submodel(annotation)
        if below is None:
            found[prefix + name] = "required" if default is REQUIRED else written(default)
        else:
            bare = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
            several = get_origin(bare) is tuple
            found |= keys_of(below, f"{prefix}{name}{'[]' if several else ''}.")
    return found


def written(value: object) -> str:
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path | str | Enum):
        return f'"{value}"'
    if isinstance(value, tuple | frozenset | list):
        return "[" + ", ".join(written(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def documented(heading: str) -> dict[str, str]:
    return {
        row[0].strip("`"): row[1].strip("`")
        for row in rows(section("docs/configuration.md", heading))
        if row[-1]
    }


@pytest.mark.parametrize(("heading", "model"), [("Keys", Settings), ("The registry", RegistryDocument)])
def test_every_key_is_documented_with_its_default(heading: str, model: Model) -> None:
    assert documented(heading) == keys_of(model)


def test_every_key_of_the_configuration_has_an_effect() -> None:
    source = "\n".join(path.read_text() for path in modules("gateway") if short(path) != "gateway/config.py")
    last_parts = {key.rsplit(".")[-1] for key in keys_of(Settings)}

    assert {part for part in last_parts if not re.search(rf"\.{part}\b", source)} == set()
