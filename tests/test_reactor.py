"""The shared reactor of the tests: Twisted and asyncio on one loop."""

from __future__ import annotations

import asyncio

import pytest
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.protocol import Factory, Protocol

from tests.reactor import Runner


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


def test_twisted_and_asyncio_share_the_loop(runner: Runner) -> None:
    """A Twisted server answers an asyncio client; a Twisted client resolves a name."""

    async def conversation() -> None:
        port = await serverFromString(runner.reactor, "tcp:0:interface=127.0.0.1").listen(Factory.forProtocol(Echo)).asFuture(runner.loop)
        reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        writer.close()
        client = clientFromString(runner.reactor, f"tcp:localhost:{port.getHost().port}")
        protocol = await client.connect(Factory.forProtocol(Protocol)).asFuture(runner.loop)
        protocol.transport.loseConnection()
        await port.stopListening().asFuture(runner.loop)

    runner.run(conversation())


def test_a_task_left_behind_fails_the_test(runner: Runner) -> None:
    """What a test starts it ends."""

    async def careless() -> None:
        asyncio.get_running_loop().create_task(asyncio.sleep(60))

    with pytest.raises(AssertionError):
        runner.run(careless())
