"""Pages: one page of a search as a searchset Bundle, with the way to the next."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

from gateway.api.fhir.feeds import FEEDS, House, Step, read
from gateway.fhir.names import name_of
from gateway.fhir.search import PARAMS, SearchFault, fits, found_at, lower_bound
from gateway.fhir.terms import WORD, Resource

COUNT, MOST = 50, 500
"""Resources of a page where nothing is said, and at most."""
SCANNED = 5_000
"""So much of the log one request looks through; a page may be short, or empty, and still have a next."""
AT_ONCE = 500
CONTROL = frozenset({"_count", "_include", "_format", "_pretty", "_sort", "_after"})


class Asked(NamedTuple):
    """A search as it was asked: the type, what resources must fit, how many, what comes along."""

    kind: str
    wanted: Sequence[tuple[str, str]]
    most: int
    includes: Sequence[str]
    after: str


def asked_of(kind: str, parameters: Sequence[tuple[str, str]], *, lenient: bool) -> Asked:
    """Read a search; SearchFault names what is not understood. A lenient reader lets unknown ones pass."""
    wanted = [(name, text) for name, text in parameters if name not in CONTROL]
    if lenient:
        wanted = [(name, text) for name, text in wanted if name in PARAMS[kind]]
    control: dict[str, str] = {name: text for name, text in parameters if name in CONTROL}
    if control.get("_sort", "_lastUpdated") != "_lastUpdated":
        raise SearchFault(f"_sort: found {control['_sort']!r}; allowed: _lastUpdated")
    if control.get("_format", "json") not in {"json", "application/json", "application/fhir+json"}:
        raise SearchFault(f"_format: found {control['_format']!r}; allowed: json")
    count = control.get("_count", str(COUNT))
    if not (count.isascii() and count.isdigit()):
        raise SearchFault(f"_count: found {count!r}; allowed: 0 to {MOST}")
    includes = [text for name, text in parameters if name == "_include"]
    for text in includes:
        _include(kind, text)
    return Asked(kind, wanted, min(int(count), MOST), includes, control.get("_after", ""))


class _Found(NamedTuple):
    """What one request found, and where the next goes on; None at the end."""

    resources: list[Resource]
    after: str | None


def bundle(house: House, asked: Asked, base: str) -> Resource:
    """Return one page; SearchFault for a token that is none of ours."""
    found = _by_id(house, asked) or _scanned(house, asked)
    links = [{"relation": "self", "url": _url(base, asked, asked.after)}]
    if found.after is not None:
        links.append({"relation": "next", "url": _url(base, asked, found.after)})
    entries = [_entry(base, one, "match") for one in found.resources]
    entries += [_entry(base, one, "include") for one in _included(house, asked, found.resources)]
    whole: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if found.after is None and not asked.after:
        whole["total"] = len(found.resources)
    return whole | ({"entry": entries} if entries else {})


def _by_id(house: House, asked: Asked) -> _Found | None:
    """Return what is asked for by `_id`, None where it is not."""
    names = [text for name, text in asked.wanted if name == "_id"]
    if not names:
        return None
    fit = fits(asked.kind, asked.wanted)
    read_all = (read(house, asked.kind, written) for written in dict.fromkeys(names[0].split(",")))
    return _Found([one for one in read_all if one is not None and fit(one)], None)


def _scanned(house: House, asked: Asked) -> _Found:
    """Look through the feeds until the page is full, enough was looked at, or nothing is left."""
    number, key = _token(asked)
    fit, since = fits(asked.kind, asked.wanted), lower_bound(asked.wanted)
    frame = house.search.frame_at(since) if since is not None else 0
    found: list[Resource] = []
    left = SCANNED
    while left > 0 and len(found) < asked.most and number < len(FEEDS[asked.kind]):
        step = Step(key, min(AT_ONCE, left), frame, _words(asked), _device(asked))
        batch = FEEDS[asked.kind][number].page(house, step)
        left -= step.most
        taken = [(at, one) for at, one in batch.resources if fit(one)][: asked.most - len(found)]
        found += [one for _, one in taken]
        if len(found) == asked.most:
            return _Found(found, _written(number, taken[-1][0]))
        number, key = (number, batch.key) if batch.key is not None else (number + 1, "")
    ended = number == len(FEEDS[asked.kind]) or not asked.most
    return _Found(found, None if ended else _written(number, key))


def _words(asked: Asked) -> frozenset[str]:
    """Return the words of ours that a code asks for, so that others need not be read."""
    codes = [text for name, text in asked.wanted if name in {"code", "type"} and text.startswith(f"{WORD}|")]
    return frozenset(one.rpartition("|")[2] for text in codes[:1] for one in text.split(","))


def _device(asked: Asked) -> str:
    texts = [text for name, text in asked.wanted if name == "device" and "," not in text]
    return name_of(texts[0].rpartition("/")[2]) if texts else ""


def _included(house: House, asked: Asked, found: Sequence[Resource]) -> list[Resource]:
    there = {f"{one['resourceType']}/{one['id']}" for one in found}
    more: dict[str, Resource] = {}
    for text in asked.includes:
        paths = _include(asked.kind, text)
        for value in (value for one in found for path in paths for value in found_at(one, path)):
            name = value.get("reference", "") if isinstance(value, dict) else ""
            kind, _, written = name.partition("/")
            if name and name not in there and name not in more and kind in FEEDS:
                resource = read(house, kind, written)
                if resource is not None:
                    more[name] = resource
    return list(more.values())


def _include(kind: str, text: str) -> tuple[str, ...]:
    """Return where the references of an _include stand; SearchFault."""
    source, _, name = text.partition(":")
    param = PARAMS[kind].get(name.partition(":")[0])
    if source != kind or param is None or param.kind != "reference":
        allowed = ", ".join(
            f"{kind}:{one}" for one, param in PARAMS[kind].items() if param.kind == "reference"
        )
        raise SearchFault(f"_include: found {text!r}; allowed: {allowed or 'none for this type'}")
    return param.paths


def _entry(base: str, resource: Resource, mode: str) -> Resource:
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def _url(base: str, asked: Asked, after: str) -> str:
    told = [*asked.wanted, ("_count", str(asked.most)), *(("_include", text) for text in asked.includes)]
    return f"{base}/{asked.kind}?" + urlencode(told + ([("_after", after)] if after else []))


def _written(number: int, key: str) -> str:
    return urlsafe_b64encode(msgspec.json.encode([number, key])).decode().rstrip("=")


def _token(asked: Asked) -> tuple[int, str]:
    """Return the feed and the key to go on after."""
    if not asked.after:
        return 0, ""
    try:
        body = urlsafe_b64decode(asked.after + "=" * (-len(asked.after) % 4))
        number, key = msgspec.json.decode(body, type=tuple[int, str])
        FEEDS[asked.kind][number].check(key)
    except (ValueError, IndexError) as error:
        raise SearchFault("_after: found no token of ours; allowed: that of a next link") from error
    return number, key
