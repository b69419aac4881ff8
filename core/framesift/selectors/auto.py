"""Takes evenly spaced frames for questions about all of a video, selected ones for the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, NamedTuple

import torch
from torch import Tensor

from framesift.scorers import registry as scorers
from framesift.scorers.base import Scorer
from framesift.scorers.candidates import Candidates
from framesift.selectors import registry
from framesift.selectors._question_scope import scope_of
from framesift.selectors.base import Selection, Selector
from framesift.types.options import Share, SpecOf
from framesift.types.text import SYNTHETIC
