"""The untrained tiny model: its configuration, its tokenizer and its processor."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, Final

import torch

from framesift.registry import require
from framesift.synthetic.film import SceneSettings
from framesift.synthetic.paraphrases import phrasings
from framesift.synthetic.scenes import make_scene
from framesift.training.clips import SHARES, SIDE_PX
from framesift.training.labels import GRID

PAD, IMAGE, USER, ASSISTANT, END = "<pad>", "<image>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL: Final = (PAD, IMAGE, USER, ASSISTANT, END)
VOCABULARY: Final = 640
CONTEXT_TOKENS: Final = 8192
WIDTH: Final = 192
"""Channels of both transformers. Weights start at a scale that fits it: at the usual 0.02 a model
this narrow takes ten times as long to find out where in the video to look."""
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] if part['type'] in ('image', 'video') %}<image>{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{% endif %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def new_model(tokenizer: Any, seed: int) -> Any:
    """Returns an untrained `LlavaForConditionalGeneration` of about four million parameters."""
    transformers = require("transformers", extra="hf")
    vision = transformers.CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=6,
        image_size=SIDE_PX,
        patch_size=SIDE_PX // GRID,
        projection_dim=WIDTH,
    )
    text = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=CONTEXT_TOKENS,
        initializer_range=WIDTH**-0.5,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = transformers.LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=GRID * GRID,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    model = transformers.LlavaForConditionalGeneration(config)
    patches = model.model.vision_tower.embeddings.patch_embedding.weight
    patches.data.copy_(_cosine_filters(len(patches), patches.shape[-1]))
    return model


def _cosine_filters(count: int, side: int) -> torch.Tensor:
    """Returns filters `(count, 3, side, side)` that keep most of what a patch shows.

    Cosine waves in brightness and in two colour differences, the slowest first, each raised by its
    frequency, as pictures hold less of the fast ones. Random filters of this number would not keep
    the strokes of digits, and a small tower takes long to find that out.
    """
    steps = torch.arange(side, dtype=torch.float32)
    waves = torch.cos(torch.pi * steps[:, None] * (steps + 0.5) / side)
    waves = waves / waves.norm(dim=1, keepdim=True)
    planes = torch.einsum("ux,vy->uvxy", waves, waves)
    speed = steps[:, None].hypot(steps)
    order = torch.argsort(speed.flatten(), stable=True)
    raised = (planes * (1 + speed)[..., None, None]).flatten(0, 1)[order]
    colors = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])
    colors = colors / colors.norm(dim=1, keepdim=True)
    shares = (count - 2 * (count // 8), count // 8, count // 8)
    filters = [
        color[:, None, None] * raised[:share, None]
        for color, share in zip(colors, shares, strict=True)
    ]
    return 0.05 * torch.cat(filters)


def new_processor() -> Any:
    """Returns the processor, whose tokenizer knows the words of the questions and any byte."""
    transformers = require("transformers", extra="hf")
    images = transformers.CLIPImageProcessorPil(
        size={"height": SIDE_PX, "width": SIDE_PX},
        do_center_crop=False,
        crop_size={"height": SIDE_PX, "width": SIDE_PX},
    )
    return transformers.LlavaProcessor(
        image_processor=images,
        tokenizer=_new_tokenizer(_sentences()),
        patch_size=SIDE_PX // GRID,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token=IMAGE,
        chat_template=CHAT_TEMPLATE,
    )


def _new_tokenizer(sentences: Iterable[str]) -> Any:
    tokenizers = require("tokenizers", extra="hf")
    transformers = require("transformers", extra="hf")
    pairs = tokenizers.Tokenizer(tokenizers.models.BPE())
    pairs.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    pairs.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pairs.train_from_iterator(sentences, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=pairs,
        additional_special_tokens=[IMAGE, USER, ASSISTANT],
        pad_token=PAD,
        eos_token=END,
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def _sentences() -> list[str]:
    """Returns questions in all their phrasings, and answers, of some scenes of each kind."""
    settings = [SceneSettings(seed=seed, width=64, height=64) for seed in range(12)]
    lines = []
    for name in SHARES:
        for setting in settings:
            for question in make_scene(name, setting).truth["questions"]:
                lines += [*phrasings(question["question"]), question["answer"]]
    random.Random(0).shuffle(lines)
    return lines
