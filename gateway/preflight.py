"""What must be right before anything starts: TLS files, adapters and profiles for every device."""

import ssl
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from gateway.ble_settings import unknown_profiles
from gateway.config import Settings, load_registry
from gateway.contract import ConfigurationError
from gateway.model.registry import Registry
from gateway.plugins import load_profiles, load_rules
from gateway.rule_files import examine as examine_rules
from gateway.rule_files import own_rules, paths_in

PEM = "a PEM file"
_DEVICES_NAMED = 3


def examine(settings: Settings, adapters: Collection[str]) -> Registry | None:
    """Return the registry of a configuration that can start; ConfigurationError with a line for each fault.

    `adapters` are the ids of those that are installed and wanted.
    """
    faults = [*_tls(settings), *_rules(settings), *_ble(settings)]
    registry = None
    if settings.registry is not None:
        registry = load_registry(settings.registry)
        faults += _adapters(settings.registry, registry, adapters)
    if faults:
        raise ConfigurationError("\n".join(faults))
    return registry


def _rules(settings: Settings) -> Iterator[str]:
    try:
        faults = examine_rules(paths_in(settings.rules_dir)) if settings.rules_dir else []
        yield from faults
        if not faults:
            load_rules(own_rules(settings.rules_dir, examined=True), settings.active_rules)
    except ConfigurationError as error:
        yield from str(error).splitlines()


def _ble(settings: Settings) -> Iterator[str]:
    if settings.ble.enabled:
        yield from unknown_profiles(settings.ble, {profile.id for profile in load_profiles()})


def _tls(settings: Settings) -> Iterator[str]:
    api, listener = settings.api.tls, settings.listener.tls
    if api is not None:
        yield from _pair("api.tls", api.certificate, api.key)
    if listener is not None and settings.listener.enabled:
        yield from _pair("listener.tls", listener.certificate, listener.key)
        yield from _authority("listener.tls.client_ca", listener.client_ca)
    sip = settings.sip.tls
    if sip is not None and settings.sip.enabled:
        yield from _pair("sip.tls", sip.certificate, sip.key)
        yield from _authority("sip.tls.client_ca", sip.client_ca)
    for number, centre in enumerate(settings.channels.scaip.centre if settings.channels.scaip else ()):
        yield from _authority(f"channels.scaip.centre.{number}.ca", centre.ca)
    for broker in settings.broker:
        if broker.url.startswith("mqtts:"):
            yield from _authority(f"broker.{broker.name}.ca", broker.ca)
            yield from _pair(f"broker.{broker.name}", broker.certificate, broker.key)
    for tap in settings.taps.cloudevents:
        yield from _authority(f"taps.cloudevents.{tap.name}.ca", Path(tap.ca) if tap.ca else None)


def _pair(section: str, certificate: Path | None, key: Path | None) -> Iterator[str]:
    """Tell what is wrong with a certificate and its private key (None: it is in the certificate's file)."""
    files = {f"{section}.certificate": certificate, f"{section}.key": key}
    unreadable = [line for name, path in files.items() if path for line in _readable(name, path)]
    yield from unreadable
    if unreadable or certificate is None:
        return
    try:
        # An encrypted key would make OpenSSL ask at the terminal, which a service does not have.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        found = f"found {str(certificate)!r}, {str(key or certificate)!r}: {_reason(error)}"
        yield f"{section}.certificate, {section}.key: {found}; allowed: {PEM} and the unencrypted key to it"


def _authority(name: str, path: Path | None) -> Iterator[str]:
    if path is None:
        return
    unreadable = list(_readable(name, path))
    yield from unreadable
    if unreadable:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        yield f"{name}: found {str(path)!r}: {_reason(error)}; allowed: {PEM} with certificates"


def _readable(name: str, path: Path) -> Iterator[str]:
    try:
        path.read_bytes()
    except FileNotFoundError:
        yield f"{name}: found {str(path)!r}: no such file; allowed: {PEM}"
    except OSError as error:
        yield f"{name}: found {str(path)!r}: {error.strerror}; allowed: {PEM}"


def _reason(error: Exception) -> str:
    """Name the fault as OpenSSL does; of a file without PEM text it has no more to say than its code."""
    reason = getattr(error, "reason", None) or str(error)
    return str(reason).replace("_", " ").lower()


def _adapters(path: Path, registry: Registry, adapters: Collection[str]) -> Iterator[str]:
    missing: dict[str, list[str]] = {}
    for device in registry.devices.values():
        if device.adapter not in adapters:
            missing.setdefault(device.adapter, []).append(device.id)
    for adapter, devices in missing.items():
        found = f"found {adapter!r} for {_some(devices)}: not installed, or not in `adapters`"
        yield f"{path}: device.adapter: {found}; allowed: {', '.join(sorted(adapters))}"


def _some(names: Iterable[str]) -> str:
    named = list(names)
    more = len(named) - _DEVICES_NAMED
    return ", ".join(named[:_DEVICES_NAMED]) + (f" and {more} more" if more > 0 else "")
