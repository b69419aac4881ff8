"""CLIP and SigLIP over whole pictures, against what their models in transformers give."""

import json
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from framesift.compression.compressor import VideoCompressor
from framesift.encoders.whole_pictures import WholePictures
from framesift.errors import InvalidOptionError, ModelError
from framesift.scorers import registry
from framesift.scorers.base import Scorer
from framesift.scorers.candidates import GivenCandidates
from framesift.selectors.base import Selection, Selector
from framesift.testing import assert_near, tiny_tower, tiny_two_towers
from framesift.types.frames import Frames
from framesift.types.video import VideoInfo

transformers = pytest.importorskip("transformers")

FAMILIES = ("clip", "siglip")
NAMES = {"clip": "CLIP", "siglip": "Siglip"}
QUESTION = "Where is the red car?"
SIZES = [(64, 64), (90, 160), (181, 97), (40, 61)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: tiny_two_towers(tmp_path_factory.mktemp(name), name) for name in FAMILIES}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def folder(folders, family):
    return folders[family]


def smooth_frames(count=5, size=(90, 160), seed=0):
    """Frames whose pictures are blobs of color, so that a resize keeps what tells them apart."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
    large = [Image.fromarray(each).resize(size[::-1], Image.Resampling.BICUBIC) for each in small]
    data = np.stack([np.asarray(each) for each in large])
    return Frames(data=data, pts_seconds=np.arange(float(count)), indices=np.arange(count))


def candidates_of(frames):
    return GivenCandidates(pts_seconds=torch.tensor(frames.pts_seconds), frames=frames)


def scorer_of(family, folder, **options):
    return registry.create(family, model=str(folder), device="cpu", **options)


@torch.no_grad()
def cosines(folder, family, frames, question, *, squashed=True):
    """The logits of transformers' own model and preparation, less their scale and bias."""
    model = getattr(transformers, f"{NAMES[family]}Model").from_pretrained(folder).eval()
    prepare = getattr(transformers, f"{NAMES[family]}ImageProcessorPil").from_pretrained(folder)
    if squashed:
        prepare.do_center_crop, prepare.size = False, {"height": 64, "width": 64}
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    text = {"padding": "max_length", "max_length": 20} if family == "siglip" else {}
    written = question.lower() if family == "siglip" else question
    ids = tokenizer(written, return_tensors="pt", truncation=False, **text).input_ids
    pixels = prepare(list(frames.data), return_tensors="pt").pixel_values
    logits = model(input_ids=ids, pixel_values=pixels).logits_per_image[:, 0]
    bias = model.logit_bias if family == "siglip" else 0.0
    return (logits - bias) / model.logit_scale.exp()


def assert_close(found, wanted):
    """Pillow and torch round a level of 255 to one side or the other."""
    assert (found - wanted).abs().max() < 0.02 * wanted.std()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_scores_are_the_logits_of_transformers_less_scale_and_bias(folder, family, size):
    frames = smooth_frames(size=size)
    found = scorer_of(family, folder).score(candidates_of(frames), "red car").values
    wanted = cosines(folder, family, frames, "red car")
    assert_close(found, wanted)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_crop_is_the_middle_square_that_transformers_takes(folders, size):
    frames = smooth_frames(size=size)
    found = scorer_of("clip", folders["clip"], crop=True).score(candidates_of(frames), "red car")
    wanted = cosines(folders["clip"], "clip", frames, "red car", squashed=False)
    assert_close(found.values, wanted)


def test_a_crop_is_decoded_in_the_shape_of_the_video(folders):
    info = VideoInfo(
        width_px=1920,
        height_px=1080,
        duration_seconds=1.0,
        start_seconds=0.0,
        frame_count=1,
        average_fps=1.0,
        codec="h264",
    )
    sides = {
        crop: WholePictures(family="clip", model=str(folders["clip"]), crop=crop).fitted(info)
        for crop in (False, True)
    }
    assert sides[False].input_px == (64, 64)
    assert sides[True].input_px == (64, 113)


@dataclass(frozen=True, kw_only=True)
class Nearest(Selector):
    """The frame with the highest score."""

    scorer: Scorer
    reads_question = True

    def choose(self, candidates, count, question):
        curve = self.scorer.score(candidates, question).values
        best = int(curve.argmax())
        return Selection(
            indices=(best,), scores=(1.0,), reasons=("near",), curve=tuple(curve.tolist())
        )


def test_each_picture_of_a_video_is_embedded_once_for_all_questions(folder, family):
    sift = VideoCompressor(selector=Nearest(scorer=scorer_of(family, folder)))
    video = "synthetic://mixed?seconds=9&seed=3"
    first, other, again = (sift.select(video, 1, q) for q in ("red car", "blue sky", "red car"))
    assert [report.frames_encoded for report in (first, other, again)] == [9, 0, 0]
    assert first.curve == again.curve
    assert not np.allclose(first.curve, other.curve, atol=1e-3)


