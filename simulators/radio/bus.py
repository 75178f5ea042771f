"""A private D-Bus: a daemon of our own on a socket in a temporary folder, ended by its own process id."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.contract.errors import VakaError

DAEMON = "dbus-daemon"
STARTS_WITHIN_S = 20.0
CONFIG = """<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/><allow user="*"/></policy></busconfig>"""


@contextlib.asynccontextmanager
async def private_bus() -> AsyncIterator[str]:
    """Run a daemon; gives the address for DBUS_SYSTEM_BUS_ADDRESS. VakaError without dbus-daemon."""
    program = shutil.which(DAEMON)
    if program is None:
        raise VakaError(f"{DAEMON} is not installed; on Debian: apt-get install dbus-daemon")
    with tempfile.TemporaryDirectory() as folder:
        config, socket = _written(Path(folder))
        daemon = await asyncio.create_subprocess_exec(
            *(program, f"--config-file={config}", "--nofork", "--nopidfile", "--print-address=1"),
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us: we end it when nobody needs it any more
        )
        try:
            async with asyncio.timeout(STARTS_WITHIN_S):
                said = await daemon.stdout.readline() if daemon.stdout else b""
            if not said:
                raise VakaError(f"{DAEMON} did not start: it says why on standard error")
            yield f"unix:path={socket}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                daemon.terminate()
            await daemon.wait()


def _written(folder: Path) -> tuple[Path, Path]:
    config, socket = folder / "bus.conf", folder / "bus"
    config.write_text(CONFIG.format(socket))
    return config, socket
