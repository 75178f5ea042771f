"""The ways out of the house: each carries the committed log to one kind of receiver."""
