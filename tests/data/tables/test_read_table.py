"""Files of all names, and several files that are read as one table."""

import gzip
import os
import pathlib

import numpy as np
import pytest

from memae_jax.data.tables import read_table
from tests.data.tables import examples


@pytest.mark.parametrize('name', ['A.CSV', 'a.csv.gz', 'A.CSV.GZ', 'a.tsv',
                                  'a.txt', 'a.tsv.gz'])  # fmt: skip
def test_names_of_files(load, name):
  content = examples.csv(sep='\t' if 'tsv' in name else ',').encode()
  examples.same(
    load(gzip.compress(content) if 'gz' in name.lower() else content, name)
  )


def test_each_file_may_be_written_in_its_way(load):
  for content, test in (
    (examples.csv(), examples.csv(**examples.GERMAN)),
    (examples.csv(**examples.GERMAN), examples.csv(**examples.GERMAN)),
    (examples.csv(sep='\t'), examples.csv()),
  ):
    if content == examples.csv() and test != examples.csv():
      continue  # Two formats: see below.
    source = load(content, test=test)
    examples.same(
      source,
      np.r_[examples.NUMBERS, examples.NUMBERS],
      np.r_[examples.NORMAL, examples.NORMAL],
    )


def test_two_files_of_two_formats_are_refused(refused):
  message = refused(examples.csv(), test=examples.csv(**examples.GERMAN))
  assert 'test-my.csv line 2' in message and 'decimal point' in message


def test_bomb_of_csv(refused, monkeypatch):
  monkeypatch.setattr('memae_jax.runtime.foreign.BOMB', 2**16)
  rows = b'x,kind\n' + b'1,ok\n' * 2**18
  message = refused(gzip.compress(rows), 'a.csv.gz')
  assert 'unpacks to far more' in message


def test_a_name_that_is_not_utf8(load, tmp_path):
  path = os.fsdecode(os.fsencode(tmp_path) + b'/\xe9.csv')
  pathlib.Path(path).write_text(examples.csv())
  table = read_table.read([path], read_table.Options(text=frozenset({'kind'})))
  assert (
    table.tables[0].columns['size'].tolist() == examples.NUMBERS[:, 0].tolist()
  )
