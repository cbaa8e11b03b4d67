"""The build of several databases: one cache of faces, then a process for each database.

A database is written in a temporary folder until it is complete. A killed build therefore leaves
nothing that could be mistaken for a database, and the next build removes the folder.
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import wait
from pathlib import Path

import joblib
from rich.console import Console

from fer_tf.data.cleaning import clean_faces
from fer_tf.data.face_cache import FACES_DIR, cached_faces
from fer_tf.data.tfds_builder import OccludedFaces, find_near_duplicates, origin
from fer_tf.data.tfds_configs import OccludedFacesConfig, config_for
from fer_tf.errors import UserError
from fer_tf.files import exclusive, read_json

_WRITING = ".writing"
_LOCK = ".lock"
_INFO = "dataset_info.json"


@dataclass(frozen=True)
class Built:
    """A complete database.

    Attributes:
        folder: its version's folder.
        splits: name of a split -> number of images.
        metadata: see `fer_tf.data.tfds_builder.OccludedFaces`; empty if it is damaged.
        is_new: False if an earlier build wrote it, from the same files by the same program.
    """

    folder: Path
    splits: dict[str, int]
    metadata: dict
    is_new: bool


def build(
    builders: dict[str, str],
    config: OccludedFacesConfig,
    raw_dir: Path,
    data_dir: Path,
    jobs: int | None = None,
    rebuild: bool = False,
) -> Iterator[tuple[str, Built]]:
    """Build the databases that are missing.

    Args:
        builders: name of a database -> module that has its `Builder`.
        config: the result of `fer_tf.data.tfds_configs.config_for`.
        raw_dir: contains one folder for each source.
        data_dir: the TFDS data directory; the faces' cache is its folder "faces".
        jobs: cores to use; all when None.
        rebuild: whether to replace a database that was built from other files.

    Yields:
        Name and database, in the order in which they are ready.

    Raises:
        UserError: malformed sources, a database built from other files, another build running in
            data_dir, or a data_dir that cannot be written.
    """
    with _locked(data_dir):
        for unfinished in (data_dir / _WRITING, *(data_dir / FACES_DIR).glob("*.writing-*")):
            shutil.rmtree(unfinished, ignore_errors=True)
        current_origin = origin(config.sources, raw_dir)
        missing = []
        for name in builders:
            folder = data_dir / name / config.name / str(OccludedFaces.VERSION)
            built = _read(folder)
            if built is None:
                missing.append(name)
            elif current_origin.items() <= built.metadata.items():
                yield name, built
            elif rebuild:
                missing.append(name)
            else:
                raise UserError(
                    f"{folder} was built from other raw files or by another version of this "
                    "program, or is damaged; give --rebuild to replace it, or another --data-dir "
                    "to keep it."
                )
        if missing:
            # New interpreters, because OpenCV's threads must not be forked, and this process does
            # not import TensorFlow.
            context = multiprocessing.get_context("spawn")
            # A process for each database even on fewer cores, so that all finish together.
            workers = jobs or max(joblib.cpu_count(), len(missing))
            pool = ProcessPoolExecutor(workers, context, _die_with_parent)
            try:
                faces = cached_faces(config.sources, raw_dir, data_dir / FACES_DIR, jobs, pool)
                tasks = {name: builders[name] for name in missing}
                yield from _build_all(tasks, config, raw_dir, data_dir, pool, faces)
            except BrokenProcessPool as error:
                raise UserError(
                    "A process that helped to build was killed, perhaps for lack of memory; what "
                    "is finished is kept, give the same command again, with --jobs 1 if it "
                    "happens twice."
                ) from error
            finally:
                for process in list((pool._processes or {}).values()):
                    process.terminate()
                pool.shutdown(cancel_futures=True)
                shutil.rmtree(data_dir / _WRITING, ignore_errors=True)


def _build_all(builders, config, raw_dir, data_dir, pool, faces):
    writing = data_dir / _WRITING
    console = Console(stderr=True)
    status = console.status(f"Writing {', '.join(builders)}")
    tasks = {
        pool.submit(
            _write, module, config.sources, config.leak_free, config.clean, raw_dir, writing,
            data_dir / FACES_DIR,
        ): name
        for name, module in builders.items()
    }  # fmt: skip
    with status if console.is_terminal else contextlib.nullcontext():
        # The processes, which import TensorFlow meanwhile, read the pairs from the cache.
        find_near_duplicates(clean_faces(faces)[0] if config.clean else faces, data_dir / FACES_DIR)
        for task in as_completed(tasks):
            task.result()
            yield tasks[task], _publish(writing, data_dir, tasks[task], config.name)


def _write(module, sources, leak_free, clean, raw_dir, writing, faces_dir):
    """Prepare one database in the folder `writing`; this function runs in its own process."""
    if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
        # Hide TensorFlow's start-up lines and TFDS' reports; errors are raised, not printed.
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
    import tensorflow as tf
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    builder_module = import_module(module)
    # TFDS looks for README.md below the first package, where an editable install has no builders.
    builder_module.Builder.pkg_dir_path = Path(builder_module.__file__).parent
    builder = builder_module.Builder(
        data_dir=writing, config=config_for(sources, leak_free, clean), faces_dir=faces_dir
    )
    try:
        builder.download_and_prepare(
            download_dir=writing / "downloads",
            download_config=tfds.download.DownloadConfig(manual_dir=raw_dir),
        )
    except (OSError, tf.errors.OpError) as error:
        raise UserError(
            f"{builder.name}/{builder.builder_config.name} cannot be written ({error}); make room "
            "or choose another --data-dir, then give the same command again."
        ) from None


def _publish(writing: Path, data_dir: Path, name: str, config: str) -> Built:
    """Move a finished database to its place, from which an older one is removed first."""
    folder = data_dir / name / config / str(OccludedFaces.VERSION)
    folder.parent.mkdir(parents=True, exist_ok=True)
    default_config = Path(name) / ".config"  # TFDS writes the database's first config into it.
    if not (data_dir / default_config).exists():
        os.replace(writing / default_config, data_dir / default_config)
    if folder.exists():
        os.replace(folder, writing / f"{name}-replaced")
    os.replace(writing / name / config / folder.name, folder)
    return _read(folder, is_new=True)


def _read(folder: Path, is_new: bool = False) -> Built | None:
    """Read a prepared database without TFDS, which would import TensorFlow; None if it is missing.

    The metadata of a damaged one is empty, because its origin is unknown.
    """
    if not (folder / _INFO).is_file():
        return None
    try:
        info = read_json(folder / _INFO, "")
        metadata = read_json(folder / "metadata.json", "")
        splits = {
            split["name"]: sum(int(length) for length in split["shardLengths"])
            for split in info["splits"]
        }
    except (FileNotFoundError, UserError, KeyError):
        return Built(folder, {}, {}, is_new)
    return Built(folder, splits, metadata, is_new)


@contextlib.contextmanager
def _locked(data_dir: Path):
    """Lock a directory against a second build; the system ends the lock with this process."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / _LOCK).touch()
    except OSError as error:
        raise UserError(
            f"{data_dir} cannot be written ({error}); choose another --data-dir."
        ) from error
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive(data_dir / _LOCK, wait=False))
        except BlockingIOError:
            raise UserError(
                f"Another build is at work in {data_dir}; wait for it, or choose another "
                "--data-dir."
            ) from None
        yield


def _die_with_parent():
    """End this process when its parent was killed; leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch():
        wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
