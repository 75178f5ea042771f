"""InfluxDB: figures to a server that speaks its v2 write API, as VictoriaMetrics does too."""

from gateway.contract import Tap
from gateway.service.tapping import TapMeans


def make(means: TapMeans) -> list[Tap]:
    """Make a tap for each server that is configured."""
    if not means.settings.influx:
        return []
    from gateway.taps.figures import InfluxTap  # noqa: PLC0415 - its library costs who has none 0.4 s and 25 MB

    return [InfluxTap(means, section) for section in means.settings.influx]
