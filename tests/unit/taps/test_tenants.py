"""Whose an event is that a tap carries out."""

from types import SimpleNamespace
from typing import cast

import pytest

from gateway.contract import Page
from gateway.model.registry import Registry
from gateway.service.tapping import tenants_of
from gateway.tap_settings import TapSection
from tests.unit.taps.care_kit import PENDANT, CareTown


@pytest.mark.parametrize(
    ("homes", "whose"),
    [({"h1": "before"}, "before"), ({}, "now"), ({"h1": "now"}, "now")],
    ids=["the device has moved", "the home is gone", "all is as it was"],
)
def test_an_event_is_of_the_tenant_in_whose_home_it_happened(homes: dict[str, str], whose: str) -> None:
    town = CareTown()
    page: Page = town.page(town.town.send(PENDANT, "alarm.manual"))
    assert {event.home for _, event in page.events} == {"h1"}
    registry = SimpleNamespace(
        homes={name: SimpleNamespace(tenant=tenant) for name, tenant in homes.items()},
        devices={PENDANT: SimpleNamespace(tenant="now")},
    )
    for tenant in ("before", "now"):
        section = TapSection(name="x", tenants=(tenant,))
        theirs = tenants_of(page, cast("Registry", registry), section)
        assert bool(theirs.events) is (tenant == whose)
