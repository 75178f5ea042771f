"""Stand-ins: the services that alerts leave by, on loopback, from their public documents; with faults."""
