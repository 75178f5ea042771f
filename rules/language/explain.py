"""Explain: a rule in words, for the course of events and for who reads the catalogue."""

from collections.abc import Iterator, Mapping

from rules.language.document import Document, Match, Step, Trigger


def told(trigger: Trigger, numbers: Mapping[str, float]) -> str:
    """Return what a trigger found, as a sentence for the course of events."""
    parts = [_types(trigger.on)] if trigger.on else []
    parts += [part for part in (_gathered(trigger, numbers), _lasting(trigger, numbers)) if part]
    return ", ".join(parts)


def explain(document: Document) -> Iterator[str]:
    """Yield the lines that tell what the rule does, with its numbers."""
    yield f"{document.catalogue} {document.id}, version {document.version}, {document.state.value}"
    yield f"  {document.texts.en.alert}"
    yield f"  from {document.source}"
    for trigger in document.trigger:
        yield f"  when {told(trigger, document.numbers)}"
        yield from _conditions(trigger)
        accept = document.numbers[trigger.accept]
        route = (trigger.route or document.route or "by type") or ""
        yield f"    -> {trigger.severity.value}, to {route}, to be accepted in {_span(accept)}"
        for step in trigger.escalate_if:
            yield f"    {_step(step, document.numbers)}"
    if document.module:
        yield f"  done by {document.module}"
    for name, value in document.numbers.items():
        least_most = document.bounds.get(name)
        within = f", may be {least_most[0]:g} to {least_most[1]:g}" if least_most else ""
        yield f"  {name} = {value:g}{within}"
    yield f"  routine: {document.texts.en.routine}"
    yield f"  bearable: {document.budget:g} false a week and person"


def _conditions(trigger: Trigger) -> Iterator[str]:
    if trigger.when:
        yield f"    and {trigger.when}"
    if trigger.still:
        yield f"    and, when due, {trigger.still}"
    if trigger.suppress_while:
        yield f"    not while {', '.join(kind.value for kind in trigger.suppress_while)}"


def _gathered(trigger: Trigger, numbers: Mapping[str, float]) -> str:
    if trigger.count:
        return f"{numbers[trigger.count.n]:.0f} times within {_span(numbers[trigger.count.window])}"
    if trigger.sequence:
        return f"then {_match(trigger.sequence.then)} within {_span(numbers[trigger.sequence.within])}"
    if trigger.hysteresis:
        level = trigger.hysteresis
        return f"{level.value} at most {numbers[level.on]:g} until at least {numbers[level.off]:g}"
    if trigger.correlate:
        others = " and ".join(_match(other) for other in trigger.correlate.with_)
        return f"with {others} within {_span(numbers[trigger.correlate.within])}"
    return ""


def _lasting(trigger: Trigger, numbers: Mapping[str, float]) -> str:
    absent = trigger.absent
    if trigger.for_:
        return f"for {_span(numbers[trigger.for_])}"
    if absent is None:
        return ""
    if absent.within:
        return f"no {_types(absent.on)} within {_span(numbers[absent.within])}"
    plus = f" and {_span(numbers[absent.plus])}" if absent.plus else ""
    return f"no {_types(absent.on)} by {absent.by}{plus}"


def _step(step: Step, numbers: Mapping[str, float]) -> str:
    cause = f"after {_span(numbers[step.after])}" if step.after else f"at {_types(step.on)}"
    worse = [str(part.value) for part in (step.severity, step.route, step.type) if part is not None]
    return f"{cause}: {', '.join(worse) or 'offered anew'}" + (f" if {step.when}" if step.when else "")


def _match(match: Match) -> str:
    return _types(match.on)


def _types(names: tuple[str, ...]) -> str:
    return " or ".join(names) if len(names) < 4 else f"one of {len(names)} types"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 7200 else f"{seconds / 3600:g} h"
