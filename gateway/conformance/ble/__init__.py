"""The kit over Bluetooth Low Energy: the Vaka GATT profile, held to its clauses from outside."""
