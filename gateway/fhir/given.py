"""Given: what a dispenser did as MedicationDispense in the shape of the Norwegian VKP profiles.

VKP writes a missed dose with the status "completed" too, and only its category tells it from a given one:
a trap. Here a dose that was not given has the status "declined" and the reason, and the category besides.
"""

from gateway.fhir.measured import subject
from gateway.fhir.names import logical_id
from gateway.fhir.terms import (
    EVENT_ID,
    FIELD,
    VKP_DISPENSE,
    WORD,
    Resource,
    coding,
    concept,
    due,
    identifier,
    meta,
    moment,
    reference,
    without_none,
    word_codings,
)
from gateway.model.codes import CODE_MAP, codes_for
from gateway.model.event import Event
from gateway.model.vocabulary import MedicationValues

GIVEN = frozenset({"medication.dispensed", "medication.taken", "medication.early"})
NOT_GIVEN = frozenset({"medication.missed", "medication.retracted"})
DOSE = f"{FIELD}/dose"
UNKNOWN_DRUG = concept(text="not told: Vaka never holds what a medicine is")


def is_dispense(event: Event) -> bool:
    """Tell whether an event says that a dose was given, or was not."""
    return event.type in GIVEN or event.type in NOT_GIVEN


def dispense(event: Event) -> Resource:
    """Return a dose that was given, or one that was not, with the reason."""
    values = event.values
    dose = values.dose if isinstance(values, MedicationValues) else None
    due_at = values.due_at if isinstance(values, MedicationValues) else None
    given = event.type in GIVEN
    codes = [
        coding(VKP_DISPENSE, code, CODE_MAP.vkp.dispensing.get(code, ""))
        for code in codes_for(event.type).vkp_dispensing
    ]
    return without_none(
        {
            "resourceType": "MedicationDispense",
            "id": event.id,
            "meta": meta(event.received_at),
            "identifier": [
                identifier(EVENT_ID, event.id),
                *([identifier(DOSE, dose)] if dose else []),
            ],
            "status": "completed" if given else "declined",
            "statusReasonCodeableConcept": None if given else concept(*word_codings(event.type)),
            "category": concept(*codes, coding(WORD, event.type)),
            "medicationCodeableConcept": UNKNOWN_DRUG,
            "subject": subject(event) if event.person else None,
            "performer": [{"actor": reference("Device", logical_id(event.device))}],
            "location": reference("Location", logical_id(event.home)),
            "dosageInstruction": due(due_at) if due_at else None,
            "whenHandedOver": moment(event.occurred_at) if given else None,
        }
    )
