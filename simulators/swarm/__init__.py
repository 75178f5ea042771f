"""The swarm: small scenarios full of faults, what must hold after each, and the smallest that fails."""
