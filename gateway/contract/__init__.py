"""The ports: what adapters, rules, stores, transports, notifiers and clocks must be, joined in `wiring`."""

from gateway.contract.adapter import Adapter, Manifest
from gateway.contract.clock import Clock
from gateway.contract.errors import ConfigurationError, Refused, StoreUnavailableError, Undecodable, VakaError
from gateway.contract.intake import Intake, Journal, Sender
from gateway.contract.notifier import Notifier
from gateway.contract.rule import (
    Arm,
    Change,
    Clear,
    Decision,
    Disarm,
    Raise,
    Remember,
    Rule,
    RuleState,
    Say,
    Situation,
)
from gateway.contract.sessions import CredentialCheck, RegistrySource, SessionStore
from gateway.contract.store import Changes, Snapshot, Store

__all__ = [
    "Adapter",
    "Arm",
    "Change",
    "Changes",
    "Clear",
    "Clock",
    "ConfigurationError",
    "CredentialCheck",
    "Decision",
    "Disarm",
    "Intake",
    "Journal",
    "Manifest",
    "Notifier",
    "Raise",
    "Refused",
    "RegistrySource",
    "Remember",
    "Rule",
    "RuleState",
    "Say",
    "Sender",
    "SessionStore",
    "Situation",
    "Snapshot",
    "Store",
    "StoreUnavailableError",
    "Undecodable",
    "VakaError",
]
