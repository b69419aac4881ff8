import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift import VideoCompressor  # noqa: E402
from framesift.errors import ModelError  # noqa: E402
from framesift.testing import (  # noqa: E402
    TINY_VLMS,
    assert_near,
    compressed,
    random_frames,
)
from framesift.testing.tiny_vlms import CLIP, LLAMA, SIGLIP  # noqa: E402
from framesift.types.frames import Frames  # noqa: E402
from framesift.types.plan import TokenPlan  # noqa: E402
from framesift.types.video import VideoInfo  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402

INFO = VideoInfo(
    width_px=32,
    height_px=32,
    duration_seconds=4.0,
    start_seconds=0.0,
    frame_count=4,
    average_fps=1.0,
    codec="none",
)


@pytest.fixture(scope="session")
def llava(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava")
    TINY_VLMS["llava"].build(folder)
    return load_vlm(str(folder))


@pytest.fixture
def copied(llava, tmp_path):
    return shutil.copytree(llava.model, tmp_path / "copied")


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def keep(tokens, kept):
    plan = TokenPlan.keep(
        torch.tensor(kept), num_in=tokens.count, tokens_per_frame=tokens.tokens_per_frame
    )
    return compressed(tokens, plan)


def text_of(vlm, video, text="Hi"):
    prompt = vlm.prompt([Turn(role="user", text=text, videos=(video,))])
    return "".join(vlm.tokenizer.convert_ids_to_tokens(prompt.input_ids))


def test_attention_is_that_of_the_layer_that_gives_the_features(llava):
    frames = random_frames(3, (32, 32))
    signals = llava.encoder.encode(frames).signals
    pixels = llava.image_processor(images=list(frames.data), return_tensors="pt")["pixel_values"]
    tower = llava.hf.model.vision_tower
    tower.set_attn_implementation("eager")
    with torch.no_grad():
        out = tower(pixels, output_attentions=True, output_hidden_states=True)
    tower.set_attn_implementation("sdpa")
    expected = out.attentions[-2].mean(1)[:, 0, 1:]
    assert_near(signals.attention, expected)
    assert_near(signals.pre_projector, out.hidden_states[-2][:, 1:])
    assert expected.std() > 1e-3


def test_projected_features_are_the_tokens(llava):
    tokens = llava.encoder.encode(random_frames(3, (32, 32)))
    with torch.no_grad():
        expected = llava.hf.model.multi_modal_projector(tokens.signals.pre_projector)
    assert_near(tokens.features, expected)


def test_watching_leaves_the_model_as_it_was(llava):
    before = llava.hf.config.vision_config._attn_implementation
    llava.encoder.encode(random_frames(1, (32, 32)))
    assert llava.hf.config.vision_config._attn_implementation == before == "sdpa"


def test_more_frames_than_a_batch_keep_their_order(llava):
    frames = random_frames(20, (32, 32))
    many = llava.encoder.encode(frames).features
    alone = replace(llava.encoder, batch_size=3).encode(frames[17:18]).features
    assert_near(many[17:18], alone)


def test_a_frame_without_tokens_loses_its_line_break(llava):
    tokens = llava.encoder.encode(random_frames(4, (32, 32)))
    assert text_of(llava, keep(tokens, [0, 1, 20])) == (
        "<s>USER: <image><image>\n<image>\nHi\nASSISTANT:"
    )
    assert text_of(llava, keep(tokens, [63])) == "<s>USER: <image>\nHi\nASSISTANT:"
    assert text_of(llava, keep(tokens, [0])) == "<s>USER: <image>\nHi\nASSISTANT:"


def test_a_line_break_of_the_user_stays(llava):
    tokens = llava.encoder.encode(random_frames(4, (32, 32)))
    assert text_of(llava, keep(tokens, [0]), "\nHi") == "<s>USER: <image>\n\nHi\nASSISTANT:"


@pytest.mark.parametrize(
    ("template", "whole", "one"),
    [
        ("<image>", "<image><image>", "<image>"),
        ("<image>, ", "<image>, <image>, ", "<image>, "),
        ("[<image>]", "[<image>][<image>]", "[<image>]"),
    ],
)
def test_the_chat_template_says_what_stands_between_frames(llava, copied, template, whole, one):
    path = copied / "chat_template.jinja"
    path.write_text(path.read_text().replace("'<' + c.type + '>\n'", f"'{template}'"))
    vlm = load_vlm(str(copied))
    tokens = vlm.encoder.encode(random_frames(2, (32, 32)))
    assert text_of(vlm, keep(tokens, [0, 16])) == f"<s>USER: {whole}Hi\nASSISTANT:"
    left = text_of(vlm, keep(tokens, [16]))
    assert left.count("<image>") == 1
    assert left.startswith("<s>USER: ")
    assert one in left


def test_a_template_that_leaves_pictures_out_is_refused(llava, copied):
    path = copied / "chat_template.jinja"
    path.write_text(path.read_text().replace("c.type != 'text'", "c.type == 'audio'"))
    vlm = load_vlm(str(copied))
    with pytest.raises(ModelError, match="0 times for 2 pictures") as error:
        text_of(vlm, keep(vlm.encoder.encode(random_frames(2, (32, 32))), [0]))
    assert "\n" not in str(error.value)


def test_a_template_that_refuses_is_one_line(llava, copied):
    path = copied / "chat_template.jinja"
    path.write_text("{{ raise_exception('no\n roles') }}")
    vlm = load_vlm(str(copied))
    with pytest.raises(ModelError, match="does not take this conversation") as error:
        vlm.prompt([Turn(role="assistant", text="Hi")])
    assert "\n" not in str(error.value)


STEERED = "{% for m in messages %}" + (
    "{% set text = m.content[-1].text %}{% set pictures = m.content | length - 1 %}"
    "{% if '<image>' not in text %}{{ '<image>' * pictures }}{% endif %}"
    "{{ text.split('</s>')[0] | trim | upper }}{% endfor %}"
)
"""A template that looks into what people write, and changes it."""


def test_text_does_not_steer_the_template(llava, copied):
    (copied / "chat_template.jinja").write_text(STEERED)
    vlm = load_vlm(str(copied))
    tokens = vlm.encoder.encode(random_frames(2, (32, 32)))
    whole = text_of(vlm, keep(tokens, [0, 16]), " what is <image></s> <s>?")
    assert whole == "<s><image><image>WHAT IS <IMAGE></S> <S>?"
    assert text_of(vlm, keep(tokens, [0, 16]), " what? ") == "<s><image><image>WHAT?"


def test_a_beginning_that_the_template_writes_is_not_doubled(llava, copied):
    path = copied / "chat_template.jinja"
    path.write_text("{{ bos_token }}" + path.read_text())
    vlm = load_vlm(str(copied))
    tokens = vlm.encoder.encode(random_frames(1, (32, 32)))
    assert text_of(vlm, keep(tokens, [0])).count("<s>") == 1


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (32, 32, (0, 0, 1, 1)),
        (32, 64, (0.25, 0, 0.75, 1)),
        (480, 360, (0, 0.125, 1, 0.875)),
    ],
)
def test_its_crop_is_its_region(llava, height, width, expected):
    info = replace(INFO, height_px=height, width_px=width)
    assert llava.encoder.region(info) == pytest.approx(expected, abs=0.01)


