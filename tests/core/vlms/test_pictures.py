"""Still pictures: their views, budgets, marks, files, evidence and reports, without torchvision."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("transformers")

import framesift
from framesift import VideoCompressor
from framesift.answering.evidence import find_segments
from framesift.errors import InvalidTokensError, ModelError
from framesift.export.engines import image_embeds
from framesift.report.contact_sheet import write_contact_sheet
from framesift.report.page import write_report
from framesift.testing import compressed as of_plan
from framesift.testing.samples import random_frames
from framesift.testing.tiny_vlms import TINY_VLMS
from framesift.types.frames import Frames
from framesift.types.plan import TokenPlan
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

MANY_VIEWS = ["smolvlm", "llava-onevision", "internvl"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    for name in (*MANY_VIEWS, "qwen3-vl", "llava"):
        made[name] = tmp_path_factory.mktemp(name)
        TINY_VLMS[name].build(made[name])
    return made


@pytest.fixture(scope="module")
def vlms(folders):
    return {name: load_vlm(str(folder), device="cpu") for name, folder in folders.items()}


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(random_frames(1, (50, 90)).data[0]).save(path)
    return path


def compressed(vlm, video, **options):
    return VideoCompressor(vlm=vlm, strategy="attention", **options).compress(video)


@pytest.mark.parametrize("name", MANY_VIEWS)
def test_a_budget_counts_the_tokens_that_are_there(vlms, photo, name):
    whole = compressed(vlms[name], photo, keep=1.0).report
    half = compressed(vlms[name], photo, keep=0.5).report
    assert whole.tokens_out == whole.tokens_in == half.tokens_in
    assert half.tokens_out == int(half.tokens_in * 0.5 + 0.5)
    assert whole.picture_px == (50, 90)
    assert len(whole.views) == whole.frames_in > 1
    cells = whole.frames_in * whole.grid[0] * whole.grid[1]
    assert (whole.tokens_in < cells) == (name == "llava-onevision")


@pytest.mark.parametrize("name", MANY_VIEWS)
def test_a_picture_is_saved_and_loaded(vlms, photo, tmp_path, name):
    video = compressed(vlms[name], photo, keep=0.5)
    video.save(tmp_path / "saved")
    loaded = framesift.load(tmp_path / "saved")
    assert loaded.report == video.report
    given, expected = (
        vlms[name].prompt([Turn(role="user", text="Why?", videos=(each,))])
        for each in (loaded, video)
    )
    assert torch.equal(given.input_ids, expected.input_ids)
    assert torch.equal(given.features, expected.features)


def test_views_that_are_not_the_pictures_are_refused(vlms, photo, tmp_path):
    compressed(vlms["smolvlm"], photo).save(tmp_path / "saved")
    path = tmp_path / "saved" / "report.json"
    report = json.loads(path.read_text())
    path.write_text(json.dumps({**report, "views": report["views"][:-1]}))
    with pytest.raises(InvalidTokensError, match="views has 6 parts") as error:
        framesift.load(tmp_path / "saved")
    assert "\n" not in str(error.value)


def test_a_tile_that_loses_all_of_its_tokens_loses_its_mark(vlms, photo):
    vlm = vlms["smolvlm"]
    video = compressed(vlm, photo, keep=1.0)
    tiles = len(video.report.views) - 1
    tokens = VideoCompressor(vlm=vlm).encode(photo).tokens
    kept = [token for token in range(tokens.count) if token // 4 != 1]
    plan = TokenPlan.keep(torch.tensor(kept), num_in=tokens.count, tokens_per_frame=4)
    less = of_plan(tokens, plan)
    shown = {"picture_px": video.report.picture_px, "views": video.report.views}
    object.__setattr__(less, "report", less.report.model_copy(update=shown))
    text, reduced = (
        vlm.tokenizer.decode(vlm.prompt([Turn(role="user", text="?", videos=(each,))]).input_ids)
        for each in (video, less)
    )
    marks = [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2, 3)][:tiles]
    assert all(mark in text for mark in marks)
    assert marks[1] not in reduced
    assert all(mark in reduced for mark in (marks[0], *marks[2:]))
    assert text.count("\n") == reduced.count("\n")


@pytest.mark.parametrize(("token", "box"), [(0, (0, 0, 1 / 6, 1 / 4)), (5, (0.5, 0, 2 / 3, 1 / 4))])
def test_evidence_lies_where_the_tile_does(vlms, photo, token, box):
    video = compressed(vlms["smolvlm"], photo, keep=1.0)
    assert len(video.report.views) == 7
    weights = torch.zeros(video.plan.num_out)
    weights[token] = 1
    (segment,) = find_segments([video], weights, "attention")
    assert segment.box == pytest.approx(box, abs=1e-3)
    assert segment.score == 1


def test_evidence_of_the_whole_view_lies_in_the_whole_picture(vlms, photo):
    video = compressed(vlms["smolvlm"], photo, keep=1.0)
    weights = torch.zeros(video.plan.num_out)
    weights[-1] = 1
    (segment,) = find_segments([video], weights, "attention")
    assert segment.box == (0.5, 0.5, 1, 1)


@pytest.mark.parametrize("name", MANY_VIEWS)
def test_a_report_shows_the_picture_once(vlms, photo, tmp_path, name):
    video = compressed(vlms[name], photo, keep=0.5)
    frames = Frames(
        data=np.asarray(Image.open(photo))[None], pts_seconds=np.zeros(1), indices=np.zeros(1, int)
    )
    write_report(tmp_path / "page.html", video=video, frames=frames, keyframes=[])
    page = (tmp_path / "page.html").read_text()
    assert "Views" in page
    assert "90 x 50 px" in page
    assert "Kept over time" not in page
    write_contact_sheet(tmp_path / "sheet.png", video=video, frames=frames, keyframes=[])
    assert (tmp_path / "sheet.png").stat().st_size > 0


def test_animations_and_single_frames_of_videos_are_no_pictures(vlms, tmp_path):
    frames = [Image.fromarray(each) for each in random_frames(3, (50, 90)).data]
    path = tmp_path / "moving.png"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=1000)
    report = compressed(vlms["smolvlm"], path).report
    assert not report.picture
    assert report.views is None
    assert report.frames_in == 3


def test_pictures_that_are_turned_are_upright(vlms, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    Image.fromarray(random_frames(1, (50, 90)).data[0]).save(path, exif=exif)
    assert compressed(vlms["qwen3-vl"], path).report.picture_px == (90, 50)


def test_a_picture_too_long_and_narrow_is_refused_in_one_line(vlms):
    with pytest.raises(ModelError, match="up to 200 times as long as wide") as error:
        compressed(vlms["qwen3-vl"], Image.new("RGB", (2010, 10)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [*MANY_VIEWS, "qwen3-vl", "llava"])
def test_a_gate_changes_nothing_of_a_picture(vlms, photo, name):
    plain, gated = compressed(vlms[name], photo), compressed(vlms[name], photo, gate=8.0)
    assert torch.equal(plain.tokens, gated.tokens)
    assert gated.report.share_encoded == 1


@pytest.mark.parametrize("name", ["llava-onevision", "qwen3-vl", "internvl"])
def test_an_answer_about_a_picture_and_a_video_comes_from_both(vlms, photo, name):
    compressor = VideoCompressor(vlm=vlms[name], keep=0.5)
    answer = compressor.ask([photo, "synthetic://number"], "What?")
    alone = compressor.ask("synthetic://number", "What?").usage.visual_tokens_before
    assert answer.usage.visual_tokens_before > alone
    assert answer.evidence


@pytest.mark.parametrize("name", ["internvl", "llava", "qwen3-vl"])
def test_engines_get_a_picture_as_one(vlms, photo, name):
    video = compressed(vlms[name], photo, keep=1.0)
    embeds = image_embeds(vlms[name], video)
    assert embeds.counts.tolist() == [video.plan.num_out]
    assert torch.equal(embeds.embeds[:, : video.tokens.shape[1]], video.tokens)


def test_a_door_in_the_llm_leaves_newlines_of_pictures_alone(vlms, photo):
    vlm = vlms["llava-onevision"]
    videos = (compressed(vlm, photo, keep=0.5), compressed(vlm, "synthetic://number", keep=0.5))
    prompt = vlm.prompt([Turn(role="user", text="?", videos=videos)])
    added = int((prompt.rows < 0).sum())
    with vlm.in_llm("fastv", layer=1, keep=0.5) as door:
        vlm.hf.generate(**prompt.inputs(), max_new_tokens=1, do_sample=False)
    assert added > 1
    assert len(door.kept[0]) == int((len(prompt.rows) - added) * 0.5 + 0.5)


def test_views_of_other_options_are_refused_in_one_line(vlms, photo):
    tiled = compressed(vlms["llava-onevision"], photo)
    whole = replace(vlms["llava-onevision"], picture_tiles=False)
    for vlm, video in ((whole, tiled), (vlms["llava-onevision"], compressed(whole, photo))):
        with pytest.raises(ModelError, match="compress it again with this model") as error:
            vlm.prompt([Turn(role="user", text="?", videos=(video,))])
        assert "\n" not in str(error.value)
