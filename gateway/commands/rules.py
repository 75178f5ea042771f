"""`vaka rules`: what the rules say, whether their files are right, whether their own vectors hold."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.config import Settings
from gateway.contract import ConfigurationError
from gateway.contract.library import RuleEntry
from gateway.pipeline.rehearse import rehearse
from gateway.rule_files import catalogue, examine, own_rules, paths_in


def lint(settings: Settings, paths: Sequence[Path]) -> list[str]:
    """Return what is wrong with these files or folders, or with the configured folder; one line each."""
    found: list[Path] = []
    for path in paths or ([settings.rules_dir] if settings.rules_dir else []):
        found += paths_in(path) if path.is_dir() else [path]
    return examine(found)


def entries(settings: Settings, wanted: Sequence[str]) -> list[RuleEntry]:
    """Return the rules asked for by id or name, all without; ConfigurationError for an unknown one."""
    known = catalogue() + (own_rules(settings.rules_dir) if settings.rules_dir else [])
    if not wanted:
        return known
    names = {name for entry in known for name in (entry.catalogue, entry.id)}
    if unknown := sorted(set(wanted) - names):
        raise ConfigurationError(
            f"rules: found {unknown[0]!r}; allowed: {', '.join(e.catalogue for e in known)}"
        )
    return [entry for entry in known if {entry.catalogue, entry.id} & set(wanted)]


def trials(found: Sequence[RuleEntry]) -> Iterator[tuple[bool, str]]:
    """Yield for every rule whether its vectors hold, with a line to print."""
    rules = {rule.id: rule for entry in catalogue() for rule in entry.rules}
    for entry in found:
        wrong = [f"{v.name}: {line}" for v in entry.vectors for line in rehearse(rules, entry.rules, v)]
        fired = sum(vector.fires for vector in entry.vectors)
        counted = f"{fired} that fire, {len(entry.vectors) - fired} that must not"
        built_in = (
            f"built in, shown by {len(entry.fires_in)} tests and {len(entry.silent_in)} that it is silent"
        )
        shown = built_in if entry.kind == "built_in" else counted
        yield not wrong, f"{entry.catalogue:4} {entry.id:24} {entry.state.value:7} {shown}"
        for line in wrong:
            yield False, f"     {line}"


def table(found: Sequence[RuleEntry]) -> Iterator[str]:
    """Yield the catalogue as a Markdown table, each rule with how often its vectors fire and must not."""
    yield "| id | rule | made as | state | severity | for | fires | must not | source |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for entry in found:
        fired = len(entry.fires_in) + sum(vector.fires for vector in entry.vectors)
        silent = len(entry.silent_in) + sum(not vector.fires for vector in entry.vectors)
        made = {"python": "Python", "built_in": f"`{entry.module}`"}.get(entry.kind, "document")
        state = entry.state.value + (f" ({entry.kept_active})" if entry.kept_active else "")
        what = f"`{entry.id}`: {entry.title}"
        severities = ", ".join(entry.severities) or "-"
        cells = [entry.catalogue, what, made, state, severities, entry.route or "by type"]
        yield f"| {' | '.join([*cells, str(fired), str(silent), entry.source])} |"


def explanations(found: Sequence[RuleEntry]) -> Iterator[str]:
    """Yield the lines that tell what each rule does."""
    for entry in found:
        yield from entry.explanation
