"""Channel versions by digest: what messages of an earlier day are run by.

Every version is kept in the store with all its files.  A message is always run under the version it came in under, unless a
person says otherwise; so a few versions stay prepared.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import flue
from channels.loading import Version, from_files
from channels.routing import NOTHING
from engine.runtime.dispatch import Dispatch
from engine.runtime.merges import NOWHERE, Standing
from engine.runtime.plan import Plan, refused
from engine.store.contract import Store
from engine.store.records import ChannelVersion
from transforms.errors import ConfigurationError, ErrorCode, MessageError

PREPARED = 8  # versions besides today's that stay prepared


class Unrunnable:
    """Stands for a version that this release cannot run: its messages become errors that say so."""

    def __init__(self, why: str) -> None:
        self._why = why

    def again(
        self, content: bytes, received: float, only: Iterable[str] = (), standing: Standing = NOWHERE, about: Mapping[str, str] = NOTHING
    ) -> Plan:
        """The error."""
        return refused(MessageError(ErrorCode.INTERNAL, "MSH", self._why, origin="engine"))


class Versions:
    """A channel's versions, prepared."""

    def __init__(self, store: Store, folder: Path, dispatch: Callable[[Version], Dispatch], now: Callable[[], float]) -> None:
        self._store, self._folder, self._dispatch, self._now = store, folder, dispatch, now
        self._prepared: OrderedDict[str, Dispatch | Unrunnable] = OrderedDict()
        self.today: Version | None = None

    async def use(self, version: Version, opened: Version) -> Dispatch:
        """Make a version today's: `version` with its references as text, which is kept, and with them resolved, which is run."""
        await self._store.keep_version(ChannelVersion(version.digest, version.name, version.files, flue.__version__, self._now()))
        dispatch = self._dispatch(opened)
        self.today = version
        self._prepared[version.digest] = dispatch
        return dispatch

    async def load(self, digest: str) -> Dispatch | Unrunnable:
        """A version, prepared."""
        if digest in self._prepared:
            self._prepared.move_to_end(digest)
            return self._prepared[digest]
        kept = await self._store.version(digest)
        if kept is None:
            prepared: Dispatch | Unrunnable = Unrunnable("its channel version is not in the store")
        else:
            try:
                prepared = self._dispatch(from_files(kept.files, self._folder).opened())
            except ConfigurationError as error:
                where = "" if kept.release == flue.__version__ else f", which ran under release {kept.release},"
                first = error.problems[0]
                prepared = Unrunnable(f"its channel version{where} cannot be run: {first.code} at {first.file}:{first.line}")
        self._prepared[digest] = prepared
        self._drop_old()
        return prepared

    def _drop_old(self) -> None:
        today = self.today.digest if self.today else ""
        while len(self._prepared) > PREPARED + 1:
            oldest = next(digest for digest in self._prepared if digest != today)
            del self._prepared[oldest]
