import pytest

from framesift.errors import InvalidOptionError
from framesift.training.frame_selector.recipe import PRESETS, SelectorRecipe
from framesift.training.staged_recipe import StageRecipe


def test_the_defaults_are_the_published_ones():
    recipe = SelectorRecipe()
    assert recipe == PRESETS["published"]
    assert (recipe.head, recipe.candidates, recipe.pooled, recipe.batch) == ("mlp", 128, 3, 128)
    assert recipe.stage_1 == StageRecipe(learning_rate=1e-3, epochs=2, warmup=0.03)
    assert recipe.stage_2 == StageRecipe(learning_rate=1e-5, epochs=5, warmup=0.03)
    assert (recipe.lora_rank, recipe.lora_alpha, recipe.lora_dropout) == (64, 16, 0.05)


def test_values_are_changed_by_name():
    changed = PRESETS["tiny"].changed(["head=mlp", "stage_2.epochs=3", "answering=false"])
    assert (changed.head, changed.stage_2.epochs, changed.answering) == ("mlp", 3.0, False)
    assert changed.stage_1 == PRESETS["tiny"].stage_1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("batches=3", "'batches=3' changes nothing of a recipe.*NAME=VALUE"),
        ("learning_rate=3", "changes nothing.*stage_1.learning_rate.*stage_2.warmup"),
        ("batch", "changes nothing"),
        ("stage_1=3", "changes nothing"),
        ("stage_3.epochs=1", "changes nothing"),
        ("stage_1.batch=1", "changes nothing"),
        ("batch=0", "batch='0' must be a whole number"),
        ("head=other", "head='other' must be"),
        ("accumulation=3", "cannot be cut into accumulation=3"),
    ],
)
def test_a_change_that_means_nothing_is_refused_in_one_line(change, said):
    with pytest.raises(InvalidOptionError, match=said) as error:
        SelectorRecipe().changed([change])
    assert "\n" not in str(error.value)
