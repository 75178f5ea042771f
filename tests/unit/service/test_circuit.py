"""A channel that is disturbed is given a rest, tried again by one, and what it may cost is bounded."""

from gateway.service.circuit import MAX_REST_S, OPEN_AFTER, REST_S, Circuit, CircuitState, RetryBudget


def opened(at: float = 0.0) -> Circuit:
    circuit = Circuit()
    for _ in range(OPEN_AFTER):
        assert circuit.lets_through(at)
        circuit.fault(at, "503")
    return circuit


def test_a_few_faults_in_a_row_open_it_and_one_that_worked_in_between_does_not() -> None:
    circuit = Circuit()
    for _ in range(OPEN_AFTER - 1):
        circuit.fault(0, "503")
    circuit.worked()
    circuit.fault(0, "503")
    assert circuit.state is CircuitState.CLOSED
    assert opened().state is CircuitState.OPEN
    assert opened().reason == "503"


def test_at_rest_nothing_goes_through_and_after_it_one_at_a_time() -> None:
    circuit = opened()
    assert not circuit.lets_through(REST_S - 0.1)
    assert circuit.lets_through(REST_S)
    assert circuit.state is CircuitState.TRYING
    assert not circuit.lets_through(REST_S)
    circuit.worked()
    assert circuit.state is CircuitState.CLOSED
    assert circuit.lets_through(REST_S)


def test_a_trial_that_fails_doubles_the_rest_up_to_its_limit() -> None:
    circuit, now, rests = opened(), 0.0, []
    for _ in range(6):
        before = now
        while not circuit.lets_through(now):
            now += 1
        rests.append(now - before)
        circuit.fault(now, "503")
    assert rests == [REST_S, 60, 120, 240, MAX_REST_S, MAX_REST_S]


def test_a_trial_that_tells_nothing_of_the_channel_lets_the_next_one_try() -> None:
    circuit = opened()
    assert circuit.lets_through(REST_S)
    circuit.undecided()
    assert circuit.state is CircuitState.OPEN
    assert circuit.lets_through(REST_S)


def test_further_attempts_are_few_and_earned_back_slowly() -> None:
    budget = RetryBudget()
    granted = sum(budget.take() for _ in range(100))
    assert granted == RetryBudget.MOST
    for _ in range(5):
        budget.earned()
    assert [budget.take(), budget.take()] == [True, False]
