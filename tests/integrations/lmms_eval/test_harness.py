"""The plug-in in lmms-eval itself, on a task of two local samples, without network."""

import importlib.util
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from framesift import Generation, VideoCompressor
from framesift.errors import InvalidOptionError
from framesift.testing import TINY_VLMS
from framesift_lmms_eval import FrameIndexFile

pytestmark = [
    pytest.mark.lmms_eval,
    pytest.mark.skipif(
        importlib.util.find_spec("lmms_eval") is None,
        reason="lmms-eval is not installed; make test-lmms-eval sets it aside and runs this",
    ),
    pytest.mark.filterwarnings("default"),
]
PAGE = Path(__file__).parents[3] / "integrations" / "lmms-eval" / "README.md"
QUESTION = "What number flashes?"
VIDEOS = ["synthetic://number?seed=3", "synthetic://number?seed=3&fps=3"]
TASK = """
task: framesift_local
dataset_path: json
dataset_kwargs: {{data_files: {{test: {samples}}}}}
test_split: test
output_type: generate_until
doc_to_visual: !function local_task.doc_to_visual
doc_to_text: "{{{{question}}}} Answer with one number."
doc_to_target: "answer"
generation_kwargs: {{max_new_tokens: 8, temperature: 0, do_sample: false}}
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
"""


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    """Runs a model over the two samples; gives what the harness logs of each."""
    folder = tmp_path_factory.mktemp("task")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_DATASETS_CACHE", str(folder / "cache"))
        from lmms_eval import evaluator, models
        from lmms_eval.models.registry_v2 import ModelManifest
        from lmms_eval.tasks import TaskManager

    samples = [{"id": f"n{i}", "video": v, "question": QUESTION} for i, v in enumerate(VIDEOS)]
    lines = [json.dumps({**sample, "answer": "44"}) for sample in samples]
    (folder / "samples.jsonl").write_text("\n".join(lines))
    (folder / "local.yaml").write_text(TASK.format(samples=folder / "samples.jsonl"))
    (folder / "local_task.py").write_text("def doc_to_visual(doc):\n    return [doc['video']]\n")
    dummy = ModelManifest(model_id="dummy_chat", chat_class_path="dummy_chat_model.DummyChat")
    models.MODEL_REGISTRY_V2.register_manifest(dummy, overwrite=True)
    tasks = TaskManager(include_path=str(folder), include_defaults=False)

    def run(model, arguments):
        found = evaluator.simple_evaluate(
            model=model,
            model_args=arguments,
            tasks=["framesift_local"],
            task_manager=tasks,
            batch_size=1,
            log_samples=True,
            bootstrap_iters=0,
        )
        logged = sorted(found["samples"]["framesift_local"], key=lambda one: one["doc_id"])
        return [
            SimpleNamespace(
                text=one["resps"][0][0], counts=one["token_counts"][0], right=one["exact_match"]
            )
            for one in logged
        ]

    return SimpleNamespace(run=run, models=models)


@pytest.fixture(scope="module")
def selected(harness, tmp_path_factory):
    """A run of the wrapper over the dummy, and the file of frames that it wrote."""
    file = tmp_path_factory.mktemp("saved") / "frames.jsonl"
    arguments = f"inner=dummy_chat,selector=keyframes,count=3,save_frames={file}"
    return SimpleNamespace(samples=harness.run("framesift_frames", arguments), file=file)


def test_the_harness_finds_both_models_by_their_entry_point(harness):
    assert {"framesift_frames", "framesift_tokens"} <= set(harness.models.list_available_models())


def test_the_inner_model_is_told_the_times_of_the_frames_that_are_kept(selected):
    for sample, video in zip(selected.samples, VIDEOS, strict=True):
        kept = VideoCompressor(selector="keyframes").keyframes(video, 3)
        assert json.loads(sample.text) == pytest.approx([k.pts_seconds for k in kept], abs=1e-3)


def test_the_page_names_every_argument(harness):
    from framesift_lmms_eval import frames_model, tokens_model

    named = set(re.findall(r"`(\w+)`", PAGE.read_text()))
    for model in (frames_model, tokens_model):
        assert set(model.ARGUMENTS.split(", ")) - named <= {"pretrained"}


def test_tokens_and_frames_are_reported_with_every_sample(selected):
    for sample in selected.samples:
        assert sample.counts == {
            "input_tokens": 5,
            "output_tokens": 4,
            "frames": 3,
            "visual_tokens": 3,
        }


def test_a_file_of_frames_repeats_a_selection(harness, selected):
    arguments = f"inner=dummy_chat,selector=uniform,count=1,frame_index_file={selected.file}"
    again = harness.run("framesift_frames", arguments)
    assert [sample.text for sample in again] == [sample.text for sample in selected.samples]
    assert len(FrameIndexFile.read(selected.file).seconds("framesift_local", {}, 1)) == 3


def test_a_file_may_name_samples_by_a_field(harness, tmp_path):
    file = tmp_path / "bolt.json"
    file.write_text(
        '{"v": [{"question_id": "n0", "frames": [3]}, {"question_id": "n1", "frames": [0]}]}'
    )
    arguments = f"inner=dummy_chat,frame_index_file={file},doc_key=id"
    assert [s.text for s in harness.run("framesift_frames", arguments)] == ["[3.0]", "[0.0]"]


def test_a_model_without_a_processor_reads_the_times_as_text(harness):
    arguments = 'inner=dummy_chat,inner_args={"has_processor":false},selector=uniform,count=2'
    sample = harness.run("framesift_frames", arguments)[0]
    kept = VideoCompressor(selector="uniform").keyframes(VIDEOS[0], 2)
    shown = [part for k in kept for part in (f"[{k.pts_seconds:.1f} s]", "image")]
    assert json.loads(sample.text) == [*shown, f"{QUESTION} Answer with one number."]


@pytest.fixture(params=["tiny", "llava-onevision"])
def pretrained(request, tmp_path):
    """The embedded model, and a random one of a family that others use."""
    if request.param == "tiny":
        return "tiny"
    TINY_VLMS[request.param].build(tmp_path)
    return str(tmp_path)


def test_compressed_answers_are_those_of_the_library(harness, pretrained):
    arguments = f"pretrained={pretrained},keep=0.5,strategy='temporal'"
    samples = harness.run("framesift_tokens", arguments)
    sift = VideoCompressor(vlm=pretrained, keep=0.5, selector="uniform", max_frames=32)
    for sample, video in zip(samples, VIDEOS, strict=True):
        answer = sift.ask(
            video,
            f"{QUESTION} Answer with one number.",
            generation=Generation(max_new_tokens=8),
            evidence=None,
        )
        assert sample.text == answer.text
        assert sample.right == (answer.text == "44")
        assert sample.counts["frames"] == 8
        assert sample.counts["visual_tokens"] == answer.usage.visual_tokens_after
        assert sample.counts["visual_tokens_before"] == answer.usage.visual_tokens_before
        assert sample.counts["input_tokens"] == answer.usage.prompt_tokens
        assert sample.counts["output_tokens"] == answer.usage.answer_tokens


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("framesift_frames", "inner=dummy", "inner='dummy' is not a chat model"),
        ("framesift_frames", "inner=dummy_chat,k=3", "framesift_frames has no argument k"),
        ("framesift_frames", "inner=dummy_chat,frames_as=text", "auto, video or images"),
        ("framesift_tokens", "pretrained=tiny,count=3", "framesift_tokens has no argument count"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(harness, model, arguments, message):
    with pytest.raises(InvalidOptionError, match=message) as told:
        harness.run(model, arguments)
    assert "\n" not in str(told.value)
