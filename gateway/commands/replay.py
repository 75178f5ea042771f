"""`vaka export` and `vaka replay`: a journal as a recording, and the recording run again with other rules."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import typer

from gateway.commands.route import channel_names
from gateway.config import Settings, load_settings
from gateway.contract import ConfigurationError, VakaError
from gateway.pipeline.decide import RULE_FAULT
from gateway.pipeline.incident import INCIDENTS
from gateway.pipeline.rejection import REJECTIONS
from gateway.pipeline.walk import Walk
from gateway.pipeline.watch import KINDS
from gateway.plugins import load_adapters, load_rules
from gateway.recording.export import Exported, Wanted, export
from gateway.replay.backtest import Asked, BackTest, Job, compare
from gateway.replay.difference import pairs, rows, times
from gateway.replay.result import Result, read_result
from gateway.replay.rulesets import Change, as_recorded, changed, states_of
from gateway.replay.table import told
from gateway.rule_files import catalogue, own_rules
from gateway.stores.sqlite_journal import SqliteJournal

Plainly = Callable[[Callable[..., Any]], Callable[..., Any]]
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="The TOML file; without it the defaults.")
]
Data = Annotated[
    Path | None, typer.Option("--data", help="The data directory, instead of the configured one.")
]
BUILT_IN = "built in"
LOCAL = ZoneInfo("Europe/Stockholm")


def add_commands(app: typer.Typer, plainly: Plainly) -> None:
    """Add the commands; `plainly` turns an error that the user can act on into a line and an exit code."""
    app.command("export")(plainly(export_command))
    app.command("replay")(plainly(replay_command))


def export_command(
    *,
    out: Annotated[Path, typer.Option(help="The file to write, as june.vaka.gz.")],
    config: Config = None,
    data: Data = None,
    since: Annotated[str, typer.Option("--from", help="From this moment, as 2026-06-01; Swedish time.")] = "",
    until: Annotated[str, typer.Option(help="Until this moment.")] = "",
    keep_references: Annotated[
        bool, typer.Option(help="Leave references and places as they are: for your own use alone.")
    ] = False,
) -> None:
    """Write the journal as a recording, with personal data removed, to run again elsewhere."""
    settings = load_settings(config)
    span = (moment("--from", since), moment("--until", until))
    done = export_recording(settings, data or settings.data_dir, out, span, keep=keep_references)
    kept = "references kept" if keep_references else "personal data removed"
    typer.echo(f"{out}: {done.frames} frames, {done.left_out} left out, {kept}, SHA-256 {done.sha256[:12]}")


def replay_command(  # noqa: PLR0913 - the words of a command line
    file: Annotated[Path, typer.Argument(help="A recording that vaka export made.")],
    *,
    rules: Annotated[
        Path | None, typer.Option(help="Folder of own rules, instead of the configured one.")
    ] = None,
    activate: Annotated[
        list[str] | None, typer.Option(help="A shadow rule to try as active; may be repeated.")
    ] = None,
    numbers: Annotated[
        list[str] | None, typer.Option("--set", help="rule.number=value; may be repeated.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="A result that --json printed, perhaps by another version.")
    ] = None,
    shadows: Annotated[
        bool, typer.Option("--shadows", help="Judge the rules in shadow too when something is changed.")
    ] = False,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Run a recording again, with other rules or numbers, and say what would have been different."""
    settings = load_settings(config)
    change = Change(rules, tuple(activate or ()), tuple(numbers or ()), shadows)
    compared = run(settings, file, change, against)
    if as_json:
        typer.echo(as_document(compared))
        return
    for line in told(compared.before, compared.after, compared.notes):
        typer.echo(line)


@dataclass(frozen=True)
class Compared:
    """What was run: one result, or two."""

    before: Result
    after: Result | None
    notes: tuple[str, ...]


def run(settings: Settings, file: Path, change: Change, against: Path | None) -> Compared:
    """Run the recording as it was and, where something is changed, once more as it would have been."""
    asked = Asked(file, version("vaka"), settings.rules_dir, change)
    with _bar("Replay", 2 * file.stat().st_size) as progress:
        if against is None:
            return Compared(*compare(asked, progress))
        earlier = read_result(against.read_bytes(), str(against))
        test = BackTest(file, asked.gateway, progress)
        if earlier.recording != test.sha256:
            allowed = f"one of {test.sha256[:12]}"
            raise ConfigurationError(
                f"{against}: found a result of recording {earlier.recording[:12]}; allowed: {allowed}"
            )
        active = test.recording.header.active
        now = changed(as_recorded(active, asked.folder), active, asked.folder, change)
        return Compared(earlier, test.run(Job(now, change.told, shadows=change.shadows)), now.notes)


def as_document(compared: Compared) -> str:
    """Return both results and their difference as JSON; a single result is the one `after`."""
    last = compared.after or compared.before
    document: dict[str, Any] = {"notes": compared.notes, "after": last, "times_after": times(last)}
    if compared.after is not None:
        found = pairs(compared.before.alerts, compared.after.alerts)
        moved = [{"what": one.what, "before": one.before, "after": one.after} for one in found if one.what]
        document |= {
            "before": compared.before,
            "times_before": times(compared.before),
            "rows": rows(found),
            "moved": moved,
        }
    return msgspec.json.encode(document).decode()


def export_recording(
    settings: Settings,
    folder: Path,
    out: Path,
    span: tuple[datetime | None, datetime | None],
    *,
    keep: bool,
) -> Exported:
    """Write the recording of a data directory, with a bar on standard error."""
    own = own_rules(settings.rules_dir)
    rules = load_rules(own, settings.active_rules)
    built_in = dict.fromkeys((*KINDS, *INCIDENTS, RULE_FAULT, *REJECTIONS), BUILT_IN)
    built_in |= {entry.id: entry.state.value for entry in catalogue()}
    wanted = Wanted(
        gateway=version("vaka"),
        since=span[0],
        until=span[1],
        keep_references=keep,
        channels=channel_names(settings.channels),
        active=settings.active_rules,
        rules=states_of(rules, built_in),
    )
    walk = Walk(load_adapters(settings.adapters), (), ())
    with _bar("Export", _frames_of(folder)) as progress:
        return export(folder, out, wanted, walk, progress)


def moment(option: str, words: str) -> datetime | None:
    """Read a moment, without an offset by Swedish time; None for none. VakaError for what is none."""
    if not words:
        return None
    try:
        found = datetime.fromisoformat(words)
    except ValueError as error:
        raise VakaError(f"{option}: found {words!r}; allowed: a moment as 2026-06-01 07:00") from error
    return (found if found.tzinfo else found.replace(tzinfo=LOCAL)).astimezone(UTC)


def _frames_of(folder: Path) -> int:
    path = folder / "state.db"
    if not path.exists():
        return 1
    journal = SqliteJournal(path)
    try:
        return max(1, journal.last())
    finally:
        journal.close()


@contextmanager
def _bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    with typer.progressbar(length=length, label=label, file=typer.get_text_stream("stderr")) as bar:
        yield bar.update
