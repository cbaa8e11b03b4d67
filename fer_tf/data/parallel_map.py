"""`map` on several threads or processes that runs only a little ahead of its results."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import cv2
import joblib

_AHEAD = 256  # items


def thread_map(function: Callable, items: Iterable, jobs: int | None = None) -> Iterator:
    """Map on several threads, at most a few hundred items ahead of the caller.

    Args:
        function: called with each item.
        items: any number.
        jobs: threads; all cores when None.
    """
    with ThreadPoolExecutor(jobs or joblib.cpu_count()) as executor:
        yield from bounded_map(function, items, executor, _AHEAD)


def bounded_map(function: Callable, items: Iterable, executor: Executor, ahead: int) -> Iterator:
    """Map as `executor.map` does, but at most `ahead` items ahead of the caller."""
    pending: deque = deque()
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for task in pending:
            task.cancel()


@contextlib.contextmanager
def one_opencv_thread():
    """Limit OpenCV to one thread, so that its threads and ours do not compete for the cores."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
