"""Turns: a client's long tasks delay none but its own."""

import asyncio

import pytest

from homing.serve.access.slots import CLIENT
from homing.serve.tasks.turns import Turns


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario(), 10))


class Tasks:
    """Tasks that wait for a turn, hold it until `end`, and note the order."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    def start(self, client: str, name: str) -> asyncio.Task[None]:
        self._ends[name] = asyncio.Event()

        async def task() -> None:
            CLIENT.set(client)
            async with self._turns.take():
                self.begun.append(name)
                await self._ends[name].wait()

        return asyncio.create_task(task())

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await asyncio.sleep(0.01)


def test_the_last_turn_is_for_another_client():
    async def scenario():
        tasks = Tasks(Turns(3))
        for number in range(5):
            tasks.start("bomber", f"bomb {number}")
        await asyncio.sleep(0.01)
        assert tasks.begun == ["bomb 0", "bomb 1"]
        tasks.start("honest", "search")
        await asyncio.sleep(0.01)
        assert tasks.begun[2:] == ["search"]
        await tasks.end("search")
        assert len(tasks.begun) == 3
        await tasks.end("bomb 1")
        assert tasks.begun[3:] == ["bomb 2"]

    run(scenario)


def test_clients_have_their_turns_in_rotation():
    async def scenario():
        tasks = Tasks(Turns(1))
        for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
            tasks.start(name[0], name)
        await asyncio.sleep(0.01)
        while len(tasks.begun) < 6:
            await tasks.end(tasks.begun[-1])
        assert tasks.begun == ["a1", "a2", "b1", "c1", "a3", "b2"]

    run(scenario)


def test_a_turn_is_given_back_however_it_ends():
    async def scenario():
        turns = Turns(1)
        tasks = Tasks(turns)
        first, second = tasks.start("a", "first"), tasks.start("b", "second")
        tasks.start("c", "third")
        await asyncio.sleep(0.01)
        second.cancel()  # it waits
        first.cancel()  # it holds
        await asyncio.sleep(0.01)
        assert tasks.begun == ["first", "third"]
        await tasks.end("third")
        with pytest.raises(ValueError, match="wrong"):
            async with turns.take():
                raise ValueError("wrong")
        assert not turns._held
        assert not turns._waiting

    run(scenario)
