"""`vaka conform`: hold a device to the device interface; tell, sign and verify what came of it."""

import asyncio
import ssl
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.conformance.ble.cases import CASES as GATT_CASES
from gateway.conformance.ble.cases import DECLARED as GATT_DECLARED
from gateway.conformance.ble.cases import held_to
from gateway.conformance.ble.session import GattPlan
from gateway.conformance.ble.session import conduct as conduct_gatt
from gateway.conformance.case import Case
from gateway.conformance.cases import CASES
from gateway.conformance.declaration import Declaration, read_declaration
from gateway.conformance.exclusions import Exclusion, read_exclusions
from gateway.conformance.pics import CASES as PICS_CASES
from gateway.conformance.probe import Address
from gateway.conformance.progress import Progress
from gateway.conformance.prompts import Terminal
from gateway.conformance.report import Report, file_digest, read_report
from gateway.conformance.requirements import as_csv, as_markdown, requirements
from gateway.conformance.scaip.cases import CASES as SCAIP_CASES
from gateway.conformance.scaip.cases import DECLARED as SCAIP_DECLARED
from gateway.conformance.scaip.cases import clauses as scaip_clauses
from gateway.conformance.scaip.session import ScaipPlan
from gateway.conformance.scaip.session import conduct as conduct_scaip
from gateway.conformance.session import Plan, conduct, server_tls
from gateway.conformance.statement import (
    Grade,
    digests_of,
    grade_of,
    key_id,
    make_key,
    read_private,
    read_public,
    sign,
    statement,
    verified,
)
from gateway.conformance.verdict import Verdict
from gateway.conformance.written import JSON_FILE, STATEMENT_FILE, summary, write_forms, write_json
from gateway.contract import ConfigurationError
from gateway.contract.clauses import clauses_of
from gateway.transports.ble.radio import Radio

VERSION = "v1"
OVER = "mqtt"
"""The transport that the kit speaks."""
PORTS = {"mqtt": 1883, "mqtts": 8883}
MQTT_DOOR, SIP_DOOR = "127.0.0.1:1884", "127.0.0.1:5060"
"""Where it listens when nothing is said."""
EXIT = {Verdict.PASS: 0, Verdict.FAIL: 1}
UNDECIDED = 3
"""The exit code of a run that is neither pass nor fail."""

