"""Settings of taps: the receivers outside that the committed log is carried to."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from gateway.sections import Section, WebhookSecret, fault, is_loopback

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
"""What a tap is called on pages, in metrics and beside its cursor: one that is renamed begins anew."""
Prefixes = tuple[Annotated[str, Field(pattern=r"^[a-z0-9_.]{1,64}$")], ...]


def safe_url(url: str) -> str:
    """Take https, or http to this machine: what is told of a home must not be read on its way."""
    parts = urlsplit(url)
    if not parts.hostname or not (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    ):
        fault("", repr(url), "https://..., or http:// to a loopback address")
    if parts.username or parts.password:
        fault("", "an address with a password in it", "one without; secrets have keys of their own")
    return url


SafeUrl = Annotated[str, AfterValidator(safe_url)]


class TapSection(Section):
    """What every tap has: with `backfill` one that never ran begins at the first frame, else now."""

    name: Name
    backfill: bool = False
    tenants: tuple[str, ...] = ()


class InfluxSettings(TapSection):
    """Figures to a server that speaks the v2 write API; with `positions` where somebody was as well."""

    name: Name = "influx"
    backfill: bool = True
    url: SafeUrl
    org: str = Field("vaka", min_length=1, max_length=128)
    bucket: str = Field("vaka", min_length=1, max_length=128)
    token: SecretStr | None = None
    positions: bool = False


class CloudEventsSettings(TapSection):
    """CloudEvents 1.0 by webhook (`secret` signs) or to a broker; `types` are prefixes as `alert.`."""

    name: Name
    url: str
    secret: WebhookSecret | None = None
    username: str | None = None
    password: SecretStr | None = None
    ca: str | None = None
    topic: str = Field("vaka/out", pattern=r"^[A-Za-z0-9_./-]{1,128}$")
    types: Prefixes = ()
    severities: tuple[Literal["high", "medium", "low", "info"], ...] = ()

    @property
    def by_mqtt(self) -> bool:
        """True when the receiver is a broker."""
        return self.url.startswith(("mqtt:", "mqtts:"))

    @model_validator(mode="after")
    def _signed_or_broker(self) -> Self:
        if self.by_mqtt:
            parts = urlsplit(self.url)
            host = parts.hostname or ""
            if not host or "@" in parts.netloc or (parts.scheme == "mqtt" and not is_loopback(host)):
                fault("url", repr(self.url), "mqtts://..., or mqtt:// to a loopback address")
            return self
        safe_url(self.url)
        if self.secret is None:
            fault("secret", "nothing", "whsec_ and a key in base64: a webhook without it proves nothing")
        return self


class CareSettings(TapSection):
    """A care system: `kind` is how it takes records; the same for any municipality but for these keys."""

    name: Name = "care"
    kind: Literal["http", "fhir", "file"]
    url: SafeUrl | None = None
    token: SecretStr | None = None
    folder: str | None = None
    format: Literal["json", "csv"] = "json"

    @model_validator(mode="after")
    def _has_its_place(self) -> Self:
        if self.kind == "file" and not self.folder:
            fault("folder", "nothing", "the folder in which files are put")
        if self.kind != "file" and not self.url:
            fault("url", "nothing", "the address of the care system")
        return self


class FhirPushSettings(TapSection):
    """Another FHIR server, to which transaction bundles are sent."""

    name: Name = "fhir"
    url: SafeUrl
    token: SecretStr | None = None


class TapSettings(Section):
    """All receivers outside."""

    influx: tuple[InfluxSettings, ...] = ()
    cloudevents: tuple[CloudEventsSettings, ...] = ()
    care: tuple[CareSettings, ...] = ()
    fhir: tuple[FhirPushSettings, ...] = ()

    @field_validator("*")
    @classmethod
    def _listed_once(cls, taps: tuple[TapSection, ...]) -> tuple[TapSection, ...]:
        _differ([tap.name for tap in taps])
        return taps

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        _differ([tap.name for tap in self.all()])
        return self

    def all(self) -> tuple[TapSection, ...]:
        """Return every tap's section."""
        return (*self.influx, *self.cloudevents, *self.care, *self.fhir)


def _differ(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            fault("name", f"{name!r} more than once", "a name of its own for every tap")