def test_some_places_have_the_scores_that_they_have_among_all(folder, family):
    frames, scorer = smooth_frames(7), scorer_of(family, folder)
    whole = scorer.score(candidates_of(frames), QUESTION[:12])
    some = scorer.score(candidates_of(frames), QUESTION[:12], places=[1, 4, 6])
    assert_near(some.values, whole.values[[1, 4, 6]])
    assert some.reasons == tuple(whole.reasons[place] for place in (1, 4, 6))


def test_a_batch_does_not_change_the_scores(folder, family):
    frames = smooth_frames(9)
    one, many = (
        scorer_of(family, folder, batch_size=size).score(candidates_of(frames), "red car").values
        for size in (2, 9)
    )
    assert_near(one, many)


def test_reasons_say_how_near(folder, family):
    scores = scorer_of(family, folder).score(candidates_of(smooth_frames(2)), "red car")
    assert scores.reasons[0] == f"similarity {float(scores.values[0]):.3f} to the question"


def test_siglip_reads_capitals_as_small_letters(folders):
    scorer, frames = scorer_of("siglip", folders["siglip"]), smooth_frames()
    small, capital = (scorer.score(candidates_of(frames), text) for text in ("red car", "RED Car"))
    assert torch.equal(small.values, capital.values)


def test_a_question_longer_than_the_text_tower_is_cut_and_the_log_says_so(folder, family, caplog):
    long = scorer_of(family, folder).score(candidates_of(smooth_frames()), "red car " * 20)
    assert torch.isfinite(long.values).all()
    assert f"{folder}' reads 20; the rest does not count" in caplog.text


def test_what_reads_like_the_end_of_a_text_is_letters(folder, family):
    end = {"clip": "<|endoftext|>", "siglip": "</s>"}[family]
    scorer, frames = scorer_of(family, folder), smooth_frames()
    first, second = (scorer.score(candidates_of(frames), f"{end}{w}") for w in ("ab", "xy"))
    assert not torch.equal(first.values, second.values)


def test_a_tower_alone_is_refused(tmp_path, family):
    tower = tiny_tower(tmp_path, family)
    with pytest.raises(ModelError, match=f"this encoder reads {family}; pass the folder") as error:
        scorer_of(family, tower).score(candidates_of(smooth_frames()), "red car")
    assert "\n" not in str(error.value)


def test_a_folder_without_a_tokenizer_is_refused(folder, family, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "copied")
    (copied / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="it cannot read questions; add the tokenizer") as error:
        scorer_of(family, copied).score(candidates_of(smooth_frames()), "red car")
    assert "\n" not in str(error.value)


def test_a_tokenizer_of_another_model_is_refused(folders, tmp_path):
    copied = shutil.copytree(folders["clip"], tmp_path / "copied")
    config = json.loads((copied / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 5
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="pass a checkpoint whose files belong together"):
        scorer_of("clip", copied).score(candidates_of(smooth_frames()), "red car")


def test_a_device_that_is_none_is_refused_at_once(family):
    with pytest.raises(InvalidOptionError, match="is not a device of torch"):
        registry.create(family, device="abacus")


def test_weights_that_are_replaced_are_read_again(folders, tmp_path):
    copied, frames = shutil.copytree(folders["clip"], tmp_path / "copied"), smooth_frames()
    before = scorer_of("clip", copied).score(candidates_of(frames), "red car").values
    model = transformers.CLIPModel.from_pretrained(copied)
    with torch.no_grad():
        model.visual_projection.weight.neg_()
    model.save_pretrained(copied)
    after = scorer_of("clip", copied).score(candidates_of(frames), "red car").values
    assert_near(after, -before)


def test_tokens_are_one_of_length_1_for_each_frame(folder, family):
    encoder = WholePictures(family=family, model=str(folder), device="cpu")
    tokens = encoder.encode(smooth_frames(3))
    assert tokens.features.shape == (3, 1, encoder.channels)
    assert tokens.features.dtype == torch.float32
    assert_near(tokens.features.norm(dim=-1), torch.ones(3, 1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_ranks_frames_as_the_cpu_does(folder, family):
    frames = smooth_frames(20)
    here = scorer_of(family, folder).score(candidates_of(frames), "red car").values
    there = registry.create(family, model=str(folder), device="cuda")
    found = there.score(candidates_of(frames), "red car").values
    assert found.device.type == "cpu"
    torch.testing.assert_close(found, here, rtol=0, atol=1e-2)
