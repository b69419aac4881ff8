"""What a whole CLIP says about a question, compared with its own towers step by step."""

import json
import shutil

import numpy as np
import pytest
import torch

from framesift.compression.compressor import VideoCompressor
from framesift.encoders import registry as encoders
from framesift.encoders.clip import Clip
from framesift.errors import MissingSignalError, ModelError
from framesift.hf.letters import text_ids
from framesift.testing import assert_near
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens

transformers = pytest.importorskip("transformers")

LAYERS = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "initializer_range": 0.3,
}
QUESTION = "what is red?"
LETTERS = [*map(chr, range(33, 127))]
WORDS = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
LONGEST = 20


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    text = {
        **LAYERS,
        "vocab_size": len(WORDS),
        "max_position_embeddings": LONGEST,
        "bos_token_id": len(WORDS) - 2,
        "eos_token_id": len(WORDS) - 1,
    }
    config = transformers.CLIPConfig(
        vision_config={**LAYERS, "image_size": 64, "patch_size": 16},
        text_config=text,
        projection_dim=24,
    )
    return transformers.CLIPModel(config).eval()


@pytest.fixture(scope="module")
def tokenizer():
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model, tokenizer):
    folder = tmp_path_factory.mktemp("whole")
    for part in (model, tokenizer, transformers.CLIPImageProcessorPil()):
        part.save_pretrained(folder)
    return folder


@pytest.fixture
def clip(folder):
    return Clip(model=str(folder), device="cpu")


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copied")


def make_frames(count=3, seed=0):
    data = np.random.default_rng(seed).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
    return Frames(data=data, pts_seconds=np.arange(float(count)), indices=np.arange(count))


@torch.no_grad()
def expected(model, tokenizer, features, question):
    """The cosine, where the last layer's attention is replaced by each patch's own value."""
    layer, vision = model.vision_model.encoder.layers[-1], model.vision_model
    value = layer.self_attn.out_proj(layer.self_attn.v_proj(layer.layer_norm1(features)))
    hidden = features + value
    hidden = hidden + layer.mlp(layer.layer_norm2(hidden))
    seen = model.visual_projection(vision.post_layernorm(hidden))
    ids = tokenizer(question, return_tensors="pt").input_ids
    asked = model.get_text_features(ids).pooler_output
    return torch.cosine_similarity(seen, asked[:, None], dim=-1)


def told(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_similarity_is_the_cosine_of_projected_patches_and_text(clip, model, tokenizer):
    tokens = clip.encode(make_frames())
    found = clip.asked(tokens, QUESTION).signals.question_similarity
    wanted = expected(model, tokenizer, tokens.features, QUESTION)
    assert clip.reads_question
    assert_near(found, wanted)
    assert wanted.std() > 1e-2


def test_a_question_that_reads_like_the_end_of_a_text_goes_on_behind_it(clip, tokenizer):
    tokens = clip.encode(make_frames())
    first, second = (
        clip.asked(tokens, f"<|endoftext|>{rest}").signals.question_similarity
        for rest in ("red", "who")
    )
    assert not torch.equal(first, second)
    ids = text_ids(tokenizer, "a<|endoftext|>", add_special_tokens=True)
    assert [place for place, i in enumerate(ids) if i == len(WORDS) - 1] == [len(ids) - 1]


def test_another_question_is_near_to_other_patches_and_changes_nothing_else(clip):
    tokens = clip.encode(make_frames())
    first, second = (clip.asked(tokens, question) for question in (QUESTION, "who runs"))
    near = [each.signals.question_similarity for each in (first, second)]
    assert not torch.allclose(*near, atol=1e-3)
    assert first.features is tokens.features
    assert first.signals.keys is tokens.signals.keys
    assert tokens.signals.question_similarity is None


def test_patches_of_a_long_video_are_as_near_as_those_of_a_short_one(clip):
    tokens = clip.encode(make_frames())
    short = clip.question_similarity(tokens, QUESTION)
    times = 200
    long = VideoTokens(
        features=tokens.features.repeat(times, 1, 1),
        grid=tokens.grid,
        pts_seconds=torch.arange(3.0 * times).double(),
    )
    assert long.count > 8192, "more than go through the last layer at once"
    assert_near(clip.question_similarity(long, QUESTION), short.repeat(times, 1))


def test_one_frame_is_enough(clip):
    tokens = clip.asked(clip.encode(make_frames(1)), QUESTION)
    assert tokens.signals.question_similarity.shape == (1, 16)


def test_attention_of_the_last_layer_does_not_change_what_is_similar(clip, folder):
    tokens = clip.encode(make_frames())
    last = Clip(model=str(folder), device="cpu", attention_layer=-1)
    found = last.question_similarity(last.encode(make_frames()), QUESTION)
    assert torch.equal(found, clip.question_similarity(tokens, QUESTION))


def test_half_precision_is_near_full_precision(clip, folder):
    half = Clip(model=str(folder), device="cpu", dtype="bfloat16")
    found = half.question_similarity(half.encode(make_frames()), QUESTION)
    full = clip.question_similarity(clip.encode(make_frames()), QUESTION)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, full, rtol=0, atol=0.05)


