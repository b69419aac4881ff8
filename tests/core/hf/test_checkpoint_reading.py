"""What goes wrong while a checkpoint is read becomes one line for whoever has to mend it."""

import pytest

pytest.importorskip("transformers")

from framesift.errors import ModelError
from framesift.hf.checkpoint_reading import in_one_line


def broken(wrapped):
    """Raises what an import of torchvision for another torch raises, or what transformers does."""
    try:
        raise RuntimeError("operator torchvision::nms does not exist")
    except RuntimeError as cause:
        if not wrapped:
            raise
        raise ModuleNotFoundError("Could not import module 'LlavaProcessor'") from cause


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_torchvision_of_another_torch_is_not_blamed_on_the_checkpoint(wrapped, tmp_path):
    with (
        pytest.raises(ModelError, match="uninstall torchvision") as error,
        in_one_line(str(tmp_path)),
    ):
        broken(wrapped)
    assert "nms does not exist" in str(error.value)
    assert "damaged" not in str(error.value)


def test_a_damaged_file_is_still_called_so(tmp_path):
    with pytest.raises(ModelError, match="missing, cut or damaged"), in_one_line(str(tmp_path)):
        raise ValueError("header too large")
