"""Tiny random models of every family of vision LLMs, and the ordinary way to ask them.

`TINY_VLMS` names them as the registry does. A family is added by one entry: how its folder is
written, and the inputs that the ordinary path makes of the same frames and text, built without
framesift.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from framesift.testing.tiny_vlms import _gemma, _glm, _internvl, _llava, _qwen, _smolvlm
from framesift.testing.tiny_vlms._base import (
    CHARACTERS,
    CHAT,
    CLIP,
    IDEFICS_CHAT,
    INTERNVL_CHAT,
    LLAMA,
    QWEN_CHAT,
    SIGLIP,
    OrdinaryPrompt,
    TinyVLM,
    chat,
    save_tokenizer,
)
from framesift.testing.tiny_vlms._minicpm import (
    build_minicpm_v_4_6,
    minicpm_v_4_6_processor,
    ordinary_minicpm_v_4_6,
    process_minicpm_v_4_6,
)
from framesift.testing.tiny_vlms._shown import Shown, own_inputs
from framesift.testing.tiny_vlms._video_llama import (
    build_video_llama_3,
    ordinary_video_llama_3,
    process_video_llama_3,
    video_llama_3_processor,
)

__all__ = [
    "CHARACTERS",
    "CHAT",
    "CLIP",
    "IDEFICS_CHAT",
    "INTERNVL_CHAT",
    "LLAMA",
    "QWEN_CHAT",
    "SIGLIP",
    "TINY_VLMS",
    "OrdinaryPrompt",
    "Shown",
    "TinyVLM",
    "chat",
    "gemma3_of_window",
    "gemma4_of_window",
    "own_inputs",
    "save_tokenizer",
]


WHOLE = 1024
"""Columns of a window that is longer than every prompt of a tiny model."""


def gemma3_of_window(columns: int) -> TinyVLM:
    """Returns a tiny Gemma 3 whose first layer sees a window of so many columns."""
    return TinyVLM(
        reference="columns" if columns < WHOLE else "masked",
        family="gemma3",
        build=partial(_gemma.build_gemma3, window=columns),
        ordinary=_gemma.ordinary_gemma3,
        processed=_gemma.process_gemma3,
        processor=_gemma.gemma3_processor,
        mixes=False,
        pictures_only=True,
    )


def gemma4_of_window(columns: int, **llm: Any) -> TinyVLM:
    """Returns a tiny Gemma 4, half of whose layers see a window of so many columns."""
    return TinyVLM(
        reference="columns" if columns < WHOLE else "masked",
        family="gemma4",
        build=partial(_gemma.build_gemma4, window=columns, **llm),
        ordinary=_gemma.ordinary_gemma4,
        size_px=(40, 112),
        processed=_gemma.process_gemma4,
        processor=_gemma.gemma4_processor,
    )


TINY_VLMS = {
    "llava": TinyVLM(
        family="llava",
        build=_llava.build_llava,
        ordinary=_llava.ordinary_llava,
        processor=_llava.llava_processor,
        mixes=False,
        pictures_only=True,
    ),
    "llava-next": TinyVLM(
        family="llava-next",
        build=_llava.build_llava_next,
        ordinary=_llava.ordinary_llava_next,
        processed=_llava.process_llava_next,
        processor=_llava.llava_next_processor,
        mixes=False,
        pictures_only=True,
    ),
    "llava-next-video": TinyVLM(
        family="llava-next-video",
        build=_llava.build_llava_next_video,
        ordinary=_llava.ordinary_llava_next_video,
        processed=_llava.process_llava_next_video,
        processor=_llava.llava_next_video_processor,
        stacks=True,
    ),
    "llava-onevision": TinyVLM(
        family="llava-onevision",
        build=_llava.build_llava_onevision,
        ordinary=_llava.ordinary_llava_onevision,
        size_px=(40, 40),
        processed=_llava.process_llava_onevision,
        processor=_llava.llava_onevision_processor,
        several={"picture_tiles": False},
        stacks=True,
    ),
    "minicpm-v-4-6": TinyVLM(
        family="minicpm-v-4-6",
        build=build_minicpm_v_4_6,
        ordinary=ordinary_minicpm_v_4_6,
        size_px=(64, 48),
        processed=process_minicpm_v_4_6,
        processor=minicpm_v_4_6_processor,
        reference="columns",
    ),
    "video-llama-3": TinyVLM(
        family="video-llama-3",
        build=build_video_llama_3,
        ordinary=ordinary_video_llama_3,
        size_px=(64, 48),
        processed=process_video_llama_3,
        processor=video_llama_3_processor,
    ),
    "internvl": TinyVLM(
        family="internvl",
        build=_internvl.build_internvl,
        ordinary=_internvl.ordinary_internvl,
        processed=_internvl.process_internvl,
        processor=_internvl.internvl_processor,
        stacks=True,
    ),
    "smolvlm": TinyVLM(
        family="smolvlm",
        build=_smolvlm.build_smolvlm,
        ordinary=_smolvlm.ordinary_smolvlm,
        processed=_smolvlm.process_smolvlm,
        processor=_smolvlm.smolvlm_processor,
        mixes=False,
        stacks=True,
    ),
    "idefics3": TinyVLM(
        family="smolvlm",
        build=_smolvlm.build_idefics3,
        ordinary=_smolvlm.ordinary_idefics3,
        processed=_smolvlm.process_idefics3,
        processor=_smolvlm.idefics3_processor,
        mixes=False,
        pictures_only=True,
    ),
    "qwen2-vl": TinyVLM(
        family="qwen2-vl",
        build=_qwen.build_qwen2_vl,
        ordinary=_qwen.ordinary_qwen2_vl,
        size_px=(112, 84),
        processed=_qwen.process_qwen2_vl,
        processor=_qwen.qwen2_vl_processor,
    ),
    "qwen2-5-vl": TinyVLM(
        family="qwen2-5-vl",
        build=_qwen.build_qwen2_5_vl,
        ordinary=_qwen.ordinary_qwen2_5_vl,
        size_px=(112, 84),
        processed=_qwen.process_qwen2_5_vl,
        processor=_qwen.qwen2_5_vl_processor,
    ),
    "qwen3-vl": TinyVLM(
        family="qwen3-vl",
        build=_qwen.build_qwen3_vl,
        ordinary=_qwen.ordinary_qwen3_vl,
        size_px=(64, 96),
        processed=_qwen.process_qwen3_vl,
        processor=_qwen.qwen3_vl_processor,
    ),
    "qwen3-vl-moe": TinyVLM(
        family="qwen3-vl",
        build=_qwen.build_qwen3_vl_moe,
        ordinary=_qwen.ordinary_qwen3_vl,
        size_px=(64, 96),
        processed=_qwen.process_qwen3_vl,
        processor=_qwen.qwen3_vl_processor,
    ),
    "glm4v": TinyVLM(
        family="glm4v",
        build=_glm.build_glm4v,
        ordinary=_glm.ordinary_glm4v,
        size_px=(112, 84),
        processed=_glm.process_glm4v,
        processor=_glm.glm4v_processor,
        mixes=False,
    ),
    "glm4v-moe": TinyVLM(
        family="glm4v",
        build=_glm.build_glm4v_moe,
        ordinary=_glm.ordinary_glm4v,
        size_px=(112, 84),
        processed=_glm.process_glm4v,
        processor=_glm.glm4v_processor,
        mixes=False,
    ),
    "glm46v": TinyVLM(
        family="glm4v",
        build=_glm.build_glm46v,
        ordinary=_glm.ordinary_glm46v,
        size_px=(112, 84),
        processed=_glm.process_glm46v,
        processor=_glm.glm46v_processor,
        mixes=False,
    ),
    "gemma3": gemma3_of_window(WHOLE),
    "gemma3-windows": gemma3_of_window(8),
    "gemma4": gemma4_of_window(WHOLE, **_gemma.LARGE),
    "gemma4-windows": gemma4_of_window(24, **_gemma.LARGE),
    "gemma4-small": gemma4_of_window(WHOLE, **_gemma.SMALL),
    "qwen3-5": TinyVLM(
        family="qwen3-5",
        build=_qwen.build_qwen3_5,
        ordinary=_qwen.ordinary_qwen3_vl,
        size_px=(64, 96),
        processed=_qwen.process_qwen3_vl,
        processor=_qwen.qwen3_vl_processor,
        reference="columns",
    ),
    "qwen3-5-moe": TinyVLM(
        family="qwen3-5",
        build=_qwen.build_qwen3_5_moe,
        ordinary=_qwen.ordinary_qwen3_vl,
        size_px=(64, 96),
        processed=_qwen.process_qwen3_vl,
        processor=_qwen.qwen3_vl_processor,
        reference="columns",
    ),
}
