import json
import os
import re
import subprocess
import time

import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.config import model_server_config_pb2
from typer.testing import CliRunner

import cli
from fer_tf.errors import UserError
from fer_tf.export.contract import MOST_FACES
from fer_tf.serving import server_files
from fer_tf.serving.config import POLL_SECONDS, choose_versions, write_files
from tests.stand_in_server import StandIn, Version

FILES = ["batching_parameters.txt", "monitoring.config", "docker-compose.yml", "models.config"]


def add_version(folder, name, version):
    (folder / name / str(version)).mkdir(parents=True)
    (folder / name / str(version) / "saved_model.pb").touch()


@pytest.fixture
def models(tmp_path):
    """Two models, one of two versions; a folder that is none; a version being written."""
    for name, version in (("concat_db", 2), ("concat_db", 10), ("eye_cdb", 1)):
        add_version(tmp_path, name, version)
    (tmp_path / "notes").mkdir()
    (tmp_path / "eye_cdb" / "writing-2").mkdir()
    return tmp_path


def run(models, stable=None, canary=None, batching=None, replace=False, settled=True):
    """What the command does; `settled` lets a running server have read the file before."""
    config = models / "models.config"
    if settled and config.exists():
        long_ago = config.stat().st_mtime - 2 * POLL_SECONDS
        os.utime(config, (long_ago, long_ago))
    served = choose_versions(models, stable or {}, canary or {})
    return served, *write_files(models, served, batching, replace)


