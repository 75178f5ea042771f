"""A virtual controller: Bumble's, with what its peripherals and centrals on a real radio would notice."""

from collections.abc import Mapping

from bumble import hci, ll
from bumble.controller import Connection, Controller, LegacyAdvertiser
from bumble.transport.common import TransportSink, TransportSource

from simulators.radio.medium import Medium

Reports = hci.HCI_LE_Extended_Advertising_Report_Event
Kind = Reports.EventType
Legacy = hci.HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType
Properties = hci.HCI_LE_Set_Extended_Advertising_Parameters_Command.AdvertisingProperties

LEGACY_KINDS: Mapping[int, Kind] = {
    Legacy.ADV_IND: Kind.CONNECTABLE_ADVERTISING | Kind.SCANNABLE_ADVERTISING,
    Legacy.ADV_SCAN_IND: Kind.SCANNABLE_ADVERTISING,
    Legacy.ADV_NONCONN_IND: Kind(0),
}
TICK_S = 0.000625
"""The unit of advertising intervals in HCI, seconds."""


class _LegacyAdvertiser(LegacyAdvertiser):
    """Sends every undirected kind of advertisement, at the interval that the host asked for."""

    def send_advertising_data(self) -> None:
        if self.enabled and self.advertising_type in LEGACY_KINDS:
            self.controller.send_advertising_pdu(
                ll.AdvInd(advertiser_address=self.address, data=self.advertising_data)
            )


