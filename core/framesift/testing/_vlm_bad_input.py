"""What every vision LLM promises of checkpoints and videos that it cannot take: one line each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import torch

from framesift.answering.limits import fitting_prompt
from framesift.errors import BudgetError, FramesiftError, ModelError
from framesift.registry import require
from framesift.testing._vlm_case import QUESTION, VLMCase
from framesift.testing.samples import compressed, random_frames
from framesift.types.plan import TokenPlan
from framesift.vlms.base import VLM, Prompt, Turn
from framesift.vlms.load import load_vlm
from framesift.vlms.marks import MARK

PROCESSORS: Final = (
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
)
ODD_SIZES_PX: Final = ((1, 1), (3, 300), (2000, 16), (1500, 1200))
"""Frame sizes `(H, W)` that no tower was trained on."""


class BadInputPromises:
    """What cannot be taken ends in one line that names it and says what to do."""

    @pytest.fixture
    def copied(self, case: VLMCase, tmp_path: Path) -> Path:
        """A copy of the checkpoint, to be spoilt."""
        return shutil.copytree(case.folder, tmp_path / "copied")

    @pytest.mark.parametrize("lacking", ["processor", "template", "weights"])
    def test_a_checkpoint_that_lacks_something_is_refused(self, copied: Path, lacking: str) -> None:
        """Without processor files, without a template, or with pickled weights, it says which."""
        spoil, named = LACKING[lacking]
        spoil(copied)
        assert named in refused(lambda: load_vlm(str(copied)))

    def test_code_of_the_checkpoint_does_not_run(self, copied: Path) -> None:
        """Code that the files name does not run unless the user trusts it."""
        (copied / "own.py").write_text("raise SystemExit('code of the checkpoint was run')\n")
        own = {"AutoConfig": "own.C", "AutoModelForImageTextToText": "own.M"}
        own |= {"AutoImageProcessor": "own.P", "AutoProcessor": "own.Q"}
        for name in ("config.json", *PROCESSORS):
            if (copied / name).exists():
                edit_json(copied / name, auto_map=own)
        edit_json(copied / "tokenizer_config.json", auto_map={"AutoTokenizer": ["own.T", "own.T"]})
        assert load_vlm(str(copied), device="cpu").hf.config.model_type

    def test_a_visual_token_of_another_number_is_refused(self, copied: Path) -> None:
        """A number that stands for a letter, or beyond the vocabulary, is none of a picture."""
        config = json.loads((copied / "config.json").read_text())
        own = [name for name in config if name in VISUAL]
        assert own
        for name in own:
            for number in (40, 10**6):
                edit_json(copied / "config.json", **config | {name: number})
                assert str(number) in refused(lambda: load_vlm(str(copied)).tokenizer)

    def test_a_tokenizer_that_lacks_what_stands_around_pictures_is_refused(
        self, case: VLMCase, copied: Path
    ) -> None:
        """A mark that the tokenizer would spell in letters is named."""
        taken = {case.vlm.placeholder, case.vlm.picture_placeholder.text}
        marks = [mark for mark in MARK.findall(written(case.vlm, case)) if mark not in taken]
        if not marks:
            pytest.skip("the family writes no marks of its own")
        text = (copied / "tokenizer.json").read_text()
        other = text.replace(json.dumps(marks[0]), json.dumps("<other>"))
        (copied / "tokenizer.json").write_text(other)
        turn = Turn(role="user", text=QUESTION, videos=(case.whole,))

        def ask() -> Prompt:
            vlm = loaded(case, copied)
            if "<other>" in written(vlm, case):
                pytest.skip("the family knows the mark by its number")
            return vlm.prompt([turn])

        line = refused(ask)
        assert marks[0] in line or "vocabulary" in line

    def test_a_context_that_is_too_small_is_said(self, case: VLMCase, copied: Path) -> None:
        """What does not fit the LLM's context is a `BudgetError` that says what to keep."""
        config = json.loads((copied / "config.json").read_text())
        for settings in (config, config.get("text_config", {})):
            if "max_position_embeddings" in settings:
                settings["max_position_embeddings"] = 24
        edit_json(copied / "config.json", **config)
        vlm = loaded(case, copied)
        turn = Turn(role="user", text=QUESTION, videos=(case.whole,))
        line = refused(lambda: fitting_prompt(vlm, [turn], 8, "auto"), BudgetError)
        assert "24" in line

    @pytest.mark.parametrize("size_px", ODD_SIZES_PX)
    def test_frames_of_any_size_are_taken(self, case: VLMCase, size_px: tuple[int, int]) -> None:
        """Frames smaller, longer or larger than the tower takes become tokens all the same."""
        info = replace(case.info, height_px=size_px[0], width_px=size_px[1])
        encoder = case.vlm.encoder.fitted(info, 2)
        tokens = encoder.encode(random_frames(2, size_px), frozenset())
        assert tokens.grid == encoder.grid
        assert torch.isfinite(tokens.features).all()
        kept = torch.arange(tokens.count)
        per_frame = tokens.tokens_per_frame
        plan = TokenPlan.keep(kept, num_in=tokens.count, tokens_per_frame=per_frame)
        turn = Turn(role="user", text=QUESTION, videos=(compressed(tokens, plan),))
        assert int(case.vlm.prompt([turn]).visual.sum()) >= tokens.count


def written(vlm: VLM, case: VLMCase) -> str:
    """Returns what a family writes around the frames of a video."""
    blocks = [block for item in vlm.blocks(case.whole) for block in item]
    return "".join(block.before + block.after for block in blocks)


def loaded(case: VLMCase, folder: Path) -> VLM:
    """Returns what a spoilt copy loads as, with the options of the tiny model."""
    return replace(load_vlm(str(folder), device="cpu"), **case.tiny.options)


def refused(doing: Callable[[], Any], kind: type[FramesiftError] = ModelError) -> str:
    """Returns the one line that something ends in."""
    with pytest.raises(kind) as error:
        doing()
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 1000
    return line


def edit_json(path: Path, **changes: Any) -> None:
    """Changes some entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _without_processor(folder: Path) -> None:
    for name in PROCESSORS:
        (folder / name).unlink(missing_ok=True)


def _without_template(folder: Path) -> None:
    for name in ("chat_template.jinja", "chat_template.json"):
        (folder / name).unlink(missing_ok=True)
    for name in ("tokenizer_config.json", "processor_config.json"):
        if (folder / name).exists():
            edit_json(folder / name, chat_template=None)


def _pickled(folder: Path) -> None:
    weights = require("safetensors.torch", extra="hf").load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


LACKING: Final[dict[str, tuple[Callable[[Path], None], str]]] = {
    "processor": (_without_processor, "preprocessor_config.json"),
    "template": (_without_template, "chat template"),
    "weights": (_pickled, "pickled weights"),
}
VISUAL: Final = (
    *("image_token_id", "video_token_id", "image_token_index", "video_token_index"),
    *(
        f"{kind}_{end}_token_id"
        for kind in ("vision", "image", "video")
        for end in ("start", "end")
    ),
)
