"""Tasks that wait for their turn: in the plan's order, each as soon as what its blocks need has been settled."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence

from .study import Block


class TaskLine:
    """The tasks of one batch. Taking one and settling a block cost the same however many wait."""

    def __init__(self, tasks: Sequence[list[Block]], unsettled: Container[str]) -> None:
        self._free: deque[list[Block]] = deque()
        self._open: dict[int, set[str]] = {}
        self._waiting: dict[str, list[int]] = {}
        self._tasks = tasks
        for place, task in enumerate(tasks):
            needs = {key for block in task for key in block.needs if key in unsettled}
            if not needs:
                self._free.append(task)
                continue
            self._open[place] = needs
            for key in needs:
                self._waiting.setdefault(key, []).append(place)

    def take(self) -> list[Block] | None:
        """The next task that can begin, or None where each of the others waits for a block that is not settled."""
        return self._free.popleft() if self._free else None

    def settled(self, key: str) -> None:
        """A block has finished or failed: tasks that waited for it alone can begin."""
        for place in self._waiting.pop(key, ()):
            self._open[place].discard(key)
            if not self._open[place]:
                del self._open[place]
                self._free.append(self._tasks[place])
