"""`python -m simulators`: make a municipality, play the evening, load a broker, or be a do-nothing sink."""

from simulators.cli import main

main()
