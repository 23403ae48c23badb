"""Who does the jobs: threads of this process, or the workers of a Dask cluster."""

import contextlib
import functools
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

from colorizer.errors import UserError

# Seconds within which a scheduler answers.
PATIENCE = 10


@contextlib.contextmanager
def workers_of(cluster):
    """Give an executor, and a function that tells how many jobs it does at once.

    `cluster` is the address of a Dask scheduler, or None for a thread on each core. Raises
    UserError where there is no scheduler.
    """
    if not cluster:
        cores = os.cpu_count() or 1
        with ThreadPoolExecutor(cores) as workers:
            yield workers, lambda: cores
        return
    try:
        import distributed
    except ImportError as error:
        raise UserError(
            f"--cluster needs Dask ({error}); run `pip install -r requirements-cluster.txt`"
        ) from error
    try:
        client = distributed.Client(cluster, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"no Dask scheduler answers at {cluster}; start one with `dask scheduler`"
        ) from error
    with client:
        # Workers may join and leave at any time; without any, jobs wait for the first.
        yield client.get_executor(pure=False), lambda: sum(client.nthreads().values()) or 1


def on(cluster, method):
    """Return the function of a job that workers call in place of `method`, a bound one.

    On a cluster each process keeps what the method is bound to: its `colorizer` has to be the one
    that its `writer` notes. It passes the scheduler as bytes, unopened.
    """
    return functools.partial(_call, pickle.dumps(method)) if cluster else method


def _call(pickled, job):
    return _unpickled(pickled)(job)


@functools.lru_cache(maxsize=1)
def _unpickled(pickled):
    method = pickle.loads(pickled)
    method.__self__.writer.fingerprint.check(method.__self__.colorizer)
    return method
