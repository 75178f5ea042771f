from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import Manifest
from gateway.model.registry import Device, Registry, RegistryDocument, Tenant
from gateway.model.vocabulary import DeviceKind
from gateway.service.logins import hash_secret, new_password, verify_secret
from gateway.transports.mqtt_listener import RegistryCredentials
from gateway.transports.mqtt_listener.faults import TokenBucket
from gateway.transports.mqtt_listener.rights import rights_of
from gateway.transports.mqtt_listener.topics import FilterTree, covers, matches

LEVEL = st.sampled_from(["a", "b", "", "$x"])
NAME = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool)
FILTER = (
    st.lists(st.sampled_from(["a", "b", "", "$x", "+"]), min_size=1, max_size=4)
    .flatmap(lambda levels: st.sampled_from(["/".join(levels), "/".join([*levels, "#"]), "#"]))
    .filter(bool)
)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "ab", False),
        ("+", "a", True),
        ("+/b", "/b", True),
        ("+", "/b", False),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
    ],
)
def test_filters_match_as_the_standard_says(topic_filter: str, topic: str, *, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


@given(FILTER, FILTER, NAME)
def test_what_a_covered_filter_matches_the_covering_one_matches_too(
    outer: str, inner: str, topic: str
) -> None:
    if covers(outer, inner) and matches(inner, topic):
        assert matches(outer, topic)


@given(st.lists(FILTER, max_size=6), st.lists(FILTER, max_size=3), NAME)
def test_the_tree_finds_what_matching_one_by_one_finds(
    added: list[str], removed: list[str], topic: str
) -> None:
    tree: FilterTree[str] = FilterTree()
    for topic_filter in added:
        tree.add(topic_filter, topic_filter, topic_filter)
    for topic_filter in removed:
        tree.discard(topic_filter, topic_filter)
    left = set(added) - set(removed)
    assert sorted(key for key, _ in tree.find(topic)) == sorted(f for f in left if matches(f, topic))


def test_an_emptied_tree_keeps_nothing() -> None:
    tree: FilterTree[int] = FilterTree()
    tree.add("a/b/c", "k", 1)
    tree.discard("a/b/c", "k")
    assert tree._root.children == {}


def device(**more: object) -> Device:
    given = {"id": "d", "tenant": "t", "adapter": "vaka", "native_id": "t/d", "kind": DeviceKind.LOCK}
    return Device.of({**given, **more})


MANIFEST = Manifest(
    id="vaka",
    product="p",
    version="1",
    topics=("vaka/#",),
    branch="vaka/{native_id}/#",
    inbox="vaka/{native_id}/+",
)


def test_rights_are_the_own_branch_and_inbox() -> None:
    rights = rights_of(device(), {"vaka": MANIFEST})
    assert rights.may_publish("vaka/t/d/event")
    assert not rights.may_publish("vaka/t/dd/event")
    assert rights.may_subscribe("vaka/t/d/+")
    assert not rights.may_subscribe("vaka/t/d/#")


@pytest.mark.parametrize("native_id", ["+", "t/#", "a+b"])
def test_a_native_id_with_a_wildcard_opens_nothing(native_id: str) -> None:
    rights = rights_of(device(native_id=native_id), {"vaka": MANIFEST})
    assert not rights.may_publish("vaka/t/d")
    assert not rights.may_subscribe("vaka/+/x")


def test_a_device_without_its_adapter_may_nothing() -> None:
    assert not rights_of(device(), {}).may_publish("vaka/t/d/event")


@given(st.text(max_size=40), st.text(max_size=40))
def test_only_the_right_password_verifies(password: str, other: str) -> None:
    try:
        secret = hash_secret(password)
    except UnicodeEncodeError:
        return
    assert verify_secret(password, secret)
    assert verify_secret(other, secret) is (other == password)


def test_secrets_are_salted_and_do_not_hold_the_password() -> None:
    password = new_password()
    first, second = hash_secret(password), hash_secret(password)
    assert first != second
    assert password not in first
    assert first.startswith("blake2b$")


@pytest.mark.parametrize(
    "secret", ["", "x", "blake2b$", "blake2b$zz$zz", "blake2b$00$00", "argon2$00$00", "$$"]
)
def test_a_secret_of_another_form_verifies_nothing(secret: str) -> None:
    assert not verify_secret("", secret)
    assert not verify_secret("x", secret)


def test_credentials_follow_the_registry_and_the_certificate() -> None:
    known = device(secret=hash_secret("pw"), certificate="d.example")
    bare = device(id="bare", native_id="t/bare")
    registries = [
        Registry(RegistryDocument(tenant=(Tenant(id="t", name="T"),), device=devices))
        for devices in ((known, bare), (bare,))
    ]
    check = RegistryCredentials(lambda: registries[0])
    assert check("d", "pw", "") == known
    assert check("d", "pw", "unknown.example") == known
    assert check("", "", "d.example") == known
    assert check("d", "wrong", "d.example") == known
    assert check("bare", "", "d.example") is None
    for username, password in (("d", "x"), ("d", ""), ("bare", ""), ("", ""), ("nobody", "pw")):
        assert check(username, password, "") is None
    del registries[0]
    assert check("d", "pw", "") is None
    assert check("", "", "d.example") is None


class HandClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 31, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


def test_the_bucket_allows_a_burst_and_then_the_rate() -> None:
    clock = HandClock()
    bucket = TokenBucket(10, 5, clock)
    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]
    clock.at += timedelta(seconds=0.2)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    clock.at -= timedelta(hours=1)
    assert not bucket.take()
    clock.at += timedelta(days=1)
    assert sum(bucket.take() for _ in range(10)) == 5