def parsed(models):
    """Model -> (versions, labels) as TensorFlow Serving's own message reads models.config."""
    text = (models / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    for model in config.model_config_list.config:
        assert model.base_path == f"/models/{model.name}"
        assert model.model_platform == "tensorflow"
    return {
        m.name: (list(m.model_version_policy.specific.versions), dict(m.version_labels))
        for m in config.model_config_list.config
    }


def message(name, wrapped=(), flags=(), nested=None):
    """An empty message like TensorFlow Serving's, for the files whose protos are not packaged."""
    from google.protobuf import wrappers_pb2

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    kind = descriptor_pb2.FieldDescriptorProto
    whole = file.message_type.add(name=name)
    for number, field in enumerate((*wrapped, *flags), 1):
        whole.field.add(
            name=field,
            number=number,
            type=kind.TYPE_MESSAGE,
            label=kind.LABEL_OPTIONAL,
            type_name=f".google.protobuf.{'Bool' if field in flags else 'Int64'}Value",
        )
    if nested:
        part = file.message_type.add(name=nested[1])
        part.field.add(name="enable", number=1, type=kind.TYPE_BOOL, label=kind.LABEL_OPTIONAL)
        part.field.add(name="path", number=2, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
        whole.field.add(
            name=nested[0],
            number=1,
            type=kind.TYPE_MESSAGE,
            label=kind.LABEL_OPTIONAL,
            type_name=f".{nested[1]}",
        )
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()


def test_the_first_run_serves_every_model_with_both_labels_on_the_newest_version(models):
    _, written, kept, _ = run(models)
    assert [path.name for path in written] == FILES and not kept
    assert parsed(models) == {
        "concat_db": ([10], {"stable": 10, "canary": 10}),
        "eye_cdb": ([1], {"stable": 1, "canary": 1}),
    }
    assert sorted(p.name for p in models.iterdir() if p.is_file()) == sorted(FILES)


def test_every_file_begins_with_a_comment_on_what_it_is(models):
    run(models)
    for name in FILES:
        assert re.match(r"# \w+", (models / name).read_text())


def test_the_user_names_versions_at_first(models):
    run(models, stable={"concat_db": 2})
    assert parsed(models)["concat_db"] == ([2, 10], {"stable": 2, "canary": 10})


def test_a_new_version_is_listed_first_and_becomes_canary_in_the_next_run_only(models):
    run(models)
    add_version(models, "concat_db", 11)
    served, *_ = run(models)
    assert parsed(models)["concat_db"] == ([10, 11], {"stable": 10, "canary": 10})
    assert served[0].pending == {"canary": 11}
    served, *_ = run(models, settled=False)  # The server may not have read the file yet.
    assert parsed(models)["concat_db"] == ([10, 11], {"stable": 10, "canary": 10})
    assert served[0].pending == {"canary": 11}
    served, *_ = run(models)
    assert parsed(models)["concat_db"] == ([10, 11], {"stable": 10, "canary": 11})
    assert served[0].pending == {} and parsed(models)["eye_cdb"] == (
        [1],
        {"stable": 1, "canary": 1},
    )


def test_promotion_keeps_the_way_back_open_until_a_further_version_comes(models):
    run(models, stable={"concat_db": 2})
    run(models, stable={"concat_db": 10})
    assert parsed(models)["concat_db"] == ([2, 10], {"stable": 10, "canary": 10})
    run(models)
    assert parsed(models)["concat_db"] == ([2, 10], {"stable": 10, "canary": 10})
    run(models, stable={"concat_db": 2}, canary={"concat_db": 2})
    assert parsed(models)["concat_db"] == ([2, 10], {"stable": 2, "canary": 2})
    run(models, stable={"concat_db": 10})
    add_version(models, "concat_db", 11)
    run(models)
    assert parsed(models)["concat_db"] == ([10, 11], {"stable": 10, "canary": 10})


def test_a_roll_back_right_after_a_promotion_takes_effect(models):
    run(models, stable={"concat_db": 2})
    for stable, settled in ((10, True), (2, False), (10, False), (2, False)):
        served, *_ = run(models, stable={"concat_db": stable}, settled=settled)
        assert parsed(models)["concat_db"] == ([2, 10], {"stable": stable, "canary": 10})
        assert served[0].pending == {}


def test_a_version_that_another_label_names_is_loaded(models):
    run(models, stable={"concat_db": 2})
    run(models, stable={"concat_db": 10}, settled=False)
    assert parsed(models)["concat_db"] == ([2, 10], {"stable": 10, "canary": 10})


def test_each_version_waits_from_its_own_listing_on(models, monkeypatch):
    config = models / "models.config"
    run(models, stable={"concat_db": 2})
    run(models, canary={"concat_db": 2})  # Version 10 stays listed, no label names it.
    add_version(models, "eye_cdb", 2)
    begun = time.time()
    for seconds, concat_db, eye_cdb in (
        (3600, 2, 1),  # Lists version 2 of eye_cdb;
        (3603, 10, 1),  # what was listed before is not held up by it,
        (3612, 2, 1),  # nor is
        (3621, 2, 2),  # this by the changes of the other model.
    ):
        monkeypatch.setattr(time, "time", lambda s=seconds: begun + s)
        run(models, canary={"concat_db": concat_db}, settled=False)
        os.utime(config, (begun + seconds, begun + seconds))
        canaries = {name: labels["canary"] for name, (_, labels) in parsed(models).items()}
        assert canaries == {"concat_db": concat_db, "eye_cdb": eye_cdb}
        assert parsed(models)["eye_cdb"][0] == [1, 2]


def test_what_an_older_program_listed_waits_from_the_files_time_on(models):
    run(models, stable={"concat_db": 2})
    config = models / "models.config"
    text = re.sub(" *# listed since .*", "", config.read_text()).partition(server_files._SEAL)[0]
    config.write_text(server_files._sealed(text))
    run(models, canary={"concat_db": 2}, settled=False)
    assert parsed(models)["concat_db"] == ([2, 10], {"stable": 2, "canary": 2})
    config.write_text(re.sub(" *# listed since .*", "", config.read_text()))
    run(models, canary={"concat_db": 10}, settled=False, replace=True)
    assert parsed(models)["concat_db"] == ([2, 10], {"stable": 2, "canary": 2})
    run(models, canary={"concat_db": 10})
    assert parsed(models)["concat_db"] == ([2, 10], {"stable": 2, "canary": 10})


def test_a_version_whose_folder_is_gone_is_let_go(models):
    run(models, stable={"concat_db": 2})
    (models / "concat_db" / "10" / "saved_model.pb").unlink()
    (models / "concat_db" / "10").rmdir()
    run(models)
    assert parsed(models)["concat_db"] == ([2], {"stable": 2, "canary": 2})


def test_a_stable_version_that_is_gone_is_an_error_not_a_silent_change(models):
    run(models, stable={"concat_db": 2})
    (models / "concat_db" / "2" / "saved_model.pb").unlink()
    before = (models / "models.config").read_text()
    with pytest.raises(UserError, match=r"concat_db/2, wanted as stable.*--stable concat_db="):
        run(models)
    assert (models / "models.config").read_text() == before


@pytest.mark.parametrize(
    "stable, reason", [({"concat": 1}, "not 'concat'"), ({"eye_cdb": 7}, "eye_cdb holds 1")]
)
def test_unknown_models_and_versions_are_named(models, stable, reason):
    with pytest.raises(UserError, match=reason):
        run(models, stable=stable)


def test_an_empty_folder_and_a_name_that_cannot_be_served_are_errors(tmp_path):
    with pytest.raises(UserError, match="holds no model"):
        run(tmp_path)
    add_version(tmp_path, "my model", 1)
    with pytest.raises(UserError, match="rename the folder"):
        run(tmp_path)


def test_an_edited_file_is_kept_unless_it_is_to_be_replaced(models):
    run(models)
    batching = models / "batching_parameters.txt"
    batching.write_text(batching.read_text().replace("value: 32", "value: 64"))
    _, written, kept, _ = run(models)
    assert kept == [batching] and batching not in written
    assert "value: 64" in batching.read_text()
    assert run(models, replace=True)[2] == []
    assert "value: 32" in batching.read_text()


def test_nothing_is_written_when_models_config_was_edited(models):
    run(models)
    config = models / "models.config"
    config.write_text(config.read_text() + "# mine\n")
    (models / "monitoring.config").unlink()
    with pytest.raises(UserError, match="edited by hand.*--replace"):
        run(models)
    assert not (models / "monitoring.config").exists()
    assert config.read_text().endswith("# mine\n")
    run(models, replace=True)
    assert parsed(models)["concat_db"] == ([10], {"stable": 10, "canary": 10})


@pytest.mark.parametrize("change", [("{", "["), ("since 2", "since X"), ("name", "title")])
def test_a_file_that_cannot_be_parsed_is_named(models, change):
    run(models)
    config = models / "models.config"
    config.write_text(config.read_text().replace(*change))
    with pytest.raises(UserError, match="models.config cannot be read as a ModelServerConfig"):
        run(models, replace=True)


def test_a_file_that_stays_the_same_keeps_its_time(models):
    run(models)
    before = (models / "models.config").stat().st_mtime_ns
    run(models, settled=False)
    assert (models / "models.config").stat().st_mtime_ns == before


def test_batching_is_off_until_asked_for_and_then_stays(models):
    assert "enable_batching" not in run(models)[3]
    assert "--enable_batching=true" in run(models, batching=True)[3]
    compose = (models / "docker-compose.yml").read_text()
    assert "--batching_parameters_file=/models/batching_parameters.txt" in compose
    assert "--enable_batching=true" in run(models)[3]
    assert "enable_batching" not in run(models, batching=False)[3]


def test_who_turns_batching_on_is_told_what_would_stop_the_server(models):
    options = ["serve-config", "--models-dir", str(models)]
    assert "without a face" not in CliRunner().invoke(cli.app, options).stdout
    for option in ([], ["--batching"], []):
        output = CliRunner().invoke(cli.app, [*options, *option]).stdout
        on = "--enable_batching" in output
        note = "Note: with batching on, a request without a face is never answered"
        assert on == (note in output)
    assert on and "without a face" in (models / "batching_parameters.txt").read_text()


def test_the_command_mounts_the_folder_and_quotes_it_for_a_shell(models):
    folder = models / "my models"
    add_version(folder, "concat_db", 1)
    command = run(folder)[3]
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert words[:2] == ["docker", "run"] and f"{folder}:/models:ro" in words
    assert "--model_config_file=/models/models.config" in words
    assert "--allow_version_labels_for_unavailable_models=true" in words
    assert f"--model_config_file_poll_wait_seconds={POLL_SECONDS}" in words


def test_batching_parameters_and_monitoring_parse(models):
    run(models)
    # Of BatchingParameters in session_bundle_config.proto.
    numbers = "max_batch_size batch_timeout_micros max_enqueued_batches num_batch_threads"
    batching = text_format.Parse(
        (models / "batching_parameters.txt").read_text(),
        message(
            "BatchingParameters",
            [*numbers.split(), "max_execution_batch_size"],
            flags=["enable_large_batch_splitting"],
        ),
    )
    # Only so is a large request split. No request is refused that the model itself would answer.
    assert batching.enable_large_batch_splitting.value
    assert batching.max_batch_size.value == MOST_FACES > batching.max_execution_batch_size.value
    assert batching.num_batch_threads.value >= 1
    monitoring = text_format.Parse(
        (models / "monitoring.config").read_text(),
        message("MonitoringConfig", nested=("prometheus_config", "PrometheusConfig")),
    )
    assert monitoring.prometheus_config.enable
    assert monitoring.prometheus_config.path == "/monitoring/prometheus/metrics"


def test_compose_is_yaml_that_starts_the_same_server(models):
    command = run(models, batching=True)[3]
    service = yaml.safe_load((models / "docker-compose.yml").read_text())["services"]["serving"]
    assert all(option in command for option in service["command"])
    assert len(service["command"]) == command.count(" --") - 1  # all but --rm
    assert service["image"] in command.split()
    assert service["volumes"] == [".:/models:ro"]


def test_the_command_says_what_is_served_and_prints_how_to_start_it(models):
    options = ["serve-config", "--models-dir", str(models)]
    lines = CliRunner().invoke(cli.app, [*options, "--stable", "concat_db=2"]).stdout.splitlines()
    assert lines[0] == "concat_db: loads 2, 10; stable 2, canary 10"
    assert lines[-1].startswith("Next: docker run ") and "Wrote " in lines[-2]
    add_version(models, "concat_db", 11)
    done = CliRunner().invoke(cli.app, options)
    assert done.exit_code == 0
    assert "concat_db: canary moves to 11 when you give the same command again" in done.stdout
    wrong = CliRunner().invoke(cli.app, [*options, "--canary", "concat_db:2"])
    assert "NAME=VERSION is expected" in str(wrong.exception)


def test_a_label_that_was_asked_for_and_is_not_moved_yet_fails_the_command(models):
    options = ["serve-config", "--models-dir", str(models)]
    assert CliRunner().invoke(cli.app, [*options, "--stable", "concat_db=10"]).exit_code == 0
    done = CliRunner().invoke(cli.app, [*options, "--stable", "concat_db=2"])
    assert "concat_db: loads 2, 10; stable 10, canary 10" in done.stdout
    assert isinstance(done.exception, UserError)
    assert re.match("concat_db: stable is still on 10.*give the same command", str(done.exception))
    assert parsed(models)["concat_db"] == ([2, 10], {"stable": 10, "canary": 10})


def test_batching_that_an_edited_compose_file_would_not_have_is_refused(models):
    run(models)
    compose = models / "docker-compose.yml"
    compose.write_text(compose.read_text() + "# mine\n")
    add_version(models, "eye_cdb", 2)
    with pytest.raises(UserError, match="docker-compose.yml was edited by hand.*--replace"):
        run(models, batching=True)
    assert parsed(models)["eye_cdb"][0] == [1]
    assert run(models, batching=False)[2] == [compose]  # As the file has it.
    assert "--enable_batching=true" in run(models, batching=True, replace=True)[3]


@pytest.mark.parametrize(
    "states, healthy",
    [
        ({"concat_db": "AVAILABLE", "eye_cdb": "AVAILABLE"}, True),
        ({"concat_db": "AVAILABLE", "eye_cdb": "LOADING"}, False),
        ({"concat_db": "END", "eye_cdb": "AVAILABLE"}, False),
        ({"concat_db": "AVAILABLE"}, False),
        ({}, False),
    ],
)
def test_the_health_check_looks_at_the_state_of_every_model(models, states, healthy, tmp_path):
    run(models)
    there = {name: {1: Version(state)} for name, state in states.items()}
    assert is_healthy(models, there, tmp_path) == healthy


def test_the_health_check_looks_at_the_stable_version(models, tmp_path):
    """The server lists the states of all versions whatever label stands in the address."""
    run(models)
    eyes = {"eye_cdb": {1: Version("AVAILABLE")}}
    for stable, canary, healthy in (
        ("LOADING", "AVAILABLE", False),
        ("END", "AVAILABLE", False),
        ("AVAILABLE", "LOADING", True),
    ):
        there = {"concat_db": {1: Version(stable), 2: Version(canary)}} | eyes
        assert is_healthy(models, there, tmp_path) == healthy


def is_healthy(models, versions, tmp_path):
    """Runs the check of the compose file where a server has these versions, 1 of them stable."""
    line = next(
        line
        for line in (models / "docker-compose.yml").read_text().splitlines()
        if line.strip().startswith("test: ")
    )
    kind, *words = json.loads(line.partition("test: ")[2])
    empty = tmp_path / "nothing"
    empty.mkdir(exist_ok=True)
    server = StandIn(empty)
    server.models = versions
    server.labels = {name: {"stable": 1} for name in versions}
    try:
        words[-1] = words[-1].replace("$$", "$").replace("8501", server.url.rpartition(":")[2])
        # Nothing but what the image has: bash, grep.
        done = subprocess.run(words, capture_output=True, timeout=20, text=True)
    finally:
        server.stop()
    assert not re.search(r"(?<!\$)\$(?!\$)", line)  # Compose would put a variable of its own there.
    assert kind == "CMD" and done.stderr == ""
    return done.returncode == 0
