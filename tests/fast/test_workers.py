"""The pool of threads, and the pool without threads that takes its place in a browser."""

import threading

import numpy as np
import pytest

from decolle_ref.fast import worker_pool


@pytest.fixture
def browser(monkeypatch):
    monkeypatch.setattr("decolle_ref.fast.workers.sys.platform", "emscripten")


def test_in_a_browser_the_caller_does_the_work_and_gets_it_in_order(browser):
    with worker_pool(4) as workers:
        answers = list(workers.map(lambda k: (k, threading.get_ident()), range(5)))
    assert answers == [(k, threading.get_ident()) for k in range(5)]


def test_elsewhere_a_thread_does_the_work():
    with worker_pool(1) as workers:
        assert workers.submit(threading.get_ident).result() != threading.get_ident()


def test_in_a_browser_an_error_arrives_where_the_result_is_asked_for(browser):
    with worker_pool(1) as workers:
        future = workers.submit(np.reshape, np.zeros(3), 2)
    with pytest.raises(ValueError, match="reshape"):
        future.result()
