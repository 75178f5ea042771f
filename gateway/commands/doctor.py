"""`vaka doctor`: does this machine keep what the gateway promises."""

import os
import platform
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from gateway.config import Settings, load_registry
from gateway.contract import RuleState, VakaError
from gateway.plugins import find_adapters, load_rules
from gateway.rule_files import own_rules

FREE_BYTES = 1 << 30
FSYNC_MS = 50.0

Finding = tuple[str, str]
"""("ok" | "warn" | "fail", sentence)"""


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings, one sentence each."""
    for look in (_python, _storage, _disk, _registry, _ports, _plugins):
        try:
            yield from look(settings)
        except (OSError, VakaError, sqlite3.Error) as error:
            yield "fail", str(error)


def _python(_settings: Settings) -> Iterator[Finding]:
    fit = sys.version_info >= (3, 11)
    yield "ok" if fit else "fail", f"Python {platform.python_version()}, allowed 3.11 or later"
    yield "ok", f"SQLite {sqlite3.sqlite_version}"


def _storage(settings: Settings) -> Iterator[Finding]:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=settings.data_dir) as file:
        times = [_timed(lambda: _sync(file.fileno())) for _ in range(20)]
    middle = sorted(times)[len(times) // 2]
    verdict = "ok" if middle < FSYNC_MS else "warn"
    yield verdict, f"fsync in {settings.data_dir}: median {middle:.2f} ms, worst {max(times):.2f} ms"


def _sync(file: int) -> None:
    os.write(file, b"\0" * 4096)
    os.fsync(file)


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _disk(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(settings.data_dir).free
    yield "ok" if free > FREE_BYTES else "warn", f"{free / 1e9:.1f} GB free in {settings.data_dir}"
    mode = settings.data_dir.stat().st_mode & 0o077
    yield ("warn" if mode else "ok"), f"{settings.data_dir} is {'readable by others' if mode else 'private'}"


def _registry(settings: Settings) -> Iterator[Finding]:
    if settings.registry is None:
        yield "warn", "no registry is set: every device will be unknown"
        return
    registry = load_registry(settings.registry)
    yield "ok", f"registry: {len(registry.homes)} homes, {len(registry.enrolments)} enrolled devices"


def _ports(settings: Settings) -> Iterator[Finding]:
    wanted = [("api", settings.api.host, settings.api.port)]
    if settings.listener.enabled:
        wanted.append(("listener", settings.listener.host, settings.listener.port))
    for name, host, port in wanted:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                yield "warn", f"{name}: {host}:{port} cannot be bound now: {error.strerror}"
            else:
                yield "ok", f"{name}: {host}:{port} is free"


def _plugins(settings: Settings) -> Iterator[Finding]:
    adapters, faults = find_adapters(settings.adapters)
    yield from (("fail", fault) for fault in faults)
    yield "ok", f"adapters: {', '.join(adapter.manifest.id for adapter in adapters)}"
    rules = load_rules(own_rules(settings.rules_dir), settings.active_rules)
    shadow = sum(rule.state is RuleState.SHADOW for rule in rules)
    yield "ok", f"rules: {len(rules)}, {shadow} of them in shadow"


def exit_code(findings: list[Finding]) -> int:
    """Return 1 if anything failed."""
    return int(any(verdict == "fail" for verdict, _ in findings))
