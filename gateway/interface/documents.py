"""Documents: every file that is published, by its path, and how they are written to a folder."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from gateway.contract import Adapter
from gateway.interface.asyncapi import asyncapi
from gateway.interface.catalogue import Tested, catalogue
from gateway.interface.examples import event_examples, message_examples
from gateway.interface.maps import map_documents
from gateway.interface.outward import outward_documents
from gateway.interface.page import html
from gateway.interface.prose import markdown
from gateway.interface.schema import all_schemas
from gateway.interface.version import VERSIONS, Version
from gateway.model.codes import codes_for

Documents = Mapping[str, str]
_POLICY = "policy.md"


@cache
def published() -> Documents:
    """Return the documents of every version that is served, by their path below /interface/."""
    return all_documents(VERSIONS)


def all_documents(versions: Mapping[str, Version]) -> dict[str, str]:
    """Return the documents of these versions, the list of them, and the policy."""
    found = _page("index.md", _list_of(versions))
    found |= _page(_POLICY, files("gateway.interface").joinpath(_POLICY).read_text("utf-8"))
    found |= outward_documents()
    for path, text in map_documents().items():
        found |= _page(path, text) if path.endswith(".md") else {path: text}
    for name, version in versions.items():
        found |= {f"{name}/{path}": text for path, text in version_documents(version).items()}
    return found


def version_documents(version: Version) -> dict[str, str]:
    """Return the documents of one version by their path below its folder."""
    found = _page("index.md", markdown(version))
    found["asyncapi.json"] = _json(asyncapi(version))
    found["clauses.json"] = _json([_plain(clause) for clause in version.clauses])
    found["codes.json"] = _json({word.name: _plain(codes_for(word.name)) for _, word, _ in version.words()})
    found |= {f"schema/{path}": _json(schema) for path, schema in all_schemas(version).items()}
    found |= {f"examples/{name}.json": _json(body) for name, body in message_examples(version).items()}
    found |= {f"examples/event/{name}.json": _json(body) for name, body in event_examples(version).items()}
    for folder, title in (("schema", "JSON Schema"), ("examples", "Examples")):
        paths = [path.removeprefix(f"{folder}/") for path in found if path.startswith(f"{folder}/")]
        found |= _page(f"{folder}/index.md", _files(f"{title}: {version.about.title}", paths))
    return found


def adapter_documents(adapters: Iterable[Adapter], tested: Iterable[Tested] = ()) -> dict[str, str]:
    """Return the catalogue of adapters and tested products, in both forms."""
    return _page("catalogue.md", catalogue(adapters, tested))


def write(found: Documents, out: Path) -> int:
    """Write documents below a folder, which is made if it is missing; return how many. Raises OSError."""
    for path, text in found.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    return len(found)


def _page(path: str, text: str) -> dict[str, str]:
    return {path: text, path.removesuffix(".md") + ".html": html(text)}


def _list_of(versions: Mapping[str, Version]) -> str:
    lines = ["# The open device interface", "", "| version | state | machine-readable |", "|---|---|---|"]
    for name, version in versions.items():
        about = version.about
        more = f"[AsyncAPI 3]({name}/asyncapi.json), [JSON Schema]({name}/schema/index.md), "
        more += f"[examples]({name}/examples/index.md), [clauses]({name}/clauses.json)"
        lines.append(f"| [{about.title}]({name}/index.md) | {about.state} | {more} |")
    lines += [
        "",
        "The vocabulary in the codes of SCAIP, IEEE 11073, VKP, FHIR, SIA: [code maps](codes/index.md).",
    ]
    lines += ["", "What leaves the house as CloudEvents: [AsyncAPI 3](outward/asyncapi.json)."]
    lines += ["", "The [policy](policy.md) says what may change, and how long a version is served.", ""]
    return "\n".join(lines)


def _files(title: str, paths: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", *(f"- [{path}]({path})" for path in sorted(paths)), ""])


def _plain(value: Any) -> dict[str, Any]:
    """Return a struct as plain values, what says nothing left out."""
    found = {name: getattr(value, name) for name in value.__struct_fields__}
    return {name: _builtin(one) for name, one in found.items() if one not in (None, (), "", {})}


def _builtin(value: Any) -> Any:
    if hasattr(value, "__struct_fields__"):
        return _plain(value)
    if isinstance(value, tuple | list):
        return [_builtin(one) for one in value]
    return getattr(value, "name", value).lower() if hasattr(value, "name") else value


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
