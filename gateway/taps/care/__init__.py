"""Care systems: records of alerts, visits and doses, by whichever way a municipality's system takes them."""

from collections.abc import Callable, Mapping

from gateway.contract import Tap
from gateway.service.tapping import TapMeans
from gateway.tap_settings import CareSettings
from gateway.taps.care.carrier import CareTap, Connector
from gateway.taps.care.fhir import FhirConnector
from gateway.taps.care.file import FileConnector
from gateway.taps.care.http import HttpConnector
from gateway.taps.care.making import Asked

CONNECTORS: Mapping[str, Callable[[CareSettings], Connector]] = {
    "http": HttpConnector,
    "file": FileConnector,
    "fhir": FhirConnector,
}


def make(means: TapMeans) -> list[Tap]:
    """Make a tap for every care system that is configured."""
    asked = Asked(means.answers, means.registry, means.words)
    return [CareTap(one, CONNECTORS[one.kind](one), asked) for one in means.settings.care]