class RadioController(Controller):
    """What Bumble 0.0.236 leaves out: cancelling, scan responses, strength, kinds, connection slots."""

    def __init__(
        self,
        name: str,
        medium: Medium,
        address: hci.Address,
        source: TransportSource | None = None,
        sink: TransportSink | None = None,
    ) -> None:
        self.medium = medium
        super().__init__(name, host_source=source, host_sink=sink, link=medium, public_address=address)
        self.le_legacy_advertiser = _LegacyAdvertiser(self)

    def power_off(self) -> None:
        """Fall silent without a goodbye."""
        self.le_legacy_advertiser.stop()
        for one in self.advertising_sets.values():
            one.stop()
        self.hci_sink = None
        self.medium.remove_controller(self)

    # -- scanning and initiating

    def _note(self) -> None:
        busy = bool(self.le_scan_enable) or self.pending_le_connection is not None
        self.medium.listening(self, on=busy)

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Core, Vol 4, Part E, 7.3.2."""
        self.le_scan_enable, self.pending_le_connection = False, None
        self._note()
        return super().on_hci_reset_command(command)

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Core, Vol 4, Part E, 7.8.11."""
        answer = super().on_hci_le_set_scan_enable_command(command)
        self._note()
        return answer

    def on_hci_le_set_extended_scan_enable_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Core, Vol 4, Part E, 7.8.65."""
        answer = super().on_hci_le_set_extended_scan_enable_command(command)
        self._note()
        return answer

    def on_hci_le_set_extended_scan_parameters_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Parameters_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Core, Vol 4, Part E, 7.8.64; Bumble forgets whether the scan is active."""
        self.le_scan_type = max(command.scan_types or [0])
        return super().on_hci_le_set_extended_scan_parameters_command(command)

    def on_hci_le_create_connection_command(self, command: hci.HCI_LE_Create_Connection_Command) -> None:
        """Core, Vol 4, Part E, 7.8.12."""
        if not self._full(command):
            super().on_hci_le_create_connection_command(command)
            self._initiate(command.peer_address)

    def on_hci_le_extended_create_connection_command(
        self, command: hci.HCI_LE_Extended_Create_Connection_Command
    ) -> None:
        """Core, Vol 4, Part E, 7.8.66."""
        if not self._full(command):
            super().on_hci_le_extended_create_connection_command(command)
            self._initiate(command.peer_address)

    def _full(self, command: hci.HCI_Command) -> bool:
        full = len(self.le_connections) >= self.medium.conditions.connection_slots
        if full:
            code = hci.HCI_ErrorCode.CONNECTION_LIMIT_EXCEEDED_ERROR
            self._send_hci_command_status(code, command.op_code)
        return full

    def _initiate(self, peer: hci.Address) -> None:
        self._note()
        if self.medium.conditions.instant_connect:
            self.medium.advertise_now(peer)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Core, Vol 4, Part E, 7.8.13: a cancelled request is answered with an event of its own."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        self._note()
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        event = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        self.send_hci_packet(event)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    # -- links

    def create_le_connection(self, peer_address: hci.Address) -> None:
        """The advertiser that was waited for is heard."""
        super().create_le_connection(peer_address)
        self._note()

    def on_le_connect_ind(self, packet: ll.ConnectInd) -> None:
        """Somebody wants a link; who advertises as not connectable gives none."""
        if self.kind_of(packet.advertiser_address) & Kind.CONNECTABLE_ADVERTISING:
            super().on_le_connect_ind(packet)

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """A link ended; told once, whoever noticed first."""
        if self.le_connections.get(connection.peer_address) is connection:
            super().on_le_disconnected(connection, reason)

    # -- advertising

    def on_hci_le_set_advertising_parameters_command(
        self, command: hci.HCI_LE_Set_Advertising_Parameters_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Core, Vol 4, Part E, 7.8.5; Bumble reads the interval's unit as milliseconds."""
        answer = super().on_hci_le_set_advertising_parameters_command(command)
        ticks = self.le_legacy_advertiser.advertising_interval_min
        self.le_legacy_advertiser.advertising_interval_min = max(20, round(ticks * TICK_S * 1000))
        return answer

    def on_hci_le_set_advertising_set_random_address_command(
        self, command: hci.HCI_LE_Set_Advertising_Set_Random_Address_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Core, Vol 4, Part E, 7.8.52."""
        self.medium.know(command.random_address, self)
        return super().on_hci_le_set_advertising_set_random_address_command(command)

    def kind_of(self, address: hci.Address) -> Kind:
        """Return as what it advertises under that address."""
        for one in self.advertising_sets.values():
            if one.enabled and one.address == address and one.parameters is not None:
                return Kind(int(one.parameters.advertising_event_properties) & 0b11)
        return LEGACY_KINDS.get(self.le_legacy_advertiser.advertising_type, Kind(0))

    def scan_response(self, address: hci.Address) -> bytes:
        """Return what it answers to an active scanner."""
        for one in self.advertising_sets.values():
            if one.enabled and one.address == address:
                return bytes(one.scan_response_data)
        legacy = self.le_legacy_advertiser
        return legacy.scan_response_data if legacy.enabled else b""

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        """An advertisement is heard: report it, ask for the scan response, or connect."""
        address = pdu.advertiser_address
        advertiser = self.medium.find_le_controller(address)
        if not isinstance(advertiser, RadioController):
            return
        kind = advertiser.kind_of(address)
        if self.le_scan_enable:
            self._report(address, kind, pdu.data)
            if self.le_scan_type and kind & Kind.SCANNABLE_ADVERTISING:
                self._report(address, kind | Kind.SCAN_RESPONSE, advertiser.scan_response(address))
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == address and kind & Kind.CONNECTABLE_ADVERTISING:
            self.create_le_connection(address)

    def _report(self, address: hci.Address, kind: Kind, data: bytes) -> None:
        report = Reports.Report(
            event_type=kind,
            address_type=address.address_type,
            address=address,
            primary_phy=hci.Phy.LE_1M,
            secondary_phy=hci.Phy.LE_1M,
            advertising_sid=0,
            tx_power=Reports.TX_POWER_INFORMATION_NOT_AVAILABLE,
            rssi=self.medium.rssi(address, self.random_address),
            periodic_advertising_interval=0,
            direct_address_type=0,
            direct_address=hci.Address.ANY,
            data=data,
        )
        self.send_hci_packet(Reports([report]))
