"""The ports: what adapters, rules, stores, transports, notifiers and clocks must be, joined in `wiring`."""

from gateway.contract.adapter import Adapter, Manifest
from gateway.contract.answering import Answering, Outcome, Told
from gateway.contract.clock import Clock
from gateway.contract.errors import (
    ChannelFault,
    ConfigurationError,
    Refused,
    StoreUnavailableError,
    TapFault,
    Undecodable,
    VakaError,
)
from gateway.contract.intake import Intake, Journal, Sender
from gateway.contract.notifier import ContactBook, Notifier, Phone, PhoneReport
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
    as_active,
)
from gateway.contract.search import AlertPage, DeliveryPage, EventPage, LogSearch, Mark, Sought
from gateway.contract.sessions import CredentialCheck, RegistrySource, SessionStore
from gateway.contract.store import Changes, Snapshot, Store
from gateway.contract.tap import Cursors, Handed, Letter, Log, Page, Tap

__all__ = [
    "Adapter",
    "AlertPage",
    "Answering",
    "Arm",
    "Change",
    "Changes",
    "ChannelFault",
    "Clear",
    "Clock",
    "ConfigurationError",
    "ContactBook",
    "CredentialCheck",
    "Cursors",
    "Decision",
    "DeliveryPage",
    "Disarm",
    "EventPage",
    "Handed",
    "Intake",
    "Journal",
    "Letter",
    "Log",
    "LogSearch",
    "Manifest",
    "Mark",
    "Notifier",
    "Outcome",
    "Page",
    "Phone",
    "PhoneReport",
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
    "Sought",
    "Store",
    "StoreUnavailableError",
    "Tap",
    "TapFault",
    "Told",
    "Undecodable",
    "VakaError",
    "as_active",
]
