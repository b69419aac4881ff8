"""What was compressed once is asked about later, without its file, by the model that made it."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from framesift.answering.chat import Chat
from framesift.answering.evidence import find_segments
from framesift.cli.commands import app
from framesift.compression.compressor import VideoCompressor
from framesift.errors import InvalidOptionError, ModelError
from framesift.serving.assistant import Assistant
from framesift.serving.message import Message
from framesift.sources.base import open_video
from framesift.testing import TINY_VLMS
from framesift.types.compressed_files import REPORT, load
from framesift.vlms.base import VLM
from framesift.vlms.origin import fingerprint
from framesift.vlms.tiny import FOLDER, Tiny

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"


@pytest.fixture(scope="module")
def sift():
    return VideoCompressor(vlm="tiny")


@pytest.fixture(autouse=True)
def knows_all_videos(monkeypatch):
    """The tiny model's own warning about files is not what is looked at here."""
    monkeypatch.setattr(Tiny, "trained_on", None)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    with open_video(CLIP) as local:
        return shutil.copy(local.path, tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="module")
def fresh(sift, path):
    return sift.ask(path, QUESTION)


@pytest.fixture(scope="module")
def video(sift, path):
    return sift.compress(path)


@pytest.fixture(params=["in memory", "loaded"])
def kept(request, video, tmp_path):
    if request.param == "in memory":
        return video
    video.save(tmp_path / "kept")
    return load(tmp_path / "kept")


@pytest.fixture
def nothing_decodes(sift, kept, fresh, monkeypatch):
    def refused(*arguments, **options):
        raise AssertionError("a compressed video must not be decoded or encoded")

    monkeypatch.setattr(type(sift.answering_vlm.encoder), "encode", refused)
    monkeypatch.setattr("framesift.compression.opening.open_video", refused)


@pytest.mark.usefixtures("nothing_decodes")
def test_every_way_to_ask_takes_a_compressed_video(sift, kept, fresh):
    def same(answer):
        assert (answer.text, answer.evidence) == (fresh.text, fresh.evidence)
        assert answer.usage.encode_seconds < 0.5
        assert answer.warnings == []

    same(sift.ask(kept, QUESTION))
    same(sift.ask([kept], QUESTION))
    with sift.open(kept) as chat:
        same(chat.ask(QUESTION))
        assert chat.find(QUESTION)[0] == fresh.evidence[0]
    with Chat(sift.answering_vlm, kept) as chat:
        same(chat.ask(QUESTION))
    assistant = Assistant(sift)
    asked = [Message(role="user", text=QUESTION, videos=(kept,))]
    same(assistant.reply(asked))
    again = assistant.reply(asked)
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1
    stream = assistant.stream(asked)
    assert "".join(stream) == fresh.text
    assert assistant.compress(kept) is kept


@pytest.mark.slow
def test_lists_may_mix_them_with_videos(sift, video, path):
    apart = sift.ask([path, path], "What color is the card?")
    mixed = sift.ask([video, path], "What color is the card?")
    assert (mixed.text, mixed.evidence) == (apart.text, apart.evidence)
    with sift.open([path, video]) as chat:
        assert chat.ask("What color is the card?").text == apart.text


def test_a_strategy_that_reads_questions_opens_what_is_compressed(sift, video, fresh, path):
    picky = replace(sift, strategy="cdpruner")
    with picky.open(video) as chat:
        assert chat.ask(QUESTION).text == fresh.text
    with pytest.raises(InvalidOptionError, match="other tokens for each question"):
        picky.open([video, path])


def test_a_search_shows_pictures_while_the_file_is_there(sift, kept, path):
    expected = sift.find(path, QUESTION)
    found = sift.find(kept, QUESTION)
    assert [part.segment for part in found] == [part.segment for part in expected]
    assert [part.keyframe.jpeg() for part in found] == [part.keyframe.jpeg() for part in expected]


@pytest.mark.parametrize("now", ["gone", "another"])
def test_a_search_goes_without_pictures_where_the_file_is(sift, tmp_path, path, now):
    copied = shutil.copy(path, tmp_path / "copied.mp4")
    video, expected = sift.compress(copied), sift.find(copied, QUESTION)
    copied.unlink()
    if now == "another":
        with open_video("synthetic://number?seed=3&seconds=5") as local:
            shutil.copy(local.path, copied)
    for search in (sift.find, Assistant(sift).find):
        lines = []
        found = search(video, QUESTION, warn=lines.append)
        assert [part.segment for part in found] == [part.segment for part in expected]
        assert all(part.keyframe is None for part in found)
        assert found[0].metadata()["uri"] == str(copied)
        assert len(lines) == 1
        assert "pictures were left out" in lines[0]


def test_a_part_stays_a_part(sift, path, tmp_path):
    address = f"{path}#t=2,6"
    video = sift.compress(address)
    video.save(tmp_path)
    loaded = load(tmp_path)
    assert loaded.address == video.address == address
    assert loaded.report.frames_in == 4
    assert sift.ask(loaded, QUESTION).evidence == sift.ask(address, QUESTION).evidence
    assert sift.segments(loaded) == sift.segments(address)
    endless = sift.compress(f"{path}#t=5")
    assert endless.address == f"{path}#t=5,8"
    endless.save(tmp_path)
    assert load(tmp_path).report.part_seconds == (5.0, 8.0)


@pytest.mark.parametrize(("part", "end"), [("#t=2,6", 6.0), ("#t=5", 8.0), ("", 8.0)])
def test_evidence_ends_with_the_part(sift, path, part, end):
    video = replace(sift, keep=1.0).compress(f"{path}{part}")
    weights = torch.zeros(video.plan.num_out)
    weights[-1] = 1
    (found,) = find_segments([video], weights, "attention")
    assert (found.start_seconds, found.end_seconds) == (end - 1, end)


