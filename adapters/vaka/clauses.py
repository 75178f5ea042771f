"""The clauses of the standard device interface, version 1, that a message is held against."""

from gateway.contract.clauses import Clause, clauses_of

CLAUSES: dict[str, Clause] = {clause.id: clause for clause in clauses_of("v1")}
"""Every clause by its id."""
