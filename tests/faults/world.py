"""Where lives are lived: in one folder, for MLflow keeps absolute paths, with what there was before every task."""

import pickle
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from airloom.core.settings import Settings
from tests.faults.invariants import Observation, check_invariants, end_state, observe
from tests.faults.scenario import live, prepare
from tests.worlds.installation import settings_at
from tests.worlds.processes import run


@dataclass(frozen=True)
class World:
    """An undisturbed life, and a folder in which it can be lived again from the beginning of any task.

    Args:
        folder: Holds everything.
    """

    folder: Path

    @property
    def now(self) -> Path:
        return self.folder / "now"

    @property
    def settings(self) -> Settings:
        return settings_at(self.now)

    @property
    def passed(self) -> list[str]:
        """The failpoints that an undisturbed life passes, in order."""
        return (self.folder / "passed").read_text().split()

    @property
    def end(self) -> str:
        """What an undisturbed life leaves."""
        return (self.folder / "end").read_text()

    def keep(self, task: int) -> None:
        """Keep what there is before a task."""
        shutil.copytree(self.now, self.folder / f"before-{task}")
        (self.folder / f"seen-{task}").write_bytes(pickle.dumps(observe(self.settings)))

    def bring_back(self, task: int) -> None:
        """Go back to the beginning of a task."""
        shutil.rmtree(self.now)
        shutil.copytree(self.folder / f"before-{task}", self.now)

    def seen(self, task: int) -> Observation:
        """Return what was observed at the beginning of a task."""
        return pickle.loads((self.folder / f"seen-{task}").read_bytes())


def make_world(folder: Path) -> World:
    world = World(folder)
    assert run(prepare, world.settings) == 0
    assert run(_undisturbed, world, listed=folder / "passed") == 0
    return world


def _undisturbed(world: World) -> None:
    tasks = Counter()

    def keep() -> None:
        world.keep(tasks["begun"])
        tasks["begun"] += 1

    live(world.settings, keep)
    check_invariants(world.settings)
    (world.folder / "end").write_text(end_state(world.settings))
