"""Held: which registry held when in a journal: the file's, with what the console changed beside it."""

from collections.abc import Callable, Mapping

from gateway.contract import Manifest
from gateway.model.frame import Frame, Transport
from gateway.model.registry import Registry, RegistryDocument
from gateway.model.trace import Verdict
from gateway.pipeline import enrolling
from gateway.pipeline.owned import joined
from gateway.pipeline.state import State
from gateway.stores.state_reader import StateReader

ENROLMENTS = "enrol/"


class Held:
    """Walks the registry files and enrolments of a journal in their order, and nothing else of it."""

    def __init__(self, manifests: Mapping[str, Manifest], refused: Callable[[Frame], bool]) -> None:
        self._manifests, self._refused = manifests, refused
        self._state = State()

    @property
    def registry(self) -> Registry:
        """The registry as it holds now."""
        return self._state.registry

    def take(self, frame: Frame) -> RegistryDocument | None:
        """Return the registry that holds from this frame on; None for a frame that changes none."""
        state = self._state
        before = state.registry
        state.come_to(frame.received_at)
        try:
            if self._refused(frame):
                return None
            if frame.transport is Transport.REGISTRY:
                whole = joined(RegistryDocument.from_json(frame.payload), state.owned.own)
                state.set_registry(whole.document)
                enrolling.overrule(state, frame, whole)
            else:
                enrolling.enrol(state, frame, self._manifests)
        except ValueError:
            return None  # refused then, and told nobody anything
        finally:
            state.take_changes()
        return None if state.registry is before else state.registry.document


def was_refused(store: StateReader) -> Callable[[Frame], bool]:
    """Return what tells whether the gateway refused a frame, by the frame's trace."""

    def refused(frame: Frame) -> bool:
        remarks = store.traces(frame=frame.position)
        return any(one.verdict is Verdict.REFUSED and not one.device for one in remarks)

    return refused
