"""Faults as people write them in a scenario file: one record a kind, each with when, where and how strong."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulators.faults.when import Length, When

Chance = Annotated[float, Field(gt=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Where = str | tuple[str, ...]
"""All, a home, a device, a kind, "kind:n", "product:<model>", or a list of them."""


class Fault(BaseModel):
    """What every fault has; `share` is the part of what `where` names that it hits, drawn from the seed.

    `id` names its stream of chance, so that taking another fault out of a file does not change this one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: str = ""
    begins: When = Field(default="+0s", alias="from")
    ends: When | None = Field(default=None, alias="until")
    where: Where = "all"
    share: Chance = 1.0


class Loss(Fault):
    """A message or its acknowledgement is lost, and with it the connection: the device sends again."""

    kind: Literal["loss"]
    chance: Chance = 0.1


class Delay(Fault):
    """Messages are held back on the way, between so many seconds and so many; their order stays."""

    kind: Literal["delay"]
    seconds: tuple[Seconds, Seconds] = (1, 30)


class Duplication(Fault):
    """A message arrives twice."""

    kind: Literal["duplication"]
    chance: Chance = 0.2


class Reordering(Fault):
    """A message is overtaken by those sent after it, for up to so many seconds."""

    kind: Literal["reordering"]
    chance: Chance = 0.2
    seconds: Seconds = 20


class Corruption(Fault):
    """Bits of a message are turned over on the way."""

    kind: Literal["corruption"]
    chance: Chance = 0.05
    bits: int = Field(default=1, ge=1, le=64)


class ClockFault(Fault):
    """A device's clock is wrong by so many seconds, and by so many more for each hour."""

    kind: Literal["clock"]
    jump_s: float = Field(default=0, ge=-31_536_000, le=31_536_000)
    drift_s_per_h: float = Field(default=0, ge=-600, le=600)


class Battery(Fault):
    """A battery is empty: nothing is said and nothing kept, until it is changed."""

    kind: Literal["battery"]


class Outage(Fault):
    """Connections break: of homes without power or mobile network, with a broker, or in a storm.

    They come back within `spread` of the end; in a storm all in the same second.
    """

    kind: Literal["power", "mobile", "broker", "storm"]
    spread: Length = "60s"


class Connection(Fault):
    """A connection breaks (`cut`), is dead with nobody told (`half_open`), or loses every PUBACK (`deaf`).

    Once, at `from`. A fault of packets: where a level has none, QoS 1 hides it, and nothing happens.
    """

    kind: Literal["cut", "half_open", "deaf"]


class Cloud(Fault):
    """A vendor's cloud passes nothing on; what it held comes all at once, unless it loses it."""

    kind: Literal["cloud"]
    loses: bool = False


class ChannelFault(Fault):
    """A way out to people fails: it refuses, does not answer, or takes a message and shows it much later."""

    kind: Literal["channel"]
    channel: str = ""
    mode: Literal["dead", "hangs", "slow"] = "dead"
    seconds: Seconds = 0
    chance: Chance = 1.0


class PhonesOff(Fault):
    """Phones of staff are off: the channel takes the message, and nobody sees it. `share` is of the staff."""

    kind: Literal["phones"]


class Crash(Fault):
    """The gateway ends without a goodbye at `from`, or with the first work after it, and starts again later.

    `point` says where: between two works, in the middle of a batch, before its commit, or after the
    commit and before anybody is told.
    """

    kind: Literal["crash"]
    point: Literal["idle", "mid_batch", "before_commit", "before_telling"] = "idle"
    down: Length = "20s"


class Disk(Fault):
    """The disk takes nothing."""

    kind: Literal["disk"]


AnyFault = Annotated[
    Loss
    | Delay
    | Duplication
    | Reordering
    | Corruption
    | ClockFault
    | Battery
    | Outage
    | Connection
    | Cloud
    | ChannelFault
    | PhonesOff
    | Crash
    | Disk,
    Field(discriminator="kind"),
]