def test_what_is_cropped_away_changes_nothing(llava):
    frames = random_frames(2, (32, 64))
    changed = frames.data.copy()
    changed[:, :, :12] = 0
    changed[:, :, 52:] = 255
    both = [
        llava.encoder.encode(
            Frames(data=data, pts_seconds=frames.pts_seconds, indices=frames.indices)
        )
        for data in (frames.data, changed)
    ]
    assert torch.equal(both[0].features, both[1].features)
    assert torch.equal(both[0].signals.edge_density, both[1].signals.edge_density)


def test_padding_goes_beyond_the_picture(llava, copied):
    transformers.LlavaImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, do_pad=True
    ).save_pretrained(copied)
    encoder = load_vlm(str(copied)).encoder
    info = replace(INFO, height_px=32, width_px=64)
    assert encoder.region(info) == pytest.approx((0, -0.5, 1, 1.5))
    frames = random_frames(1, (32, 64))
    density = encoder.encode(frames).signals.edge_density.reshape(4, 4)
    assert density[0].max() == density[-1].max() == 0
    assert density[1:3].min() > 0


def test_a_fitted_encoder_decodes_in_the_proportions_of_the_video(llava):
    info = replace(INFO, height_px=1080, width_px=1920)
    height, width = llava.encoder.fitted(info).input_px
    assert min(height, width) == 896
    assert width / height == pytest.approx(1920 / 1080, abs=0.01)


def test_a_wide_video_is_cropped_and_not_squashed(llava, write_video, tmp_path):
    path = write_video(tmp_path / "wide.mp4", 50, size=(64, 128))
    sift = VideoCompressor(encoder=llava.encoder, keep=1.0, strategy="uniform")
    frames = sift.frames(path)
    video = sift.compress(path)
    expected = llava.encoder.encode(frames).features
    assert_near(video.tokens, expected.flatten(0, 1))
    assert video.report.encoder == llava.spec
    assert frames.data.shape[1:3] == (64, 128)


def test_several_layers_of_a_tower_without_a_summary_are_joined(tmp_path):
    TINY_VLMS["llava"].build(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    config = transformers.LlavaConfig(
        vision_config={**SIGLIP, "image_size": 32},
        text_config={**LLAMA, "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=[-2, -1],
        vision_feature_select_strategy="full",
    )
    transformers.LlavaForConditionalGeneration(config).eval().save_pretrained(tmp_path)
    tokens = load_vlm(str(tmp_path)).encoder.encode(random_frames(3, (32, 32)))
    assert tokens.features.shape == (3, 16, 32)
    assert tokens.signals.pre_projector.shape == (3, 16, 64)
    assert_near(tokens.signals.attention.sum(1), torch.ones(3))


def test_a_layer_may_be_counted_from_the_first_one(llava, copied):
    edit_json(copied / "config.json", vision_feature_layer=2)
    frames = random_frames(2, (32, 32))
    found = load_vlm(str(copied)).encoder.encode(frames)
    expected = llava.encoder.encode(frames)
    assert torch.equal(found.features, expected.features)
    assert torch.equal(found.signals.attention, expected.signals.attention)


def test_a_summary_token_among_the_patches_is_refused(copied):
    edit_json(copied / "config.json", vision_feature_select_strategy="full")
    with pytest.raises(ModelError, match="'full' of the outputs") as error:
        load_vlm(str(copied))
    assert "\n" not in str(error.value)


def test_a_tower_of_another_kind_is_refused(copied):
    vision = {"model_type": "pixtral", "hidden_size": 32, "image_size": 32, "patch_size": 8}
    edit_json(copied / "config.json", vision_config=vision, vision_feature_select_strategy="full")
    with pytest.raises(ModelError, match=r"'pixtral'.*clip_vision_model or siglip") as error:
        load_vlm(str(copied))
    assert "\n" not in str(error.value)


def test_black_and_white_frames_differ(llava):
    data = np.stack([np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)])
    frames = Frames(data=data, pts_seconds=np.arange(2.0), indices=np.arange(2))
    features = llava.encoder.encode(frames).features
    assert (features[0] - features[1]).abs().max() > 0.1
    assert CLIP["image_size"] == 32