def test_words_beyond_the_text_towers_length_do_not_count_and_the_log_says_so(clip, caplog):
    tokens = clip.encode(make_frames(1))
    long = "x" * LONGEST
    found = clip.question_similarity(tokens, long + " and y")
    assert f"reads {LONGEST}; the rest does not count" in caplog.text
    assert torch.equal(found, clip.question_similarity(tokens, long + "zz"))


def test_strategies_that_ask_take_a_whole_clip(clip):
    assert VideoCompressor(strategy="question:strategy=attention", encoder=clip).reads_question


def test_a_vision_tower_alone_cannot_be_asked(tmp_path, model):
    model.vision_model.save_pretrained(tmp_path)
    transformers.CLIPImageProcessorPil().save_pretrained(tmp_path)
    clip = Clip(model=str(tmp_path), device="cpu")
    assert not clip.reads_question
    with pytest.raises(MissingSignalError, match="whole CLIPModel and its tokenizer") as error:
        VideoCompressor(strategy="cdpruner", encoder=clip)
    assert "vlm" in told(error)
    with pytest.raises(MissingSignalError, match="whole CLIPModel") as error:
        clip.asked(clip.encode(make_frames(1)), QUESTION)
    told(error)


def test_a_whole_clip_without_a_tokenizer_cannot_be_asked(copied):
    (copied / "tokenizer.json").unlink()
    with pytest.raises(MissingSignalError, match="question_similarity"):
        VideoCompressor(strategy="cdpruner", encoder=Clip(model=str(copied), device="cpu"))


def test_encoders_without_words_refuse_questions():
    plain = encoders.create("handcrafted")
    assert not plain.reads_question
    with pytest.raises(MissingSignalError, match="handcrafted") as error:
        plain.asked(plain.encode(make_frames(1)), QUESTION)
    told(error)


@pytest.mark.parametrize("change", [{"vocab_size": 100}, {"eos_token_id": 5}])
def test_a_tokenizer_of_another_model_is_refused(copied, model, change):
    config = json.loads((copied / "config.json").read_text())
    config["text_config"] |= change
    (copied / "config.json").write_text(json.dumps(config))
    if "vocab_size" in change:
        other = transformers.CLIPModel(transformers.CLIPConfig.from_pretrained(copied))
        other.save_pretrained(copied)
    clip = Clip(model=str(copied), device="cpu")
    with pytest.raises(ModelError, match="belong together") as error:
        clip.asked(clip.encode(make_frames(1)), QUESTION)
    told(error)


def test_a_whole_clip_that_lacks_weights_is_refused(copied):
    config = json.loads((copied / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 4
    (copied / "config.json").write_text(json.dumps(config))
    clip = Clip(model=str(copied), device="cpu")
    with pytest.raises(ModelError, match="weights missing") as error:
        clip.asked(clip.encode(make_frames(1)), QUESTION)
    told(error)