app = typer.Typer(
    help="Hold a device to the standard device interface.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Declared = Annotated[Path, typer.Option("--declaration", "-d", help="The vendor's declaration, TOML.")]
Out = Annotated[Path, typer.Option(help="Folder for the reports.")]
Lang = Annotated[Literal["sv", "en"], typer.Option("--lang", help="Language of the prompts.")]
Key = Annotated[Path | None, typer.Option(help="Ed25519 private key (PEM) to sign the statement with.")]
Graded = Annotated[
    Literal["self-declared", "witnessed"],
    typer.Option(help="Who answers for it: the vendor, or a testbed that stood beside."),
]


@app.command("run")
def run(  # noqa: PLR0913, PLR0917 - every argument is an option of the command
    declaration: Declared,
    out: Out = Path("conformance"),
    listen: Annotated[
        str | None, typer.Option(help="Where the device sends to: 127.0.0.1:1884, with --sip :5060.")
    ] = None,
    broker: Annotated[str | None, typer.Option(help="Stand before mqtt(s)://host:port instead.")] = None,
    broker_ca: Annotated[Path | None, typer.Option(help="Authority of an mqtts broker.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS for the device: chain, PEM.")] = None,
    certificate_key: Annotated[Path | None, typer.Option(help="TLS for the device: key, PEM.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run these cases only: no pass then.")] = None,
    exclusions: Annotated[Path | None, typer.Option(help="Instead of the kit's own list.")] = None,
    ble: Annotated[str | None, typer.Option(help="Over Bluetooth: the device's address or name.")] = None,
    adapter: Annotated[str | None, typer.Option(help="Bluetooth adapter, as hci0.")] = None,
    *,
    sip: Annotated[bool, typer.Option("--sip", help="An alarm unit that speaks SCAIP over SIP.")] = False,
    prompts: Annotated[bool, typer.Option(help="Whether somebody stands beside the device.")] = True,
    lang: Lang = "sv",
    sign_with: Key = None,
    grade: Graded = "self-declared",
) -> None:
    """Run every case that concerns the device; exit 0 pass, 1 fail, 3 undecided."""
    signing = read_private(sign_with) if sign_with is not None else None
    declared = _reached(read_declaration(declaration), ble, sip=sip)
    prompter = Terminal(sys.stderr, sys.stdin, lang) if prompts and declared.tester.by == "none" else None
    asked = _Asked(declared, only, read_exclusions(exclusions), prompter, Progress(sys.stderr, lang))
    if ble is not None:
        running = _over_bluetooth(asked, adapter)
    elif sip:
        running = _over_sip(asked, _door(listen or SIP_DOOR, None, None))
    else:
        door = _door(listen or MQTT_DOOR, certificate, certificate_key)
        running = _over_mqtt(asked, door, _broker(broker, broker_ca))
    out.mkdir(parents=True, exist_ok=True)
    found = asyncio.run(running)
    _written(found, out, signing, grade)
    raise typer.Exit(EXIT.get(found.verdict, UNDECIDED))


class _Asked(NamedTuple):
    """What a run is asked for, whatever the device speaks over."""

    declared: Declaration
    only: Sequence[str] | None
    left_out: tuple[Exclusion, ...]
    prompter: Terminal | None
    progress: Progress


def _over_mqtt(asked: _Asked, door: Address, broker: Address | None) -> Coroutine[Any, Any, Report]:
    plan = Plan(
        declaration=asked.declared,
        cases=_chosen(asked.only, CASES),
        clauses=clauses_of(VERSION, OVER),
        listen=door,
        broker=broker,
        exclusions=asked.left_out,
        prompter=asked.prompter,
    )
    return conduct(plan, asked.progress.told, lambda port: asked.progress.listening(door.host, port))


def _over_bluetooth(asked: _Asked, adapter: str | None) -> Coroutine[Any, Any, Report]:
    plan = GattPlan(
        declaration=asked.declared,
        cases=_chosen(asked.only, GATT_CASES),
        clauses=held_to(VERSION),
        radio=Radio(adapter),
        exclusions=asked.left_out,
        prompter=asked.prompter,
    )
    return conduct_gatt(plan, asked.progress.told)


def _over_sip(asked: _Asked, door: Address) -> Coroutine[Any, Any, Report]:
    plan = ScaipPlan(
        declaration=asked.declared,
        cases=_chosen(asked.only, SCAIP_CASES),
        clauses=scaip_clauses(),
        listen=door,
        exclusions=asked.left_out,
        prompter=asked.prompter,
    )
    return conduct_scaip(plan, asked.progress.told, lambda port: asked.progress.listening(door.host, port))


def _written(found: Report, out: Path, signing: Ed25519PrivateKey | None, grade: Grade) -> None:
    data = write_json(found, out)
    write_forms(found, out)
    if signing is not None:
        (out / STATEMENT_FILE).write_bytes(sign(statement(found, data, grade), signing))
    for line in summary(found):
        typer.echo(line)
    typer.echo(f"{out / JSON_FILE} and its other forms")


def _reached(declared: Declaration, ble: str | None, *, sip: bool) -> Declaration:
    """Return the declaration with the address that was given; ConfigurationError for one of another way."""
    if sip and ble is not None:
        raise ConfigurationError("--sip: found --ble too; allowed: one of them")
    if sip:
        if declared.scaip is None:
            raise ConfigurationError(
                "scaip: found none; allowed: the section [scaip], or a run without --sip"
            )
        return declared
    if ble is not None:
        return declared.model_copy(
            update={"connection": declared.connection.model_copy(update={"address": ble})}
        )
    if not declared.pics.mqtt:
        raise ConfigurationError(
            "pics.mqtt: found none; allowed: a version of MQTT, or a run with --ble or --sip"
        )
    return declared


@app.command("list")
def list_cases(
    declaration: Annotated[
        Path | None, typer.Option("--declaration", "-d", help="Mark what is left out.")
    ] = None,
    *,
    ble: Annotated[bool, typer.Option("--ble", help="The cases over Bluetooth.")] = False,
    sip: Annotated[bool, typer.Option("--sip", help="The cases of an alarm unit over SIP.")] = False,
) -> None:
    """List every case with its clauses, and every clause that no case tests."""
    cases, first = (GATT_CASES, GATT_DECLARED) if ble else (CASES, PICS_CASES)
    known = clauses_of(VERSION, "ble" if ble else OVER)
    if sip:
        cases, first, known = SCAIP_CASES, SCAIP_DECLARED, scaip_clauses()
    declared = read_declaration(declaration) if declaration is not None else None
    for case in (*first, *cases):
        why = case.unfit(declared) if declared is not None else ""
        left = f"  (not applicable: {why})" if why else ""
        typer.echo(f"{case.id:14} {case.drive.value:8} {', '.join(case.clauses)}: {case.en}{left}")
    tested = {clause for case in cases for clause in case.clauses}
    for clause in known:
        if clause.id not in tested:
            typer.echo(f"{'no case':14} {clause.level:8} {clause.id}: {clause.en}")


@app.command("requirements")
def list_requirements(
    language: Annotated[Literal["sv", "en"], typer.Option(help="Language of the requirements.")] = "sv",
    kind: Annotated[str | None, typer.Option(help="Of this kind of device only, as lock.")] = None,
    form: Annotated[
        Literal["markdown", "csv"], typer.Option("--format", help="What is printed.")
    ] = "markdown",
    *,
    ble: Annotated[bool, typer.Option("--ble", help="On a device over Bluetooth.")] = False,
    sip: Annotated[bool, typer.Option("--sip", help="On an alarm unit over SIP (SCAIP).")] = False,
) -> None:
    """Print the clauses as requirements for a tender, each with the case that verifies it."""
    asked, cases = (held_to(VERSION), GATT_CASES) if ble else (clauses_of(VERSION, OVER), CASES)
    if sip:
        asked, cases = scaip_clauses(), SCAIP_CASES
    found = requirements(asked, cases, language, kind)
    text = as_csv(found, language) if form == "csv" else as_markdown(found, language, "" if sip else VERSION)
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()


@app.command("report")
def report(
    master: Annotated[Path, typer.Argument(help="The JSON report.")],
    out: Annotated[Path | None, typer.Option(help="Folder; without it the report's own.")] = None,
) -> None:
    """Make the pages and the JUnit XML again from the JSON report."""
    for file in write_forms(read_report(master), out or master.parent):
        typer.echo(str(file))


@app.command("key")
def key(out: Annotated[Path, typer.Option(help="The private key; the public one is put beside it.")]) -> None:
    """Make an Ed25519 key pair to sign statements with."""
    public = make_key(out)
    typer.echo(f"{out} (keep it secret) and {public}\nkeyid {key_id(read_public(public))}")


@app.command("sign")
def sign_report(
    master: Annotated[Path, typer.Argument(help="The JSON report.")],
    sign_with: Annotated[Path, typer.Option("--key", help="Ed25519 private key, PEM.")],
    grade: Graded = "self-declared",
    out: Annotated[Path | None, typer.Option(help="The envelope; else beside the report.")] = None,
) -> None:
    """Sign a report that was made before; a testbed that stood beside signs it as witnessed."""
    signing, found = read_private(sign_with), read_report(master)
    envelope = out or master.parent / STATEMENT_FILE
    envelope.write_bytes(sign(statement(found, master.read_bytes(), grade), signing))
    typer.echo(f"{envelope}: {grade}, keyid {key_id(signing.public_key())}")


@app.command("verify")
def verify(
    envelope: Annotated[Path, typer.Argument(help="The signed statement.")],
    public: Annotated[Path, typer.Option("--key", help="The signer's public key, PEM.")],
    master: Annotated[Path | None, typer.Option("--report", help="The JSON report it is about.")] = None,
    firmware: Annotated[Path | None, typer.Option(help="The firmware it is about.")] = None,
    declaration: Annotated[
        Path | None, typer.Option("--declaration", "-d", help="The declaration it is about.")
    ] = None,
) -> None:
    """Verify a statement: the signature, and that it is about these files; exit 2 says what differs."""
    try:
        claimed = verified(envelope.read_bytes(), read_public(public))
    except ConfigurationError as error:
        raise ConfigurationError(f"{envelope}: {error}") from error
    digests = set(digests_of(claimed).values())
    mine = [
        (name, file_digest(file)) for name, file in (("--report", master), ("--firmware", firmware)) if file
    ]
    if declaration is not None:
        mine.append(("--declaration", read_declaration(declaration).digest()))
    for name, digest in mine:
        if digest not in digests:
            raise ConfigurationError(f"{name}: found SHA-256 {digest}; allowed: {', '.join(sorted(digests))}")
    told = claimed["predicate"]["configuration"][0]["annotations"]
    typer.echo(
        f"good: {told['verdict']}, {grade_of(claimed)}, {told['interface']}, tested {told['testedAt']}"
    )
    for name, digest in digests_of(claimed).items():
        typer.echo(f"  {name}  sha256 {digest}")


def _chosen(only: Sequence[str] | None, cases: Sequence[Case]) -> Sequence[Case]:
    if not only:
        return cases
    known = {case.id: case for case in cases}
    if unknown := sorted(set(only) - set(known)):
        raise ConfigurationError(f"--only: found {unknown[0]!r}; allowed: an id of `vaka conform list`")
    return [known[name] for name in only]


def _door(listen: str, certificate: Path | None, certificate_key: Path | None) -> Address:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigurationError(f"--listen: found {listen!r}; allowed: host:port, as 192.0.2.1:1883")
    if (certificate is None) != (certificate_key is None):
        raise ConfigurationError("--certificate: found it or its key alone; allowed: both, or none")
    if certificate is None or certificate_key is None:
        return Address(host.strip("[]"), int(port))
    try:
        return Address(host.strip("[]"), int(port), server_tls(certificate, certificate_key))
    except ssl.SSLError as error:
        found = error.reason or "something else"
        raise ConfigurationError(f"{certificate}: found {found}; allowed: a PEM chain and its key") from error


def _broker(url: str | None, authority: Path | None) -> Address | None:
    if url is None:
        return None
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        host, port = None, 0
    if not host or not port or parts.scheme not in PORTS:
        raise ConfigurationError(f"--broker: found {url!r}; allowed: mqtt://host:port or mqtts://host:port")
    try:
        tls = ssl.create_default_context(cafile=authority) if parts.scheme == "mqtts" else None
    except ssl.SSLError as error:
        raise ConfigurationError(f"--broker-ca: found no certificate in {authority}; allowed: PEM") from error
    return Address(host, port, tls)
