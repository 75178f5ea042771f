"""The clauses of the standard device interface, version 1, that a message is held against."""

from gateway.contract.clauses import Clause, clauses_of

GATT = (
    Clause(
        "VDI-BLE-01", "must", "The channel is ble/vaka/1/{tenant}/{device}/{branch}, as the gateway names it."
    ),
    Clause(
        "VDI-BLE-02",
        "must",
        "A value is one CBOR map (RFC 8949) of definite length, text keys, no tag but 0.",
    ),
    Clause("VDI-BLE-03", "must", "A value, its fragments joined, is at most 4 KiB."),
    Clause("VDI-BLE-04", "must", "What the gateway itself read of the link has its types and limits."),
    Clause(
        "VDI-BLE-05", "must", "State names the device that the address is bonded for, as {tenant}/{device}."
    ),
)
"""What a message over GATT is held against besides."""
CLAUSES: dict[str, Clause] = {clause.id: clause for clause in (*clauses_of("v1"), *GATT)}
"""Every clause by its id."""
