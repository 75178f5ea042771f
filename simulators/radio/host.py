"""A host stack with its controller: what a chip with a program on it is, in this process or behind a port."""

from bumble import hci
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink, TransportSink, TransportSource

from simulators.radio.controller import RadioController
from simulators.radio.medium import Medium


def make_host(medium: Medium, address: str, name: str) -> Device:
    """Return a host with a controller on the medium; the address is a static random one."""
    identity = hci.Address(address)
    controller = RadioController(name, medium, identity)
    config = DeviceConfiguration(name=name, address=identity)
    host = Host(controller, AsyncPipeSink(controller))
    device = Device(config=config, host=host)
    forget_failed_pairings(device)
    return device


def attach_host(source: TransportSource, sink: TransportSink, address: str, name: str) -> Device:
    """Return a host whose controller is behind HCI, in another process for one."""
    config = DeviceConfiguration(name=name, address=hci.Address(address))
    device = Device.from_config_with_hci(config, source, sink)
    forget_failed_pairings(device)
    return device


def forget_failed_pairings(device: Device) -> None:
    """Let a second try begin anew: Bumble keeps a failed pairing's session until disconnection."""

    def on_connection(connection: Connection) -> None:
        def forget(_reason: object) -> None:
            device.smp_manager.sessions.pop(connection.handle, None)

        connection.on(connection.EVENT_PAIRING_FAILURE, forget)

    device.on(Device.EVENT_CONNECTION, on_connection)


def controller_of(device: Device) -> RadioController | None:
    """Return the virtual controller of a host in this process; None behind a port."""
    source = device.host.hci_sink
    inner = getattr(source, "sink", None)
    return inner if isinstance(inner, RadioController) else None
