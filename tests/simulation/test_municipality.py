"""The made-up municipality: its files load, its secrets are secret, the seed decides all the rest."""

import hashlib
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.config import load_registry
from gateway.contract.errors import ConfigurationError
from gateway.model.registry import RegistryDocument
from simulators.files import read_passwords, to_toml, write_municipality
from simulators.municipality import make_municipality


def bare(document: RegistryDocument) -> RegistryDocument:
    devices = tuple(replace(device, secret=None) for device in document.device)
    return replace(document, device=devices)


def test_the_written_registry_loads_as_the_document_it_was_written_from(tmp_path: Path) -> None:
    made = make_municipality(20, 1)
    write_municipality(made, tmp_path)
    assert load_registry(tmp_path / "registry.toml").document == made.document


def test_the_same_seed_gives_the_same_registry_but_never_the_same_passwords() -> None:
    one, two = make_municipality(20, 1), make_municipality(20, 1)
    assert to_toml(bare(one.document)) == to_toml(bare(two.document))
    assert to_toml(bare(one.document)) != to_toml(bare(make_municipality(20, 2).document))
    assert not set(one.passwords.values()) & set(two.passwords.values())


def test_every_password_fits_its_digest_and_stands_in_no_registry(tmp_path: Path) -> None:
    made = make_municipality(20, 1)
    write_municipality(made, tmp_path)
    text = (tmp_path / "registry.toml").read_text()
    passwords = read_passwords(tmp_path)
    for device in made.document.device:
        assert device.secret
        scheme, salt, expected = device.secret.split("$")
        assert scheme == "blake2b"
        assert len(bytes.fromhex(salt)) == 16
        raw = passwords[device.id].encode()
        assert hashlib.blake2b(raw, salt=bytes.fromhex(salt), digest_size=32).hexdigest() == expected
        assert passwords[device.id] not in text
    assert len(set(passwords.values())) == len(passwords)


def test_only_the_owner_can_read_the_passwords_even_when_written_again(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{}")
    write_municipality(make_municipality(1, 1), tmp_path)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_twenty_homes_have_every_class_of_device_and_a_night_wanderer() -> None:
    document = make_municipality(20, 1).document
    assert len(document.home) == 20
    kinds = {device.kind.value for device in document.device}
    assert {"lock", "gps_alarm", "medication_dispenser", "camera", "social_alarm"} <= kinds
    assert any("night_wandering" in person.flags for person in document.person)
    assert all(device.native_id == device.id for device in document.device)


@pytest.mark.parametrize("content", [None, "[1]", "{", '{"a": 1}'])
def test_a_missing_or_broken_secrets_file_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "secrets.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"secrets\.json"):
        read_passwords(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigurationError, match="taken"):
        write_municipality(make_municipality(1, 1), tmp_path / "taken" / "inside")
