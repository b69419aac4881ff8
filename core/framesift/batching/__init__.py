"""A whole library of videos: one row and its files for each, whatever happens on the way.

An engine of another kind, such as Ray, is a function that does `Work` on items and yields each as
it ends; `batch(..., engine=...)` takes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framesift._names import PublicNames

if TYPE_CHECKING:
    from framesift.batching.cores import own_cores as own_cores
    from framesift.batching.dataset import rows_of as rows_of
    from framesift.batching.dataset import schema_of as schema_of
    from framesift.batching.items import Item as Item
    from framesift.batching.local import Pool as Pool
    from framesift.batching.local import Workers as Workers
    from framesift.batching.running import Engine as Engine
    from framesift.batching.store import Store as Store
    from framesift.batching.store import store_of as store_of
    from framesift.batching.stretches import forget as forget
    from framesift.batching.tasks import Asked as Asked
    from framesift.batching.tasks import Task as Task
    from framesift.batching.work import OWN as OWN
    from framesift.batching.work import Done as Done
    from framesift.batching.work import Work as Work
    from framesift.batching.work import decoded_by as decoded_by
    from framesift.batching.work import failed as failed
    from framesift.batching.work import finished as finished
    from framesift.batching.work import result_of as result_of

PublicNames(globals())
