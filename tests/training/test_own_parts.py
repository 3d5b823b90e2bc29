"""Parts of the user's own, in the stages before the one that is trained."""

import pytest

from lensmill.training.train import train


def test_own_parts_before_a_stage_are_trusted_where_the_recipe_names_them(
    tiny, tmp_path, own_parts
):
    own_parts("from lensmill.networks.unet import UNet\n\n\nclass Wide(UNet):\n    pass\n")
    recipe = tiny(steps=1)
    denoise = recipe.stages["denoise"]
    wide = type(denoise.network)(name="own_parts:Wide", **denoise.network.keywords)
    own = {"denoise": denoise.model_copy(update={"network": wide})}
    changed = recipe.model_copy(update={"stages": {**recipe.stages, **own}})
    train(changed, "denoise", tmp_path, device="cpu")
    train(changed, "deblend", tmp_path, device="cpu")
    with pytest.raises(ValueError, match="foreign part 'own_parts:Wide'"):
        train(recipe, "deblend", tmp_path, device="cpu", resume=False)
