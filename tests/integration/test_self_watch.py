"""The gateway watches itself: a synthetic alarm through the real chain, its figures, its page."""

import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.api.passwords import token_hash
from gateway.model.synthetic import SYNTHETIC
from tests.integration.gateway_process import GatewayProcess
from tests.integration.loads import make_town
from tests.integration.mosquitto import wait_for


@contextmanager
def outside() -> Iterator[tuple[str, list[str]]]:
    """Run the watcher outside, which notes who asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/ping", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def text(process: GatewayProcess, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{process.page_port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def test_a_synthetic_alarm_goes_all_the_way_and_is_told_outside_and_never_to_staff(tmp_path: Path) -> None:
    town = make_town(tmp_path, homes=2)
    with outside() as (url, asked):
        watch = {"every_s": 1, "ping_url": url}
        process = GatewayProcess(tmp_path, registry=str(town / "registry.toml"), watch=watch)
        process.start()
        try:
            wait_for(lambda: bool(asked), within_s=60)
            health = process.health()
            assert health is not None
            trip = health["round_trip"]
            shown = process.get("/api/v1/alerts?collapsed=true")["alerts"]
            closed = process.get("/api/v1/alerts?state=closed")["alerts"]
            figures, page = text(process, "/metrics"), text(process, "/health?lang=en")
        finally:
            process.stop()
    assert list(trip["stages"]) == ["sent", "raised", "acknowledged", "delivered", "displayed", "closed"]
    assert SYNTHETIC not in {alert["tenant"] for alert in (*shown, *closed)}
    assert "vaka_dead_man_missed 0.0" in figures
    assert SYNTHETIC not in figures
    assert "Whole chain (synthetic alarm)" in page
    assert "Came all the way" in page


def test_the_figures_need_their_own_right_where_anybody_signs_in(tmp_path: Path) -> None:
    tokens = [
        {"name": "prometheus", "token_hash": token_hash("figures"), "scopes": ["metrics:read"]},
        {"name": "other", "token_hash": token_hash("other"), "scopes": ["alerts:read"]},
    ]
    process = GatewayProcess(tmp_path, **{"api.token": tokens})
    process.start()
    try:
        found = [status(process, token) for token in ("figures", "other", "")]
    finally:
        process.stop()
    assert found == [200, 403, 401]


def status(process: GatewayProcess, token: str) -> int:
    url = f"http://127.0.0.1:{process.page_port}/metrics"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