def test_evidence_begins_with_the_part(sift, path):
    answer = sift.ask(f"{path}#t=3.51,4.5", QUESTION)
    assert answer.evidence[0].start_seconds == 3.51
    assert answer.evidence[0].keyframe_seconds == 3.5
    assert answer.evidence[-1].end_seconds <= 4.5


def test_its_file_is_looked_at_again_where_pictures_are_wanted(sift, video, path):
    assert sift.segments(video) == sift.segments(path)
    assert len(sift.frames(video)) == len(sift.frames(path))
    assert torch.equal(sift.compress(video).tokens, video.tokens)


def test_tokens_for_one_question_say_so_when_another_is_asked(sift, path, tmp_path):
    picky = replace(sift, strategy="cdpruner")
    picky.compress(path, QUESTION).save(tmp_path)
    video = load(tmp_path)
    assert sift.ask(video, QUESTION).warnings == []
    (line,) = sift.ask(video, "What color is the card?").warnings
    assert repr(QUESTION) in line
    lines = []
    sift.find(video, "What color is the card?", warn=lines.append)
    assert line in lines
    assert sift.compress(path, QUESTION).report.question is None


def test_a_warning_of_the_compression_is_in_later_answers(sift, video):
    noted = replace(video, report=video.report.model_copy(update={"warnings": ["torn"]}))
    assert sift.ask(noted, QUESTION).warnings == ["torn"]


@pytest.fixture
def other(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "other")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "projector" in name)
    weights[name] += 0.01
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def refused(video, model):
    sift = VideoCompressor(vlm=str(model) if not isinstance(model, VLM) else model)
    with pytest.raises(ModelError) as caught:
        sift.ask(video, QUESTION)
    with pytest.raises(ModelError):
        sift.open(video)
    return str(caught.value)


def test_tokens_of_another_model_are_refused_by_name(sift, video, other, tmp_path):
    line = refused(video, other)
    assert "'tiny'" in line
    assert "'other' is asked" in line
    assert str(tmp_path) not in line
    back = refused(VideoCompressor(vlm=str(other)).compress(CLIP), "tiny")
    assert "'other'" in back
    assert str(tmp_path) not in back


def test_tokens_of_other_weights_of_the_same_name_are_refused(video, other):
    name = str(other)
    before = VideoCompressor(vlm=name).compress(CLIP)
    shutil.copy(FOLDER / "model.safetensors", other / "model.safetensors")
    line = refused(before, name)
    assert "'other' with other weights" in line
    assert before.report.weights in line


def test_tokens_of_another_width_are_refused_by_name(video, tmp_path):
    TINY_VLMS["llava"].build(tmp_path / "narrow")
    assert "made by 'tiny', and 'narrow' is asked" in refused(video, tmp_path / "narrow")
    unknown = replace(video, report=video.report.model_copy(update={"weights": None}))
    assert "channels" in refused(unknown, tmp_path / "narrow")


def test_tokens_of_an_encoder_are_refused_by_name(path):
    line = refused(VideoCompressor().compress(path), "tiny")
    assert "'handcrafted'" in line
    assert "vlm='tiny'" in line


def test_a_copied_or_saved_again_checkpoint_is_the_same_model(video, tmp_path):
    copied = shutil.copytree(FOLDER, tmp_path / "copied")
    settings = json.loads((copied / "config.json").read_text())
    settings |= {"transformers_version": "9.9", "_name_or_path": "elsewhere"}
    (copied / "config.json").write_text(json.dumps(settings))
    assert fingerprint(str(copied)) == fingerprint(str(FOLDER)) == video.report.weights
    assert VideoCompressor(vlm=str(copied)).ask(video, QUESTION).text == "44"
    settings["vision_feature_layer"] = -1
    (copied / "config.json").write_text(json.dumps(settings))
    assert fingerprint(str(copied)) != video.report.weights


def cli(*arguments):
    from click.testing import CliRunner

    return CliRunner().invoke(app, list(map(str, arguments)))


def test_the_command_line_compresses_now_and_asks_later(path, other, tmp_path, fresh):
    folder = tmp_path / "folder"
    assert cli("compress", path, "--vlm", "tiny", "--out", folder).exit_code == 0
    assert json.loads((folder / REPORT).read_text())["encoder"] == "tiny"
    path_gone = cli("ask", folder, QUESTION, "--json")
    answer = json.loads(path_gone.output)
    assert answer["text"] == fresh.text
    assert answer["evidence"][0]["start_seconds"] == fresh.evidence[0].start_seconds
    assert isinstance(cli("ask", folder, QUESTION, "--vlm", other).exception, ModelError)
    assert cli("ask", folder, path, "What color is the card?").exit_code == 0
    found = json.loads(cli("find", folder, QUESTION, "--json").output)
    assert found == json.loads(cli("find", path, QUESTION, "--json").output)


def test_the_model_that_made_them_answers_where_none_is_named(path, other, tmp_path):
    folder = tmp_path / "folder"
    assert cli("compress", path, "--vlm", other, "--out", folder, "--json").exit_code == 0
    assert cli("ask", folder, QUESTION, "--json").exit_code == 0


def test_a_report_does_not_have_code_run(video, tmp_path):
    made = "llava:model=evil/model,trust_remote_code=True"
    named = video.report.model_copy(update={"encoder": made})
    replace(video, report=named).save(tmp_path)
    error = cli("ask", tmp_path, QUESTION).exception
    assert isinstance(error, InvalidOptionError)
    assert "--vlm" in str(error)
    assert cli("ask", tmp_path, QUESTION, "--vlm", "tiny").exit_code == 0
