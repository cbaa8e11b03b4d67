import pytest

from fer_tf.errors import UserError
from fer_tf.training.options import TrainOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "subnet_w"}, "No network is named 'subnet_w'; choose all, begin"),
        ({"network": "flat", "mixed_precision": "int8"}, "choose float16 or bfloat16"),
        ({"network": "flat", "parallel": True, "strategy": "mirrored"}, "exclude each other"),
        ({"network": "flat", "recipe_name": "recogniser"}, "trains occlusion_net, not flat"),
        ({"network": "occlusion_net", "database_names": ["eye_cdb"]}, "--database is eye_cdb"),
        ({"network": "occlusion_net", "seed": 1}, "Leave them out"),
        ({"network": "flat", "backbone": "resnet18"}, "--network trains from nothing"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        TrainOptions(**options)


def test_runs_of_another_network_and_seed_have_a_folder_of_their_own():
    options = TrainOptions("flat", recipe_name="demo", backbone="resnet18", seed=3)
    assert options.networks == ("flat",)
    assert options.run_name == "demo-resnet18-seed3"
