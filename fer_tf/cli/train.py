"""The command that trains networks."""

from typing import Annotated

import typer

from fer_tf.cli.common import (
    DATA_DIR,
    MODELS_DIR,
    RUNS_DIR,
    DataDir,
    ModelName,
    ModelsDir,
    Replace,
    RunsDir,
    interruptible,
    load_tensorflow,
    suggest,
)
from fer_tf.cli.models import combine_and_suggest


def train(
    network: Annotated[
        str,
        typer.Argument(
            help="all (the four), begin, subnet_x, subnet_y, subnet_z or flat; or occlusion_net, "
            "which recognises how a face is covered."
        ),
    ],
    database: Annotated[
        list[str] | None,
        typer.Option(
            help="concat_db, bconcat_db, eye_cdb, uncovered or mixed, with or without /CONFIG; may "
            "be repeated. By default the first three, for occlusion_net uncovered."
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="paper, quick, from_scratch, demo, strong or teacher; by default quick, for "
            "occlusion_net recogniser.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--network",
            metavar="resnet18|resnet101|resnet152|wide_resnet101_2",
            help="A network of the paper's Table 2 in place of the recipe's ResNeXt.",
            show_default=False,
        ),
    ] = None,
    attention: Annotated[
        bool,
        typer.Option(
            "--attention/--no-attention", help="Keep the spatial attention before the backbone."
        ),
    ] = True,
    strategy: Annotated[
        str,
        typer.Option(
            help="auto, one, mirrored (all local GPUs) or multi-worker (TF_CONFIG); not run on "
            "GPUs so far."
        ),
    ] = "auto",
    parallel: Annotated[
        bool,
        typer.Option("--parallel", help="One network per GPU at a time; not run on GPUs so far."),
    ] = False,
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="Compute the same bits each time, which is slower."),
    ] = False,
    mixed_precision: Annotated[
        str | None,
        typer.Option(
            metavar="float16|bfloat16",
            help="Compute in half precision; weights and logits stay float32. Not run on GPUs.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Images per step, in place of the recipe's.", show_default=False),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Learning rate, in place of the recipe's.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, shuffling and augmentation.")] = 0,
    restart: Annotated[
        bool, typer.Option("--restart", help="Delete earlier runs and begin again.")
    ] = False,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Read images from disk batch by batch, or keep all in memory; by default they "
            "stay on disk if they need more than an eighth of it. The results are the same.",
            show_default=False,
        ),
    ] = None,
    name: ModelName = None,
    replace: Replace = False,
    data_dir: DataDir = DATA_DIR,
    runs_dir: RunsDir = RUNS_DIR,
    models_dir: ModelsDir = MODELS_DIR,
):
    """Train networks; `all` also combines the four into a SavedModel.

    After an interruption the same command resumes the training.
    """
    from fer_tf.export.combine_models import CombineOptions
    from fer_tf.training.jobs import train_networks
    from fer_tf.training.options import ALL, TrainOptions

    options = TrainOptions(
        network=network,
        database_names=database or (),
        recipe_name=recipe,
        backbone=backbone,
        attention=attention,
        strategy=strategy,
        parallel=parallel,
        deterministic=deterministic,
        mixed_precision=mixed_precision,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        restart=restart,
        stream=stream,
        data_dir=data_dir,
        runs_dir=runs_dir,
    )
    combining = None
    if network == ALL:  # Refused before the training, not after it.
        combining = CombineOptions(
            database_names=options.database_names,
            run_name=options.run_name,
            name=name,
            replace=replace,
            data_dir=data_dir,
            runs_dir=runs_dir,
            models_dir=models_dir,
        )
    with interruptible(
        "Interrupted. The same command, without --restart, goes on from the last finished epoch."
    ):
        trained = train_networks(options, load_tensorflow, typer.echo)
    for each in trained:
        typer.echo(f"Wrote {', '.join(map(str, each.run_folders.values()))}")
        if each.figure:
            typer.echo(f"Wrote {each.figure}")
        if each.accuracies:
            shares = ", ".join(f"{kind} {share:.1%}" for kind, share in each.accuracies.items())
            typer.echo(f"{each.database}: recognised in validation, on drawn occluders: {shares}")
    if not trained:  # Another worker writes the runs.
        return
    if combining:
        combine_and_suggest(combining)
    elif options.is_occlusion_net:
        suggest(f"python cli.py combine any_occlusion/{trained[-1].database.config}")
    else:
        names = " ".join(str(each.database) for each in trained)
        suggest(f"python cli.py evaluate {names} --recipe {options.run_name}")
