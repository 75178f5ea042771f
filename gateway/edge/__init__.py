"""The home edge: hears devices in a home, keeps what they say on its disk, and passes it on to the centre."""
