from dataclasses import fields

import pytest

from framesift.errors import InvalidOptionError
from framesift.training.time_perceiver.recipe import PRESETS, PerceiverRecipe


def test_the_published_recipe_has_two_stages_and_no_warm_start():
    recipe = PRESETS["published"]
    assert recipe == PerceiverRecipe()
    assert list(recipe.stages) == ["warm_start", "stage_1", "stage_2"]
    assert (recipe.stage_1.learning_rate, recipe.stage_2.learning_rate) == (1e-3, 1e-5)
    assert [stage.epochs for stage in recipe.stages.values()] == [0.0, 1.0, 1.0]
    assert (recipe.segment, recipe.depth, recipe.fps, recipe.max_frames) == (4, 2, 1.0, 96)
    assert (recipe.stage, recipe.llm, recipe.include_key) == ("pre", "lora", True)


def test_values_change_by_name():
    changes = ["stage_2.epochs=2", "warm_start.optimizer=adamw", "key_stride=none", "llm=all"]
    recipe = PRESETS["tiny"].changed(changes)
    assert recipe.stage_2.epochs == 2
    assert recipe.warm_start.optimizer == "adamw"
    assert recipe.key_stride is None
    assert recipe.llm == "all"
    same = {each.name for each in fields(recipe)} - {"stage_2", "warm_start", "key_stride", "llm"}
    assert all(getattr(recipe, name) == getattr(PRESETS["tiny"], name) for name in same)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("stage_3.epochs=1", "changes nothing of a recipe"),
        ("stage_1.optimizer=sgd", "optimizer='sgd' must be one of"),
        ("fewest=0", "fewest='0' must be"),
        ("fps=0", "fps='0' must be"),
        ("accumulation=3", "batch=8 cannot be cut into accumulation=3"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(change, told):
    with pytest.raises(InvalidOptionError, match=told) as error:
        PRESETS["tiny"].changed([change])
    assert "\n" not in str(error.value)
