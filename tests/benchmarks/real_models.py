"""Checkpoints of the size that people run, with random weights.

Widths, vocabularies and whole vision towers are those of the published models, so that loading,
injecting and answering meet the real shapes. The LLMs of `MODELS` are cut to two layers, those of
`WHOLE` have all of theirs. The tokenizer spells bytes, since what is measured does not depend on
words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.real_gemma_glm import GEMMA_GLM, MARKS
from benchmarks.real_others import FRAME_MARKS, OTHERS
from benchmarks.real_qwen import DEPTH, QWEN
from framesift.evaluation.gpu.models import QWEN2_7B, onevision_config
from framesift.registry import require

CUT_7B: Final = {**QWEN2_7B, "num_hidden_layers": DEPTH}
QWEN2_HALF_B: Final = {
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": True,
}
SPECIAL: Final = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>", "<img>", "</img>",
    "<IMG_CONTEXT>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", *MARKS,
    *FRAME_MARKS,
)  # fmt: skip
TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% else %}PICTURE\n{% endif %}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealModel:
    """One published model with random weights, and an LLM as deep as its configuration says."""

    published: str
    """What it stands for."""
    config: Callable[[Mapping[str, int]], Any]
    """Makes the configuration, from the numbers of the special tokens."""
    picture: str
    """What the chat template writes for one picture or video."""
    processor: Callable[[], Any]
    """Makes the preprocessing of its pictures."""

    def write(self, folder: Path) -> int:
        """Returns the number of weights of the bfloat16 checkpoint that is written to `folder`."""
        transformers = require("transformers", extra="hf")
        tokenizer = byte_tokenizer()
        tokenizer.save_pretrained(folder)
        (folder / "chat_template.jinja").write_text(TEMPLATE.replace("PICTURE", self.picture))
        self.processor().save_pretrained(folder)
        config = self.config({token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL})
        torch.manual_seed(0)
        build = transformers.AutoModelForImageTextToText.from_config
        model = build(config, dtype=torch.bfloat16)
        model.save_pretrained(folder)
        return sum(weight.numel() for weight in model.parameters())


def byte_tokenizer() -> Any:
    """Returns a tokenizer that spells bytes and knows the special tokens of all families."""
    tokenizers = require("tokenizers", extra="hf")
    bytelevel = tokenizers.pre_tokenizers.ByteLevel
    alphabet = sorted(bytelevel.alphabet())
    inner = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={byte: n for n, byte in enumerate(alphabet)}, merges=[])
    )
    inner.pre_tokenizer = bytelevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    return require("transformers", extra="hf").PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL),
    )


def _llava(ids: Mapping[str, int]) -> Any:
    transformers = require("transformers", extra="hf")
    return transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=24,
            num_attention_heads=16,
            image_size=336,
            patch_size=14,
            projection_dim=768,
        ),
        text_config=transformers.LlamaConfig(
            vocab_size=32064,
            hidden_size=4096,
            intermediate_size=11008,
            num_hidden_layers=DEPTH,
            num_attention_heads=32,
            max_position_embeddings=4096,
        ),
        image_token_id=ids["<image>"],
    )


def clapper_config(
    ids: Mapping[str, int], *, llm: Mapping[str, Any] = QWEN2_7B, tower_layers: int = 26
) -> Any:
    """Returns the configuration of a model as Clapper describes it: 784 tokens of 448 px a frame.

    Args:
        ids: numbers of the special tokens.
        llm: shape of the LLM.
        tower_layers: of the vision tower, which has the width of SigLIP so400m.
    """
    transformers = require("transformers", extra="hf")
    return transformers.LlavaConfig(
        vision_config=transformers.SiglipVisionConfig(
            hidden_size=1152,
            intermediate_size=4304,
            num_hidden_layers=tower_layers,
            num_attention_heads=16,
            image_size=448,
            patch_size=16,
            vision_use_head=False,
        ),
        text_config=transformers.Qwen2Config(
            vocab_size=152000, **{**llm, "max_position_embeddings": 131072}
        ),
        image_token_id=ids["<image>"],
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=llm["tie_word_embeddings"],
    )


def _internvl(ids: Mapping[str, int]) -> Any:
    transformers = require("transformers", extra="hf")
    return transformers.InternVLConfig(
        vision_config=transformers.InternVLVisionConfig(
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=24,
            num_attention_heads=16,
            image_size=[448, 448],
            patch_size=[14, 14],
        ),
        text_config=transformers.Qwen2Config(vocab_size=151674, **CUT_7B),
        image_token_id=ids["<IMG_CONTEXT>"],
        tie_word_embeddings=False,
    )


def _processor(name: str, **options: Any) -> Callable[[], Any]:
    return lambda: getattr(require("transformers", extra="hf"), name)(**options)


MODELS: Final = {
    "llava": RealModel(
        published="LLaVA-1.5-7B",
        config=_llava,
        picture="<image>",
        processor=_processor(
            "CLIPImageProcessorPil",
            size={"shortest_edge": 336},
            crop_size={"height": 336, "width": 336},
        ),
    ),
    "llava-onevision": RealModel(
        published="LLaVA-OneVision-7B",
        config=partial(onevision_config, llm=CUT_7B),
        picture="<video>",
        processor=_processor("LlavaOnevisionImageProcessorPil"),
    ),
    "internvl": RealModel(
        published="InternVL3-8B",
        config=_internvl,
        picture="<video>",
        processor=_processor("GotOcr2ImageProcessorPil", size={"height": 448, "width": 448}),
    ),
    **{
        name: RealModel(
            published=published,
            config=config,
            picture="<|vision_start|><|video_pad|><|vision_end|>",
            processor=_processor("Qwen2VLImageProcessorPil", patch_size=patch),
        )
        for name, (published, patch, config) in QWEN.items()
    },
    **{
        name: RealModel(
            published=published,
            config=config,
            picture=picture,
            processor=_processor(processor, **options),
        )
        for name, (published, picture, config, (processor, options)) in (GEMMA_GLM | OTHERS).items()
    },
}

WHOLE: Final = {
    "llava-onevision-0.5b": RealModel(
        published="LLaVA-OneVision-0.5B",
        config=partial(onevision_config, llm=QWEN2_HALF_B),
        picture="<video>",
        processor=_processor("LlavaOnevisionImageProcessorPil"),
    ),
    "llava-onevision-7b": RealModel(
        published="LLaVA-OneVision-7B",
        config=onevision_config,
        picture="<video>",
        processor=_processor("LlavaOnevisionImageProcessorPil"),
    ),
}
"""Published models at full depth."""

_CLAPPER_PIXELS: Final = _processor("SiglipImageProcessorPil", size={"height": 448, "width": 448})
CLAPPER: Final = {
    "7b": RealModel(
        published="Clapper's description, 7B",
        config=clapper_config,
        picture="<image>",
        processor=_CLAPPER_PIXELS,
    ),
    "cut": RealModel(
        published="Clapper's description, LLM of 0.5B in width and two layers deep",
        config=partial(
            clapper_config, llm={**QWEN2_HALF_B, "num_hidden_layers": DEPTH}, tower_layers=1
        ),
        picture="<image>",
        processor=_CLAPPER_PIXELS,
    ),
}
"""Models for slow-fast tokens, whose context holds all tokens of 96 frames. Of the cut one, only
the tokens and the time of a layer are real."""
