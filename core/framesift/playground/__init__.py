"""A page that shows what is kept of a video, for any strategy and share.

The command serves it on this machine alone; a server mounts it on `Terms` of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framesift._names import PublicNames

if TYPE_CHECKING:
    from framesift.playground.server import application as application
    from framesift.playground.server import check_installed as check_installed
    from framesift.playground.terms import EXAMPLE as EXAMPLE
    from framesift.playground.terms import Terms as Terms

PublicNames(globals())
