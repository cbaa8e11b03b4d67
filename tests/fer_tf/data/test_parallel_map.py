import os
import subprocess
import sys
import threading

import pytest

from fer_tf.data.parallel_map import thread_map


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone has it")
def test_only_the_cores_that_may_be_used_are_used():
    """As in a container or under `taskset`; more processes than cores are in each other's way."""
    code = (
        "import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])\n"
        "import unittest.mock as mock\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from fer_tf.data import parallel_map\n"
        "pool = mock.patch.object(parallel_map, 'ThreadPoolExecutor', wraps=ThreadPoolExecutor)\n"
        "with pool as p:\n"
        "    list(parallel_map.thread_map(abs, [1]))\n"
        "print(p.call_args.args)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "(1,)", done.stderr


def test_thread_map_keeps_the_order_and_runs_little_ahead():
    taken, begun = [], []
    main = threading.get_ident()

    def square(number):
        assert threading.get_ident() != main
        return number * number

    for result in thread_map(square, (begun.append(i) or i for i in range(2000)), jobs=3):
        taken.append(result)
        assert len(begun) - len(taken) <= 256
    assert taken == [i * i for i in range(2000)]


def test_thread_map_passes_an_error_on():
    with pytest.raises(ZeroDivisionError):
        list(thread_map(lambda number: 1 // number, [2, 1, 0, 1], jobs=2))
