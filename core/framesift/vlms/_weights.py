"""The weights of vision LLMs in memory: one copy for all loads with the same options."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from framesift.hf import checkpoint
from framesift.hf.model_use import loaded_once, state_of
from framesift.hf.tower_checkpoint import placed

if TYPE_CHECKING:
    from framesift.vlms.base import VLM


def shared_model(vlm: VLM) -> Any:
    """Returns the model of a checkpoint; while it is referenced, the same one for the same options.

    A folder whose files have changed is loaded anew.

    Raises:
        ModelError: no such checkpoint, of another family, incomplete or unsafe to read.
    """
    checkpoint.load_config(vlm.model, vlm.model_types, vlm.trust_remote_code)
    where, computing = placed(vlm.device, vlm.dtype)
    of_checkpoint = vlm.dtype == "auto" and torch.device(where).type != "cpu"
    way = where, of_checkpoint or computing, vlm.quantize, vlm.trust_remote_code
    load = partial(
        checkpoint.load_model,
        vlm.model,
        vlm.model_types,
        device=vlm.device,
        dtype=vlm.dtype,
        quantize=vlm.quantize,
        trust_remote_code=vlm.trust_remote_code,
    )
    return loaded_once((state_of(vlm.model), *way), load)
