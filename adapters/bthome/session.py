"""BTHome on the air: known by its service data, never connected."""

from adapters.bthome.advertisement import UUID
from gateway.contract.gatt import Advertisement, Session

SERVICE_DATA = f"0000{UUID}-0000-1000-8000-00805f9b34fb"


class BTHomeProfile:
    """Sensors and buttons that say everything in advertisements."""

    id = "bthome"
    service_uuids = (SERVICE_DATA,)
    announced = False  # the UUID stands in the service data only
    connects = False
    stays = False

    def claims(self, advertisement: Advertisement) -> bool:
        """It carries service data of BTHome v2."""
        return SERVICE_DATA in advertisement.service_data

    def inbox(self, topic: str) -> str:
        """Nothing is ever sent to it."""
        del topic
        return ""

    def session(self, address: str, identity: str) -> Session | None:
        """No session: it is never connected."""
        del address, identity
        return None


PROFILE = BTHomeProfile()
