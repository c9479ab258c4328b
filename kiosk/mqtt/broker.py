"""The broker of the demo: mosquitto when this machine has it, else amqtt in a thread. On loopback, and gone when we are."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final, Protocol

from kiosk.domain.errors import BrokerFailed
from kiosk.mqtt.client import BrokerAddress

log = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
CONFIGURATION: Final = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto" / "demo.conf"
#: Debian keeps daemons out of a person's PATH.
_SYSTEM_FOLDERS: Final = os.pathsep.join(("/usr/sbin", "/usr/local/sbin"))
_PATIENCE: Final = 10.0


class EmbeddedBroker(Protocol):
    """A broker that lives as long as we do, and no longer."""

    name: str
    address: BrokerAddress

    def stop(self) -> None:
        """End it."""
        ...


def start_broker(folder: Path, port: int | None = None) -> EmbeddedBroker:
    """Start mosquitto, or amqtt where there is none; `name` tells which.

    Args:
        folder: where mosquitto's configuration and log go.
        port: where to listen; a free one when None.

    Raises:
        BrokerFailed: it did not start.
    """
    program = _found("mosquitto")
    return AmqttThread(port) if program is None else MosquittoChild(program, folder, port)


class MosquittoChild:
    """mosquitto as our child. The kernel ends it when we end, however that is."""

    name = "mosquitto"

    def __init__(self, program: str, folder: Path, port: int | None = None) -> None:
        self.address = BrokerAddress(LOOPBACK, port or _free_port())
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "mosquitto.conf"
        configuration.write_text(CONFIGURATION.read_text().replace("{port}", str(self.address.port)))
        self._log_file = folder / "mosquitto.log"
        self._command = [_found("setpriv") or "setpriv", "--pdeathsig", "KILL", program, "-c", str(configuration)]
        self._process: subprocess.Popen[bytes] | None = None
        self._started = Event()
        # By a child's parent the kernel means the thread that started it, so one thread stays as long as the child does.
        self._keeper = Thread(target=self._keep, name="mosquitto", daemon=True)
        self._keeper.start()
        self._wait_until_ready()

    @property
    def pid(self) -> int:
        """The child's process."""
        assert self._process is not None  # made before the constructor returns
        return self._process.pid

    def stop(self) -> None:
        """End it in good order, by force if that takes too long."""
        self._started.wait()
        if self._process is None:
            return
        self._process.terminate()
        self._keeper.join(_PATIENCE)
        if self._keeper.is_alive():
            self._process.kill()
            self._keeper.join()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not _accepts(self.address):
            if not self._keeper.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise BrokerFailed(name=self.name, log=str(self._log_file))
            time.sleep(0.02)

    def _keep(self) -> None:
        try:
            with self._log_file.open("ab") as output:
                # A fixed program and a configuration of our own.
                self._process = subprocess.Popen(  # noqa: S603
                    self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
                )
        except OSError:
            log.exception("mosquitto cannot be started")
            return
        finally:
            self._started.set()
        status = self._process.wait()
        log.info("mosquitto ended with status %d; its log: %s", status, self._log_file)


class AmqttThread:
    """amqtt, a broker in Python that speaks MQTT 3.1.1, in a thread of ours."""

    name = "amqtt"

    def __init__(self, port: int | None = None) -> None:
        self.address = BrokerAddress(LOOPBACK, port or _free_port(), "3.1.1")
        self._loop = asyncio.new_event_loop()
        self._ready, self._ending = Event(), asyncio.Event()
        self._connections: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}
        self._thread = Thread(target=self._run, name="amqtt", daemon=True)
        self._thread.start()
        # Not by connecting: amqtt never closes a connection that says nothing.
        if not self._ready.wait(_PATIENCE) or self._loop.is_closed():
            self.stop()
            raise BrokerFailed(name=self.name, port=self.address.port)

    def stop(self) -> None:
        """End it."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except Exception:
            log.exception("amqtt ended")
        finally:
            self._loop.close()
            self._ready.set()

    async def _serve(self) -> None:
        for chatty in ("amqtt", "transitions"):
            logging.getLogger(chatty).setLevel(logging.ERROR)
        broker = self._broker()
        await broker.start()
        self._ready.set()
        await self._ending.wait()
        await self._part()
        await broker.shutdown()

    def _broker(self) -> Any:  # noqa: ANN401 - amqtt is imported only where there is no mosquitto, and slowly
        from amqtt.broker import Broker

        connections = self._connections

        class Tidy(Broker):  # type: ignore[misc, unused-ignore]
            async def stream_connected(
                self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
            ) -> None:
                connections[asyncio.current_task()] = writer
                try:
                    await super().stream_connected(reader, writer, listener_name)
                finally:
                    # amqtt leaves the socket open when the client was the first to go.
                    writer.close()
                    del connections[asyncio.current_task()]

        return Tidy(_amqtt_settings(self.address))

    async def _part(self) -> None:
        # amqtt's own shutdown can wait for ever for a client that is still connected.
        for writer in self._connections.values():
            writer.close()
        deadline = self._loop.time() + 1
        while self._connections and self._loop.time() < deadline:
            await asyncio.sleep(0.01)


def _amqtt_settings(address: BrokerAddress) -> dict[str, Any]:
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"{address.host}:{address.port}"}},
        # It ends a connection at the very second of the keep-alive, when a client that is on time is just asking.
        "timeout_disconnect_delay": 10,
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


def _accepts(address: BrokerAddress) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address.host, address.port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def _found(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=_SYSTEM_FOLDERS)
